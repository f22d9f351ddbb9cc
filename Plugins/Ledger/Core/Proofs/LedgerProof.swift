import Canonical

/// Something that is true of one block of one network, with everything that a stranger needs to check it.
package struct LedgerProof: Hashable, Sendable {
  /// What a proof file may have.
  package static let mostBytes = 1 << 20

  /// What is true.
  package enum Statement: Hashable, Sendable {
    case transaction(TransactionProof)
    case state(StateProof)
  }

  /// Which network: its hash is the chain id in the header, so nobody can exchange its authority.
  package let genesis: Genesis
  /// The block's head, as it was signed.
  package let header: [UInt8]
  /// The proposer's; empty for block 0, which follows from the genesis.
  package let signature: [UInt8]
  package let statement: Statement

  package init(genesis: Genesis, header: [UInt8], signature: [UInt8], statement: Statement) {
    self.genesis = genesis
    self.header = header
    self.signature = signature
    self.statement = statement
  }

  /// Checks all of it with nothing else at hand.
  ///
  /// - Returns: the block's head.
  /// - Throws: `proof_failed`, which names the first thing that does not hold.
  @discardableResult
  package func check() throws(LedgerError) -> BlockHeader {
    guard let head = BlockHeader(header) else { throw Self.failed("the block's head cannot be read") }
    guard head.chain == genesis.chain else {
      throw Self.failed("the block is of chain \(head.chain), and network, authority and supply give \(genesis.chain)")
    }
    guard head.proposer == genesis.authority else {
      throw Self.failed("the block is by \(head.proposer), not by the network's authority \(genesis.authority)")
    }
    let isSigned = head.height == .genesis || Ed25519.isValid(signature, of: header, by: head.proposer.bytes)
    guard isSigned else { throw Self.failed("the authority did not sign the block's head") }
    switch statement {
    case .transaction(let proof):
      guard try proof.root() == head.transactionRoot, proof.path.count == Int(head.transactionCount) else {
        throw Self.failed("the path from the transaction does not lead to the block's transaction root")
      }
    case .state(let proof):
      guard head.version >= 2 else { throw Self.failed("a block of version 1 proves nothing of the state") }
      guard proof.root == head.stateRoot else {
        throw Self.failed("the path from the key does not lead to the block's state root")
      }
    }
    return head
  }

  private static func failed(_ what: String) -> LedgerError {
    LedgerError(
      .failedPrecondition, "proof_failed",
      "This proves nothing: \(what). The file was changed, or whoever made it is wrong: ask for it again.")
  }
}
