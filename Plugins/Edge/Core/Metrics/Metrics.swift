import Synchronization

/// Counts what the edge does; rendered for Prometheus by `Metrics+Text.swift`.
package final class Metrics: Sendable {
  /// Upper bounds of the latency histogram, seconds.
  package static let bounds: [Double] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
  ]

  /// Why the edge itself refuses a request.
  package static let refusals: Set<String> = [
    "body_too_large", "request_timeout", "headers_too_large", "malformed_http", "malformed_json", "uri_too_long",
    "host_missing", "two_hosts", "transfer_encoding", "host_not_allowed", "origin_not_allowed", "unknown_path",
    "method_not_allowed", "unknown_method",
    "needs_operator", "needs_transaction", "token_scope", "token_reserved", "token_expired", "token_unknown",
    "saturated", "connections_full", "bodies_full", "call_timeout", "head_timeout", "slow_reader",
    "unsupported_media_type",
  ]

  /// What one route did.
  package struct Route: Sendable {
    package var byStatus: [Int: UInt64] = [:]
    /// Not cumulative; the last is everything above the bounds.
    package var buckets = [UInt64](repeating: 0, count: Metrics.bounds.count + 1)
    package var seconds = 0.0
  }

  package struct State: Sendable {
    /// By verb and pattern; both come from tables, never from clients.
    package var routes: [RouteKey: Route] = [:]
    package var inFlight = 0
    package var connections = 0
    package var bytesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0
    package var saturated: UInt64 = 0
    package var disconnects: UInt64 = 0
    /// By code, of `Metrics.refusals` only.
    package var refused: [String: UInt64] = [:]
  }

  package struct RouteKey: Sendable, Hashable {
    package var verb: String
    package var pattern: String
  }

  private let state = Mutex(State())
  /// When this edge was started.
  package let started: ContinuousClock.Instant = .now

  package init() {}

  package func snapshot() -> State { state.withLock { $0 } }

  package func requestBegan() { state.withLock { $0.inFlight += 1 } }

  package func requestEnded(_ key: RouteKey, status: Int, took: Duration, received: Int, sent: Int) {
    let seconds = took / .seconds(1)
    let bucket = Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count
    state.withLock { state in
      state.inFlight -= 1
      state.bytesReceived += UInt64(received)
      state.bytesSent += UInt64(sent)
      state.routes[key, default: Route()].byStatus[status, default: 0] += 1
      state.routes[key, default: Route()].buckets[bucket] += 1
      state.routes[key, default: Route()].seconds += seconds
    }
  }

  package func connectionOpened() { state.withLock { $0.connections += 1 } }
  package func connectionClosed() { state.withLock { $0.connections -= 1 } }
  package func wasSaturated() { state.withLock { $0.saturated += 1 } }
  /// Counts a refusal of the edge's own; codes of layers, which nobody bounds, are not counted here.
  package func refused(_ code: String) {
    guard Self.refusals.contains(code) else { return }
    state.withLock { $0.refused[code, default: 0] += 1 }
  }

  package func clientLeft() { state.withLock { $0.disconnects += 1 } }
}
