import Glibc
import Logging
import Synchronization

/// Watches a generation that has just begun to serve, while the one before it is kept warm.
final class Probation: @unchecked Sendable {  // Proof: constant but for the mutex; `transaction` is used by its thread.
  let generation: Generation
  /// Nil when the plugin did not run before: then a failure goes back to the last permanent library.
  let transaction: ReloadTransaction?
  private let node: Node
  private let trouble = Mutex<HostError?>(nil)
  /// Fewer calls than this prove nothing.
  private static let leastCalls: UInt64 = 20
  private static let pollMicroseconds: UInt32 = 20_000

  init(_ generation: Generation, _ transaction: ReloadTransaction) {
    self.generation = generation
    self.transaction = transaction
    node = transaction.node
  }

  /// After a start of the node, with nothing to go back to in memory.
  init(_ generation: Generation, node: Node) {
    self.generation = generation
    transaction = nil
    self.node = node
  }

  private var id: String { generation.id }

  /// A crash, or the operator: ends the probation with a rollback.
  func report(_ reason: HostError) { trouble.withLock { if $0 == nil { $0 = reason } } }

  func begin(_ policy: Configuration.ReloadPolicy) {
    node.desk.begin(self, of: id)
    let start = generation.outcomes
    let deadline = MonotonicClock.nanoseconds + policy.probationMs * 1_000_000
    Thread.detach(named: "probation") { [self] in
      defer { node.pruneSoon() }
      while !node.desk.isClosed {
        guard node.layer(id)?.generation === generation else { return supersede() }
        if let reason = trouble.withLock({ $0 }) ?? overspent(since: start, policy) {
          if finish({ goBack(reason) }) { return }
        } else if MonotonicClock.nanoseconds >= deadline, finish({ settle() }) {
          return
        }
        usleep(Self.pollMicroseconds)
      }
    }
  }

  /// Ends the probation as a transaction of its own; false when another one runs.
  private func finish(_ body: () -> Void) -> Bool {
    node.desk.ifFree(id, serve: node.serve) {
      guard node.layer(id)?.generation === generation else { return supersede() }
      body()
    }
  }

  private func overspent(
    since start: (calls: UInt64, errors: UInt64), _ policy: Configuration.ReloadPolicy
  ) -> HostError? {
    let now = generation.outcomes
    let (calls, errors) = (now.calls &- start.calls, now.errors &- start.errors)
    guard calls >= Self.leastCalls, errors * 100 > calls * policy.errorBudgetPercent else { return nil }
    return .refused(
      "error_budget",
      "\(errors) of \(calls) calls failed in its probation, more than \(policy.errorBudgetPercent) per cent.")
  }

  /// Goes back on the thread of a change that holds the desk; plugins.conf names again what it named before.
  func goBackNow(_ reason: HostError) {
    transaction?.configured = transaction?.configuredBefore ?? ""
    goBack(reason)
  }

  private func goBack(_ reason: HostError) {
    node.desk.end(self, of: id)
    guard let transaction, transaction.old != nil else {
      try? node.history.record(id, event(to: .rolledBack, reason: "\(reason.code): \(reason.message)"))
      // The transaction that replaces it needs the desk, which this thread holds.
      let (node, id, message) = (node, id, reason.message)
      Thread.detach(named: "fall-back") { node.fallBack(id, reason: message) }
      transaction?.ticket.end(.rolledBack, reason)
      return
    }
    transaction.perform(transaction.machine.handle(.trouble(reason)))
    guard transaction.machine.hasEnded else {
      node.logger.warning(
        "the rollback waits", metadata: ["plugin": "\(id)", "reason": "\(transaction.machine.reason?.message ?? "")"])
      return
    }
    transaction.ticket.end(transaction.machine.state, transaction.machine.reason)
  }

  private func settle() {
    node.desk.end(self, of: id)
    if let transaction {
      transaction.perform(transaction.machine.handle(.settled))
      transaction.ticket.end(.permanent)
    } else {
      try? node.history.record(id, event(to: .permanent, reason: ""))
    }
    node.logger.info(
      "layer is permanent",
      metadata: [
        "plugin": "\(id)", "version": "\(generation.description.version)", "generation": "\(generation.number)",
      ])
  }

  /// Another reload, or the removal of the plugin, has ended this probation.
  private func supersede() {
    node.desk.end(self, of: id)
    transaction?.retireOld()
    transaction?.ticket.end(
      .stopped, .refused("superseded", "Something else took its place before it was permanent."))
  }

  /// The node stops.
  func letGo() { transaction?.stopWarm() }

  private func event(to state: ReloadState, reason: String) -> PluginHistory.Event {
    PluginHistory.Event(
      sha256: generation.entry.sha256, path: generation.entry.path, version: generation.description.version,
      generation: generation.number, from: .probation, to: state, reason: reason, by: "probation")
  }
}

extension Generation {
  /// Calls and failures of all its methods so far.
  var outcomes: (calls: UInt64, errors: UInt64) {
    methods.values.reduce((0, 0)) { sum, method in
      (
        sum.0 + method.counters.calls.load(ordering: .relaxed), sum.1 + method.counters.errors.load(ordering: .relaxed)
      )
    }
  }
}
