import Canonical
import Synchronization

/// A block in the making: takes transactions one after the other, on one thread, and becomes an `ExecutedBlock`.
package final class BlockExecution {
  private static let handles = Atomic<UInt64>(0)

  package let workspace: Workspace
  package private(set) var receipts: [Receipt] = []
  package private(set) var bytes = 0
  private let machine: StateMachine
  private let base: any StateReader
  private let previous: Digest
  private let timeMilliseconds: UInt64
  private let proposer: AccountID
  private var transactions: [SignedTransaction] = []
  private var places: [Digest: Int] = [:]
  private var layers: Set<LayerVersion> = []

  package init(
    _ machine: StateMachine, on base: any StateReader, height: Height, previous: Digest, timeMilliseconds: UInt64,
    proposer: AccountID
  ) {
    self.machine = machine
    self.base = base
    self.previous = previous
    self.timeMilliseconds = timeMilliseconds
    self.proposer = proposer
    workspace = Workspace(base, height: height, limits: machine.limits)
  }

  private var height: Height { workspace.height }

  /// The receipt of a transaction that this block already holds.
  package func receipt(of id: Digest) -> Receipt? { places[id].map { receipts[$0] } }

  /// True when the block can take no more of this size.
  package func isFull(for transaction: SignedTransaction) -> Bool {
    transactions.count >= machine.limits.blockTransactions
      || (bytes + transaction.bytes.count > machine.limits.blockBytes && !transactions.isEmpty)
  }

  /// Executes a transaction whose signature is known to be valid.
  ///
  /// - Returns: its receipt, also when the method refused.
  /// - Throws: why it cannot be in this block at all; then it has left no trace.
  package func add(_ transaction: SignedTransaction) throws(LedgerError) -> Receipt {
    let body = transaction.body
    try admit(body)
    let kind = body.method == BuiltIn.transfer ? .transition : try machine.runner.kind(of: body.method)
    guard kind == .transition else { throw .refused(body.method, kind) }
    let layer = LayerVersion(
      namespace: Namespace(body.layer), library: try machine.runner.version(of: body.method))
    let entry = workspace.contents.withLock { $0.overlay.savepoint }
    try advanceSequence(of: body)
    let outcome: Outcome
    do throws(LedgerError) {
      outcome = try execute(body)
    } catch {
      workspace.contents.withLock { $0.overlay.rollBack(to: entry) }
      throw error
    }
    let receipt = Receipt(transaction: transaction.id, height: height, index: receipts.count, outcome: outcome)
    places[transaction.id] = receipts.count
    layers.insert(layer)
    receipts.append(receipt)
    transactions.append(transaction)
    bytes += transaction.bytes.count
    return receipt
  }

  /// Makes new credits; genesis only.
  package func issue(_ amount: Amount, to account: AccountID) throws(LedgerError) {
    precondition(height == .genesis, "credits are issued in genesis only")
    let result = workspace.contents.withLock { contents -> Result<Void, LedgerError> in
      Result { () throws(LedgerError) in
        var issuance = Account()
        issuance.owner = .ledger
        contents.overlay.set(.ledger, LedgerKey.account(.issuance), to: issuance.bytes)
        try contents.move(from: .issuance, to: account, amount, in: 0)
      }
    }
    try result.get()
  }

  /// Closes the block: roots, header, hash.
  package func finish() throws(LedgerError) -> ExecutedBlock {
    let (changes, movements, events) = workspace.contents.withLock {
      ($0.overlay.changes, $0.movements, $0.events)
    }
    var all = try base.trees()
    var trees: [Namespace: StateTree] = [:]
    for changed in changes {
      let tree = (all[changed.namespace] ?? StateTree()).applying(changed.treeChanges)
      trees[changed.namespace] = tree
      all[changed.namespace] = tree
    }
    let layers = layers.sorted()
    let header = BlockHeader(
      chain: machine.chain, height: height, previous: previous, timeMilliseconds: timeMilliseconds,
      transactionCount: UInt32(transactions.count),
      transactionRoot: MerkleTree.root(of: receipts.map { $0.outcome.leaf(of: $0.transaction) }),
      eventRoot: MerkleTree.root(of: events.map(\.leaf)), layerRoot: MerkleTree.root(of: layers.map(\.leaf)),
      stateRoot: StateRoot(all).digest, proposer: proposer)
    return ExecutedBlock(
      header: header, hash: header.hash, transactions: transactions, receipts: receipts, changes: changes,
      layers: layers, trees: trees, movements: movements, events: events)
  }

  private func admit(_ body: TransactionBody) throws(LedgerError) {
    guard body.chain == machine.chain else {
      throw LedgerError(
        .failedPrecondition, "wrong_chain",
        "The transaction is for chain \(body.chain), this is chain \(machine.chain) (network "
          + "\(machine.genesis.network)): prepare it again here.")
    }
    guard body.validUntil >= height else {
      throw LedgerError(
        .failedPrecondition, "expired",
        "The transaction was valid until block \(body.validUntil) and the next block is \(height): prepare it again.")
    }
    guard body.validUntil <= height.advanced(by: machine.limits.validityBlocks) else {
      throw LedgerError(
        .invalidArgument, "validity_too_long",
        "A transaction is valid for at most \(machine.limits.validityBlocks) blocks; block \(height) is the next one "
          + "and this one asks for \(body.validUntil).")
    }
  }

  /// Uses the transaction's place in its lane; a method's refusal does not give it back.
  private func advanceSequence(of body: TransactionBody) throws(LedgerError) {
    let result = workspace.contents.withLock { contents -> Result<Void, LedgerError> in
      Result { () throws(LedgerError) in
        let expected = try contents.nextSequence(of: body.sender, body.lane)
        guard body.sequence == expected else { throw .sequence(body.sequence, expected: expected) }
        guard let next = expected.next else {
          throw LedgerError(.resourceExhausted, "lane_used_up", "This lane has no sequence left: use another lane.")
        }
        try contents.setNextSequence(of: body.sender, body.lane, next)
      }
    }
    try result.get()
  }

  /// Runs the method in a savepoint of its own.
  private func execute(_ body: TransactionBody) throws(LedgerError) -> Outcome {
    let handle = Self.handles.add(1, ordering: .relaxed).newValue
    let layer = Namespace(body.layer)
    let index = receipts.count
    let limits = machine.limits
    let before = workspace.contents.withLock { contents in
      contents.running = Workspace.Running(
        handle: handle, index: index, sender: body.sender, layer: layer, meter: Meter(limits), fault: nil)
      return (savepoint: contents.overlay.savepoint, movements: contents.movements.count, events: contents.events.count)
    }
    let context = TransactionContext(workspace, handle: handle)
    let run =
      body.method == BuiltIn.transfer
      ? BuiltIn.transfer(body.arguments, in: context)
      : machine.runner.run(body.method, arguments: body.arguments, in: context)
    return try workspace.contents.withLock { contents -> Result<Outcome, LedgerError> in
      let fault = contents.running?.fault
      contents.running = nil
      let outcome: Outcome?
      switch (fault, run) {
      case (let fault?, _): outcome = fault.isOfThisNode ? nil : Outcome(fault)
      case (nil, .finished(let finished)): outcome = finished
      case (nil, .unable): outcome = nil
      }
      if outcome?.succeeded != true {
        contents.overlay.rollBack(to: before.savepoint)
        contents.movements.removeSubrange(before.movements...)
        contents.events.removeSubrange(before.events...)
      }
      if let outcome { return .success(outcome) }
      if case .unable(let error) = run, fault == nil { return .failure(error) }
      return .failure(fault ?? LedgerError(.internal, "internal", "The transaction ended in no state at all."))
    }.get()
  }
}

extension Workspace.Contents {
  package mutating func nextSequence(of id: AccountID, _ lane: Lane) throws(LedgerError) -> Sequence {
    if lane == .main { return try account(id)?.next ?? Sequence(0) }
    guard let bytes = try overlay.value(.ledger, LedgerKey.lane(lane, of: id)) else { return Sequence(0) }
    var reader = CanonicalReader(bytes)
    guard let value = reader.integer(UInt64.self) else { throw .corrupt("a lane of account \(id) cannot be read") }
    return Sequence(value)
  }

  fileprivate mutating func setNextSequence(
    of id: AccountID, _ lane: Lane, _ next: Sequence
  ) throws(LedgerError) {
    if lane == .main {
      var account = try account(id) ?? Account()
      account.next = next
      overlay.set(.ledger, LedgerKey.account(id), to: account.bytes)
    } else {
      var writer = CanonicalWriter(capacity: 8)
      writer.integer(next.value)
      overlay.set(.ledger, LedgerKey.lane(lane, of: id), to: writer.bytes)
    }
  }
}

extension LedgerError {
  fileprivate static func refused(_ method: String, _ kind: MethodKind) -> LedgerError {
    kind == .unknown
      ? LedgerError(
        .notFound, "unknown_method",
        "No layer on this node offers \(method): check the name, or load the layer in plugins.conf.")
      : LedgerError(
        .invalidArgument, "not_a_transition",
        "\(method) does not change the ledger, so it is called directly and not in a transaction.")
  }

  fileprivate static func sequence(_ given: Sequence, expected: Sequence) -> LedgerError {
    given < expected
      ? LedgerError(
        .failedPrecondition, "stale_sequence",
        "Sequence \(given) was used already, the account's next is \(expected): prepare the transaction again.")
      : LedgerError(
        .failedPrecondition, "sequence_gap",
        "Sequence \(given) leaves a gap, the account's next is \(expected): submit the earlier transactions first.")
  }
}

/// The transition that the ledger offers itself, run without a detour through the host.
package enum BuiltIn {
  package static let transfer = "ledger.transfer"

  /// `transfer(to: bytes, amount: u64)`.
  package static func transferArguments(to: AccountID, _ amount: Amount) -> [UInt8] {
    var writer = CanonicalWriter(capacity: 44)
    writer.slice32(to.bytes)
    writer.integer(amount.credits)
    return writer.bytes
  }

  static func transfer(_ arguments: [UInt8], in context: TransactionContext) -> Run {
    var reader = CanonicalReader(arguments)
    guard let to = reader.slice32().flatMap(AccountID.init), let amount = reader.integer(UInt64.self), reader.isAtEnd
    else {
      return .finished(
        Outcome(
          status: LedgerError.Status.invalidArgument.rawValue, code: "invalid_arguments",
          message: "ledger.transfer takes `to`, an account of 32 bytes, and `amount`, a u64."))
    }
    do throws(LedgerError) {
      try context.transfer(to: to, Amount(amount))
      return .finished(Outcome())
    } catch {
      return error.isOfThisNode ? .unable(error) : .finished(Outcome(error))
    }
  }
}
