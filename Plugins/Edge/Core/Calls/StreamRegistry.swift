import NIOCore
import Synchronization

/// The streams that run, so that one whose client takes nothing makes room when somebody else needs its thread.
package final class StreamRegistry: Sendable {
  private struct Running: Sendable {
    var bridge: MessageBridge
    var cut: @Sendable () -> Void
  }

  private let running = Mutex<[ObjectIdentifier: Running]>([:])

  private let patience: TimeAmount

  /// - Parameter patience: a client that takes nothing for this long is slow.
  package init(patience: TimeAmount) { self.patience = patience }

  /// The streams whose method waits for its client now.
  package var stalled: Int { running.withLock { $0.values.count { $0.bridge.stalledSince != nil } } }

  /// - Parameter cut: ends the client's connection.
  package func add(_ bridge: MessageBridge, cut: @escaping @Sendable () -> Void) {
    running.withLock { $0[ObjectIdentifier(bridge)] = Running(bridge: bridge, cut: cut) }
  }

  package func remove(_ bridge: MessageBridge) {
    running.withLock { $0[ObjectIdentifier(bridge)] = nil }
  }

  /// Ends the stream whose method has waited longest for its client; false when no client is slow.
  package func endSlowest() -> Bool { slow().first.map(end) ?? false }

  /// Ends the streams that have waited longest until no more than `limit` clients are slow; returns how many it ended.
  package func endSlow(above limit: Int) -> Int { slow().dropLast(limit).count(where: end) }

  /// The streams whose clients are slow, the slowest first.
  private func slow() -> [Running] {
    let now = NIODeadline.now()
    return running.withLock { Array($0.values) }
      .compactMap { stream in stream.bridge.stalledSince.map { (stream: stream, since: $0) } }
      .filter { now - $0.since >= patience }
      .sorted { $0.since < $1.since }
      .map(\.stream)
  }

  private func end(_ slowest: Running) -> Bool {
    let failure = EdgeFailure(
      .resourceExhausted, "slow_reader", "The client took nothing for too long while others waited for its place.")
    guard slowest.bridge.expire(failure, evenAfterFirstMessage: true) else { return false }
    slowest.cut()
    return true
  }
}
