import Dispatch
import NIOCore
import Synchronization

/// Carries messages from a blocking thread to an asynchronous reader, a bounded number of bytes at a time.
///
/// What the reader has not taken waits here, so that a method need not hold its thread for a slow client: some of it in
/// room of the bridge's own, more in memory that all bridges share. When that is taken too the writer blocks, so that a
/// slow client slows the method and never fills the memory.
package final class MessageBridge: Sendable {
  /// What the reader gets.
  package enum Event: Sendable {
    /// What waited longest, in order.
    case messages([[UInt8]])
    /// Nothing came since the last `nudge`.
    case idle
    case finished
    case failed(EdgeFailure)
  }

  private struct State {
    var waiting: [[UInt8]] = []
    var waitingBytes = 0
    /// Bytes of the shared memory.
    var borrowed = 0
    var delivered = 0
    var ending: Event?
    var isAbandoned = false
    var nudged = false
    var blockedWriters = 0
    var stalledSince: NIODeadline?
    var reader: CheckedContinuation<Void, Never>?
    var atEnding: (@Sendable () -> Void)?
  }

  /// Bytes that may always wait, and the most that the reader is given at once.
  private static let own = 256 * 1024
  /// What the array of a message itself costs, so that empty messages count too.
  private static let overhead = 32

  private let limit: Int
  private let memory: ByteBudget
  private let state = Mutex(State())
  private let room = DispatchSemaphore(value: 0)

  /// A single larger message is taken when nothing waits.
  ///
  /// - Parameters:
  ///   - limit: bytes that may wait for the reader.
  ///   - memory: what all bridges have together for what waits beyond the first bytes of each.
  package init(limit: Int, memory: ByteBudget) {
    self.limit = max(limit, Self.own)
    self.memory = memory
  }

  deinit { memory.give(back: state.withLock { $0.borrowed }) }

  /// Since when a writer waits for the reader; nil when none does.
  package var stalledSince: NIODeadline? { state.withLock { $0.ending == nil ? $0.stalledSince : nil } }

  /// Hands a message over; blocks while the reader is behind, throws `cancelled` when the reader has gone away.
  package func write(_ message: [UInt8]) throws(EdgeFailure) {
    while true {
      enum Step { case done, wait, gone }
      let (step, reader) = state.withLock { state -> (Step, CheckedContinuation<Void, Never>?) in
        if state.isAbandoned || state.ending != nil { return (.gone, nil) }
        let size = message.count + Self.overhead
        guard state.waiting.isEmpty || hasRoom(for: size, &state) else {
          state.blockedWriters += 1
          if state.stalledSince == nil { state.stalledSince = .now() }
          return (.wait, nil)
        }
        state.waiting.append(message)
        state.waitingBytes += size
        state.delivered += 1
        return (.done, state.reader.take())
      }
      reader?.resume()
      switch step {
      case .done: return
      case .wait: room.wait()
      case .gone: throw EdgeFailure(.cancelled, "receiver_gone", "The client has gone away: stop.")
      }
    }
  }

  /// True when so many bytes more may wait; borrows what the bridge's own room does not hold.
  private func hasRoom(for size: Int, _ state: inout State) -> Bool {
    let total = state.waitingBytes + size
    let missing = total - Self.own - state.borrowed
    guard missing > 0 else { return true }
    guard total <= limit, memory.take(missing) else { return false }
    state.borrowed += missing
    return true
  }

  /// Gives back what the waiting messages do not need any more.
  private func giveBack(_ state: inout State) {
    let needed = min(state.borrowed, max(0, state.waitingBytes - Self.own))
    memory.give(back: state.borrowed - needed)
    state.borrowed = needed
  }

  /// Ends the stream after what was written; only the first ending counts.
  package func finish(_ failure: EdgeFailure? = nil) {
    wake { state in
      guard state.ending == nil else { return }
      state.ending = failure.map { .failed($0) } ?? .finished
    }
  }

  /// The reader has gone away: drops what waits and frees the writers.
  package func abandon() {
    wake { state in
      state.isAbandoned = true
      state.waiting = []
      state.waitingBytes = 0
      giveBack(&state)
      if state.ending == nil {
        state.ending = .failed(EdgeFailure(.cancelled, "client_gone", "The client went away."))
      }
    }
  }

  /// Ends with `failure` unless it has ended, or a message was written before; true when it did.
  package func expire(_ failure: EdgeFailure, evenAfterFirstMessage: Bool) -> Bool {
    var isExpired = false
    wake { state in
      guard state.ending == nil, evenAfterFirstMessage || state.delivered == 0 else { return }
      state.ending = .failed(failure)
      isExpired = true
    }
    return isExpired
  }

  /// Runs `action` once, when the stream ends; now if it has.
  package func onEnding(_ action: @escaping @Sendable () -> Void) {
    let hasEnded = state.withLock { state in
      guard state.ending == nil else { return true }
      state.atEnding = action
      return false
    }
    if hasEnded { action() }
  }

  /// Makes a waiting reader return `idle`.
  package func nudge() { wake { $0.nudged = true } }

  /// Waits for the next event; one reader.
  package func next() async -> Event {
    while true {
      if let event = take() { return event }
      await withCheckedContinuation { continuation in
        let isReady = state.withLock { state in
          guard state.waiting.isEmpty, state.ending == nil, !state.nudged else { return true }
          state.reader = continuation
          return false
        }
        if isReady { continuation.resume() }
      }
    }
  }

  private func take() -> Event? {
    let (event, writers) = state.withLock { state -> (Event?, Int) in
      if !state.waiting.isEmpty {
        let messages = piece(&state)
        let writers = state.blockedWriters
        state.nudged = false
        state.blockedWriters = 0
        state.stalledSince = nil
        return (.messages(messages), writers)
      }
      if let ending = state.ending { return (ending, 0) }
      guard state.nudged else { return (nil, 0) }
      state.nudged = false
      return (.idle, 0)
    }
    for _ in 0..<writers { room.signal() }
    return event
  }

  /// Takes the oldest messages out, as many as fit a piece; giving all at once would hold them all twice.
  private func piece(_ state: inout State) -> [[UInt8]] {
    var (count, bytes) = (0, 0)
    for message in state.waiting {
      let size = message.count + Self.overhead
      guard count == 0 || bytes + size <= Self.own else { break }
      count += 1
      bytes += size
    }
    state.waitingBytes -= bytes
    giveBack(&state)
    guard count < state.waiting.count else {
      defer { state.waiting = [] }
      return state.waiting
    }
    defer { state.waiting.removeFirst(count) }
    return Array(state.waiting.prefix(count))
  }

  private func wake(_ change: (inout State) -> Void) {
    let (reader, writers, atEnding) = state.withLock { state in
      change(&state)
      let hasEnded = state.ending != nil
      let writers = hasEnded ? state.blockedWriters : 0
      state.blockedWriters -= writers
      return (state.reader.take(), writers, hasEnded ? state.atEnding.take() : nil)
    }
    for _ in 0..<writers { room.signal() }
    reader?.resume()
    atEnding?()
  }
}
