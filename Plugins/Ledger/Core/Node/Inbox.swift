import Dispatch
import Synchronization

/// Transactions that wait for the writer, and what else may wake it.
final class Inbox: Sendable {
  /// A transaction and whoever waits for its receipt.
  struct Pending: Sendable {
    let transaction: SignedTransaction
    let reply: @Sendable (Result<Receipt, LedgerError>) -> Void
  }

  private struct Contents {
    var waiting: [Pending] = []
    var wakeUntil: Height
    var isStopping = false
    var isSignalled = false
  }

  private let contents: Mutex<Contents>
  private let signal = DispatchSemaphore(value: 0)
  private let capacity: Int

  init(wakeUntil: Height, capacity: Int) {
    contents = Mutex(Contents(wakeUntil: wakeUntil))
    self.capacity = capacity
  }

  /// - Throws: `busy`, or `stopping`.
  func add(_ pending: Pending) throws(LedgerError) {
    let refusal = contents.withLock { contents -> LedgerError? in
      guard !contents.isStopping else { return .stopping }
      guard contents.waiting.count < capacity else {
        return LedgerError(
          .resourceExhausted, "busy", "\(capacity) transactions wait already: submit again in a moment.")
      }
      contents.waiting.append(pending)
      return nil
    }
    if let refusal { throw refusal }
    wakeUp()
  }

  func wake(until height: Height) {
    contents.withLock { $0.wakeUntil = max($0.wakeUntil, height) }
    wakeUp()
  }

  func stop() {
    contents.withLock { $0.isStopping = true }
    wakeUp()
  }

  var wakeUntil: Height { contents.withLock(\.wakeUntil) }

  /// Takes everything that waits; nil when the writer shall end.
  func take(limit: Int) -> [Pending]? {
    contents.withLock { contents in
      contents.isSignalled = false
      if contents.waiting.isEmpty { return contents.isStopping ? nil : [] }
      if contents.waiting.count <= limit {
        defer { contents.waiting = [] }
        return contents.waiting
      }
      let batch = Array(contents.waiting.prefix(limit))
      contents.waiting.removeFirst(limit)
      return batch
    }
  }

  /// Gives back what did not fit into a block; it comes first in the next one.
  func putBack(_ rest: ArraySlice<Pending>) {
    guard !rest.isEmpty else { return }
    contents.withLock { $0.waiting.insert(contentsOf: rest, at: 0) }
    wakeUp()
  }

  /// Blocks until something arrives or the time is over.
  func wait(milliseconds: Int?) {
    guard let milliseconds else { return signal.wait() }
    _ = signal.wait(timeout: .now() + .milliseconds(milliseconds))
  }

  private func wakeUp() {
    let isNew = contents.withLock { contents in
      defer { contents.isSignalled = true }
      return !contents.isSignalled
    }
    if isNew { signal.signal() }
  }
}

extension LedgerError {
  static let stopping = LedgerError(
    .unavailable, "stopping", "The ledger is stopping: submit again when the node is back.")
}
