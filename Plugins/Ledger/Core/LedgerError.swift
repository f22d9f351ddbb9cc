/// Why the ledger refuses: a status for control flow, a code for programs, a sentence that says what to do.
package struct LedgerError: Error, Hashable, Sendable, CustomStringConvertible {
  /// gRPC's status numbers, as the plugin contract uses them.
  package enum Status: UInt32, Sendable {
    case ok = 0
    case invalidArgument = 3
    case notFound = 5
    case alreadyExists = 6
    case permissionDenied = 7
    case resourceExhausted = 8
    case failedPrecondition = 9
    case aborted = 10
    case `internal` = 13
    case unavailable = 14
    case dataLoss = 15
    case unauthenticated = 16
  }

  package var status: Status
  package var code: String
  package var message: String

  package init(_ status: Status, _ code: String, _ message: String) {
    self.status = status
    self.code = code
    self.message = message
  }

  package var description: String { "\(message) (\(code))" }
}
