import Canonical
import LedgerCore
import PluginKit

// MARK: - Proofs

extension LedgerLayer {
  static let offline = [
    OfflineMethod(
      "verify",
      members: [
        .init("proof", .document, "What `symbolon ledger prove` printed", required: true, positional: true)
      ])
  ]

  /// Proves one of a transaction, an account, and a key of a namespace.
  func prove(_ transaction: [UInt8], _ account: [UInt8], _ namespace: String, _ key: [UInt8]) throws -> ProofFile {
    let node = try node()
    switch (transaction.isEmpty, account.isEmpty, namespace.isEmpty) {
    case (false, true, true):
      guard let id = Digest(bytes: transaction) else {
        throw Failure(.invalidArgument, "invalid_id", "A transaction's id has 32 bytes, not \(transaction.count).")
      }
      return ProofFile(try asFailure { () throws(LedgerError) in try node.prove(transaction: id) })
    case (true, false, true):
      let key = LedgerKey.account(try accountID(account, "account"))
      return ProofFile(try asFailure { () throws(LedgerError) in try node.prove(.ledger, key: key) })
    case (true, true, false):
      return ProofFile(try asFailure { () throws(LedgerError) in try node.prove(Namespace(namespace), key: key) })
    default:
      throw Failure(
        .invalidArgument, "nothing_to_prove",
        "Name one thing to prove: a `transaction`, an `account`, or a `namespace` with a `key`.")
    }
  }

  /// Checks a proof; needs nothing of this node.
  func verify(_ request: JSON) throws -> ProvenView {
    struct Request: Decodable { let proof: ProofFile }
    guard request.text.utf8.count <= LedgerProof.mostBytes else {
      throw Failure(
        .invalidArgument, "malformed_proof",
        "A proof has at most \(LedgerProof.mostBytes) bytes: this is something else.")
    }
    let file: ProofFile
    do { file = try request.decode(Request.self).proof } catch {
      throw Failure(.invalidArgument, "malformed_proof", "This is no proof of a ledger: \(error.message)")
    }
    return try asFailure { () throws(LedgerError) in try ProvenView(checking: try file.proof()) }
  }
}
