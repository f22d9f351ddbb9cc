import NIOCore
import Synchronization

/// What the two sides of a connection, the channel's handler and the responder, know of each other.
package final class Connection: Sendable {
  private struct State {
    var requestsBegun = 0
    var requestsReceived = 0
    var current: Cancellation?
    var isGone = false
    var lastResponse: Int?
    var timedOut = false
    var isMalformed = false
    var waitsSince: NIODeadline? = .now()
  }

  private let state = Mutex(State())

  package init() {}

  /// The responder takes up the next request; returns its number.
  func begin(_ cancellation: Cancellation) -> Int {
    let (number, isGone) = state.withLock { state in
      state.requestsBegun += 1
      state.current = cancellation
      return (state.requestsBegun, state.isGone)
    }
    if isGone { cancellation.cancel() }
    return number
  }

  /// The responder is done with its request.
  func end() { state.withLock { $0.current = nil } }

  /// The handler saw the end of a request.
  func requestReceived() {
    state.withLock { state in
      state.requestsReceived += 1
      state.waitsSince = nil
    }
  }

  /// The handler wrote the end of the last response that is owed: it is the client's turn again.
  func responseEnded() { state.withLock { $0.waitsSince = .now() } }

  /// Since when the node waits for this client's next request to be whole; nil while it owes an answer.
  var waitsSince: NIODeadline? { state.withLock { $0.waitsSince } }

  /// True when the body of this request has come to its end, not merely stopped.
  func isReceived(_ number: Int) -> Bool { state.withLock { $0.requestsReceived >= number } }

  /// The client closed its side: whatever runs for it is cancelled.
  func clientLeft() {
    let current = state.withLock { state -> Cancellation? in
      state.isGone = true
      return state.current
    }
    current?.cancel()
  }

  /// True once the client has closed its side.
  var isGone: Bool { state.withLock { $0.isGone } }

  /// The connection ends with the response of this number, or an earlier one that was said before.
  ///
  /// A number, because responses still wait to be written while the next request is looked at.
  func close(afterResponse number: Int) {
    state.withLock { $0.lastResponse = min($0.lastResponse ?? number, number) }
  }

  /// True when no response follows the one of this number.
  func ends(withResponse number: Int) -> Bool { state.withLock { $0.lastResponse.map { number >= $0 } ?? false } }

  /// What the client sent stopped being HTTP within a body.
  var isMalformed: Bool {
    get { state.withLock { $0.isMalformed } }
    set { state.withLock { $0.isMalformed = newValue } }
  }

  /// The client took too long to send its request.
  var timedOut: Bool {
    get { state.withLock { $0.timedOut } }
    set { state.withLock { $0.timedOut = newValue } }
  }
}
