import Dispatch
import Foundation
import Synchronization

/// The embedded driver: one writer thread makes a block of whatever waits, stores it, and only then answers.
package final class LedgerNode: Sendable {
  /// How this node runs; nothing here changes what a block means.
  package struct Options: Sendable {
    /// Between blocks that hold nothing.
    package var blockIntervalMilliseconds = 1000
    package var queueCapacity = 16_384
    /// How far ahead `prepare` sets a transaction's validity.
    package var validityBlocks: UInt64 = 1000

    package init() {}
  }

  package let store: Store
  package let machine: StateMachine
  package let signer: any Signer
  let options: Options
  private let clock: @Sendable () -> UInt64
  private let observe: @Sendable (ExecutedBlock) -> Void
  private let report: @Sendable (LedgerError) -> Void
  private let inbox: Inbox
  private let running = Mutex<Workspace?>(nil)
  private let ended = DispatchSemaphore(value: 0)
  private let isStarted = Mutex(false)
  /// The writer's `pthread_self()`; 0 before it runs.
  private let writer = Atomic<UInt>(0)
  private let acting = Mutex(())
  private let observers = DispatchQueue(label: "symbolon.ledger.blocks")

  /// - Parameters:
  ///   - clock: Unix time in milliseconds.
  ///   - observe: called after each commit, in order, on a thread of its own.
  ///   - report: called with what kept a block from being stored.
  package init(
    store: Store, machine: StateMachine, signer: any Signer, options: Options = Options(),
    clock: @escaping @Sendable () -> UInt64, observe: @escaping @Sendable (ExecutedBlock) -> Void = { _ in },
    report: @escaping @Sendable (LedgerError) -> Void = { _ in }
  ) throws(LedgerError) {
    self.store = store
    self.machine = machine
    self.signer = signer
    self.options = options
    self.clock = clock
    self.observe = observe
    self.report = report
    inbox = Inbox(wakeUntil: try store.wakeUntil(), capacity: options.queueCapacity)
  }

  package func start() {
    let isFirst = isStarted.withLock { started in
      defer { started = true }
      return !started
    }
    guard isFirst else { return }
    let thread = Thread { [self] in
      writeBlocks()
      ended.signal()
    }
    thread.name = "symbolon.ledger"
    thread.stackSize = 8 << 20
    thread.start()
  }

  /// Finishes what waits, ends the writer and closes the database.
  package func stop() {
    inbox.stop()
    let wasStarted = isStarted.withLock { started in
      defer { started = false }
      return started
    }
    if wasStarted { ended.wait() }
    observers.sync {}
    store.close()
  }

  private static var thread: UInt { UInt(pthread_self()) }

  /// Checks a signed transaction, waits until it is in a committed block and returns its receipt.
  ///
  /// Submitting a committed transaction again returns the first receipt.
  package func submit(_ bytes: [UInt8]) throws(LedgerError) -> Receipt {
    let transaction = try SignedTransaction(verifying: bytes, limit: machine.limits.transactionBytes)
    guard writer.load(ordering: .relaxed) != Self.thread else {
      throw LedgerError(
        .failedPrecondition, "in_transaction",
        "A transition cannot wait for another transaction: use ledger.put and ledger.move instead.")
    }
    let answer = Mutex<Result<Receipt, LedgerError>>(.failure(.stopping))
    let done = DispatchSemaphore(value: 0)
    try enqueue(transaction) { result in
      answer.withLock { $0 = result }
      done.signal()
    }
    done.wait()
    return try answer.withLock { $0 }.get()
  }

  /// Like `submit`, for a transaction whose signature is known to be valid; `reply` comes on the writer's thread.
  package func enqueue(
    _ transaction: SignedTransaction, reply: @escaping @Sendable (Result<Receipt, LedgerError>) -> Void
  ) throws(LedgerError) {
    try inbox.add(Inbox.Pending(transaction: transaction, reply: reply))
  }

  /// A body with the next sequence of the sender's main lane, ready to sign.
  package func prepare(
    _ method: String, arguments: [UInt8], sender: AccountID
  ) throws(LedgerError) -> TransactionBody {
    TransactionBody(
      chain: machine.chain, sender: sender, sequence: try store.account(sender)?.next ?? Sequence(0),
      validUntil: store.head.header.height.advanced(by: options.validityBlocks), method: method, arguments: arguments)
  }

  /// Signs a call with this node's own key and waits for its receipt.
  package func act(_ method: String, arguments: [UInt8]) throws(LedgerError) -> Receipt {
    for _ in 0..<8 {
      do throws(LedgerError) {
        return try actOnce(method, arguments)
      } catch  where error.code == "stale_sequence" || error.code == "sequence_gap" {
        continue  // Somebody else signed with the node's key meanwhile.
      }
    }
    throw LedgerError(
      .aborted, "contended", "Others keep signing with this node's key: try again, or give them keys of their own.")
  }

  /// Makes blocks at the block interval until this height, traffic or not.
  package func wake(until height: Height) throws(LedgerError) {
    guard height <= store.head.header.height.advanced(by: 1_000_000) else {
      throw LedgerError(.invalidArgument, "too_far", "Blocks can be asked for up to 1000000 ahead.")
    }
    inbox.wake(until: height)
  }

  /// The transaction that a call says it runs in.
  ///
  /// - Throws: `not_in_transaction` unless a block is being made; each operation checks the handle itself.
  package func transaction(_ handle: UInt64) throws(LedgerError) -> TransactionContext {
    guard handle != 0, let workspace = running.withLock({ $0 }) else { throw .notInTransaction }
    return TransactionContext(workspace, handle: handle)
  }

  private func actOnce(_ method: String, _ arguments: [UInt8]) throws(LedgerError) -> Receipt {
    // Held while waiting: two acts at once would both take the same sequence. The writer never takes this lock.
    try acting.withLock { _ -> Result<Receipt, LedgerError> in
      Result { () throws(LedgerError) in
        let body = try prepare(method, arguments: arguments, sender: signer.account)
        do {
          return try submit(try SignedTransaction(body, signer: signer).bytes)
        } catch {
          throw error as? LedgerError ?? LedgerError(.internal, "not_signed", "This node's key did not sign: \(error)")
        }
      }
    }.get()
  }
}

// MARK: - The writer's thread

extension LedgerNode {
  private func writeBlocks() {
    writer.store(Self.thread, ordering: .relaxed)
    var lastBlock = DispatchTime.now()
    while let batch = inbox.take(limit: machine.limits.blockTransactions) {
      if !batch.isEmpty {
        makeBlock(of: batch)
        lastBlock = .now()
        continue
      }
      guard inbox.wakeUntil > store.head.header.height else {
        inbox.wait(milliseconds: nil)
        continue
      }
      let passed = Int((DispatchTime.now().uptimeNanoseconds - lastBlock.uptimeNanoseconds) / 1_000_000)
      if passed < options.blockIntervalMilliseconds {
        inbox.wait(milliseconds: options.blockIntervalMilliseconds - passed)
      } else {
        makeBlock(of: [])
        lastBlock = .now()
      }
    }
  }

  /// Executes, stores, answers: nobody hears of a receipt before it is on disk.
  private func makeBlock(of batch: [Inbox.Pending]) {
    let head = store.head
    let execution = BlockExecution(
      machine, on: store.state, height: head.header.height.next, previous: head.hash,
      timeMilliseconds: max(clock(), head.header.timeMilliseconds + 1), proposer: signer.account)
    var answers: [(Inbox.Pending, Result<Receipt, LedgerError>)] = []
    answers.reserveCapacity(batch.count)
    running.withLock { $0 = execution.workspace }
    for (index, pending) in batch.enumerated() {
      guard !execution.isFull(for: pending.transaction) else {
        inbox.putBack(batch[index...])
        break
      }
      answers.append((pending, receipt(for: pending.transaction, in: execution)))
    }
    running.withLock { $0 = nil }
    var failure: LedgerError?
    if !execution.receipts.isEmpty || batch.isEmpty {
      do throws(LedgerError) {
        try commit(try execution.finish())
      } catch {
        failure = error
        report(error)
      }
    }
    for (pending, answer) in answers {
      switch (answer, failure) {
      case (.success(let receipt), let failure?) where receipt.height > head.header.height:
        pending.reply(.failure(failure))
      default: pending.reply(answer)
      }
    }
  }

  private func receipt(
    for transaction: SignedTransaction, in execution: BlockExecution
  ) -> Result<Receipt, LedgerError> {
    if let receipt = execution.receipt(of: transaction.id) { return .success(receipt) }
    do throws(LedgerError) {
      return .success(try execution.add(transaction))
    } catch {
      // Only a used sequence or a passed validity can mean that this very transaction is in an earlier block.
      guard error.code == "stale_sequence" || error.code == "expired" else { return .failure(error) }
      do throws(LedgerError) {
        return try store.transaction(transaction.id).map { .success($0.1) } ?? .failure(error)
      } catch {
        return .failure(error)
      }
    }
  }

  private func commit(_ block: ExecutedBlock) throws(LedgerError) {
    let signature: [UInt8]
    do {
      signature = try signer.sign(block.header.bytes)
    } catch {
      throw LedgerError(.internal, "not_signed", "This node's key did not sign block \(block.header.height): \(error)")
    }
    try store.commit(block, signature: signature, wakeUntil: inbox.wakeUntil)
    observers.async { [observe] in observe(block) }
  }
}
