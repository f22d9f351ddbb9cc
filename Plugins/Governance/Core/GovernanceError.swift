/// Why the governance layer refuses: a kind for control flow, a code for programs, a sentence that says what to do.
package struct GovernanceError: Error, Equatable, CustomStringConvertible {
  /// What the caller can do about it; `Entry` maps it to the contract's status numbers.
  package enum Kind: Sendable {
    case invalidArgument, notFound, alreadyExists, permissionDenied, failedPrecondition, dataLoss
  }

  package let kind: Kind
  package let code: String
  package let message: String

  package init(_ kind: Kind, _ code: String, _ message: String) {
    self.kind = kind
    self.code = code
    self.message = message
  }

  package var description: String { "\(message) (\(code))" }

  /// State that this layer wrote and cannot read: the disk or another version damaged it.
  static func corrupt(_ what: String) -> GovernanceError {
    GovernanceError(
      .dataLoss, "corrupt_state", "\(what) in the ledger cannot be read: restore the data folder from a copy.")
  }
}
