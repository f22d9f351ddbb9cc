import Canonical

extension LedgerNode {
  /// Proves that a committed transaction is in its block, with what it came to.
  package func prove(transaction id: Digest) throws(LedgerError) -> LedgerProof {
    guard let (_, receipt) = try store.transaction(id), let block = try store.block(at: receipt.height),
      let proof = TransactionProof(block, index: receipt.index)
    else {
      throw LedgerError(
        .notFound, "unknown_transaction",
        "No committed transaction has the id \(id): it was not submitted here, or it was refused.")
    }
    return LedgerProof(
      genesis: machine.genesis, header: block.header.bytes, signature: block.signature, statement: .transaction(proof))
  }

  /// Proves what a key holds after the newest block, or that it holds nothing.
  package func prove(_ namespace: Namespace, key: [UInt8]) throws(LedgerError) -> LedgerProof {
    // A block may be committed between the reading of the value and that of the tree: then they are read again.
    for _ in 0..<64 {
      let value = try store.value(namespace, key: key)
      let (head, trees) = store.snapshot
      let proof = StateProof(trees, namespace, key: key, value: value)
      guard proof.root == head.header.stateRoot, let block = try store.block(at: head.header.height) else {
        guard head.header.version >= 2 else {
          throw LedgerError(
            .failedPrecondition, "no_proof_yet",
            "The newest block is of a version that proves nothing of the state: submit any transaction first.")
        }
        continue
      }
      return LedgerProof(
        genesis: machine.genesis, header: head.header.bytes, signature: block.signature, statement: .state(proof))
    }
    throw LedgerError(.aborted, "contended", "Blocks follow each other too fast for a proof: try again.")
  }
}
