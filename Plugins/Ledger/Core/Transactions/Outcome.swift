import Canonical

/// What a transaction came to: the method's result, or its refusal.
///
/// Either way it is in a block and its sequence used.
package struct Outcome: Hashable, Sendable {
  /// 0, or gRPC's number.
  package var status: UInt32
  /// Empty on success.
  package var code: String
  package var message: String
  /// The method's results in canonical form.
  package var result: [UInt8]

  package init(result: [UInt8] = []) {
    (status, code, message, self.result) = (0, "", "", result)
  }

  package init(status: UInt32, code: String, message: String) {
    (self.status, self.code, self.message, result) = (status, code, message, [])
  }

  package init(_ error: LedgerError) {
    self.init(status: error.status.rawValue, code: error.code, message: error.message)
  }

  package var succeeded: Bool { status == 0 }

  /// The leaf in a block's transaction tree: id, status, code and result.
  ///
  /// The sentence has no part in it, so that rewording one in a new build does not split the network.
  package func leaf(of transaction: Digest) -> [UInt8] {
    var writer = CanonicalWriter(capacity: 64 + result.count)
    writer.raw(transaction.bytes)
    writer.integer(status)
    writer.slice16(code.utf8.prefix(Int(UInt16.max)))
    writer.slice32(result)
    return writer.bytes
  }
}

/// Where a transaction ended up.
package struct Receipt: Hashable, Sendable {
  package let transaction: Digest
  package let height: Height
  /// The place in the block, from 0.
  package let index: Int
  package let outcome: Outcome

  package init(transaction: Digest, height: Height, index: Int, outcome: Outcome) {
    self.transaction = transaction
    self.height = height
    self.index = index
    self.outcome = outcome
  }
}
