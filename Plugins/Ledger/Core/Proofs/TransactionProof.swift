import Canonical

/// That a transaction is in a block, with what it came to.
package struct TransactionProof: Hashable, Sendable {
  /// Body and signature.
  package let transaction: [UInt8]
  package let status: UInt32
  package let code: String
  package let result: [UInt8]
  package let path: AuditPath

  package init(transaction: [UInt8], status: UInt32, code: String, result: [UInt8], path: AuditPath) {
    self.transaction = transaction
    self.status = status
    self.code = code
    self.result = result
    self.path = path
  }

  /// The transaction root that follows; nil when the proof contradicts itself.
  package func root() throws(LedgerError) -> Digest? {
    let signed = try SignedTransaction(verifying: transaction, limit: LedgerProof.mostBytes)
    var outcome = Outcome(status: status, code: code, message: "")
    outcome.result = result
    return path.root(from: outcome.leaf(of: signed.id))
  }

  /// What a stored block proves of its transaction at a place; nil when there is none.
  package init?(_ block: StoredBlock, index: Int) {
    let leaves = block.receipts.map { $0.outcome.leaf(of: $0.transaction) }
    guard let path = AuditPath(of: index, in: leaves) else { return nil }
    let outcome = block.receipts[index].outcome
    self.init(
      transaction: block.transactions[index].bytes, status: outcome.status, code: outcome.code, result: outcome.result,
      path: path)
  }
}
