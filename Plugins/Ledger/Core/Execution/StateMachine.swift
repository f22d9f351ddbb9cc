import Canonical

/// The rules: which block follows from a state, transactions and a time.
///
/// Pure apart from reading the given state.
package struct StateMachine: Sendable {
  package let genesis: Genesis
  package let chain: Digest
  package let limits: Limits
  package let runner: any TransitionRunner

  package init(genesis: Genesis, limits: Limits = Limits(), runner: any TransitionRunner = NoTransitions()) {
    self.genesis = genesis
    chain = genesis.chain
    self.limits = limits
    self.runner = runner
  }

  /// Block 0: the whole supply goes from `@issuance` to the authority.
  package func genesisBlock() throws(LedgerError) -> ExecutedBlock {
    let execution = BlockExecution(
      self, on: EmptyState(), height: .genesis, previous: .zero, timeMilliseconds: 0, proposer: genesis.authority)
    try execution.issue(genesis.supply, to: genesis.authority)
    return try execution.finish()
  }

  /// Executes a block that exists and compares it with its header.
  ///
  /// - Throws: `block_mismatch`, which names what differs; or why a transaction could not be executed here, in which
  ///   case this node stops at this block.
  package func apply(
    _ header: BlockHeader, _ transactions: [SignedTransaction], to state: any StateReader
  ) throws(LedgerError) -> ExecutedBlock {
    let execution = BlockExecution(
      self, on: state, height: header.height, previous: header.previous, timeMilliseconds: header.timeMilliseconds,
      proposer: header.proposer)
    for transaction in transactions { _ = try execution.add(transaction) }
    let block = try execution.finish()
    guard block.header == header else {
      let parts: [(String, Bool)] = [
        ("transaction root", block.header.transactionRoot == header.transactionRoot),
        ("event root", block.header.eventRoot == header.eventRoot),
        ("layers", block.header.layerRoot == header.layerRoot),
        ("state root", block.header.stateRoot == header.stateRoot),
        ("chain", block.header.chain == header.chain),
        ("transaction count", block.header.transactionCount == header.transactionCount),
      ]
      let different = parts.filter { !$0.1 }.map(\.0).joined(separator: ", ")
      throw LedgerError(
        .dataLoss, "block_mismatch",
        "Block \(header.height) does not follow from its transactions: \(different).")
    }
    return block
  }
}

/// A state with nothing in it.
package struct EmptyState: StateReader {
  package init() {}
  package func value(_ namespace: Namespace, _ key: [UInt8]) -> [UInt8]? { nil }
  package func range(_ namespace: Namespace, prefix: [UInt8], after: [UInt8], limit: Int) -> [StateEntry] { [] }
  package func trees() -> [Namespace: StateTree] { [:] }
}
