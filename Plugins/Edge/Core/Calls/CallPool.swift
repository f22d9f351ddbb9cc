import NIOCore
import NIOPosix
import Synchronization

/// The threads on which calls into the host block: a bounded number, never an event loop's.
package final class CallPool: Sendable {
  /// A call that waits for a thread.
  private struct Waiting: Sendable {
    var number: UInt64
    var body: @Sendable () -> Void
    var admitted: CheckedContinuation<Bool, Never>
  }

  private struct State {
    var running = 0
    var waiting: [Waiting] = []
    var lastNumber: UInt64 = 0
  }

  private let threads: NIOThreadPool
  private let size: Int
  private let state = Mutex(State())

  package init(size: Int) {
    self.size = size
    // Two more, so that a full house still reads the catalog.
    threads = NIOThreadPool(numberOfThreads: size + 2)
    threads.start()
  }

  /// Calls that hold a thread now.
  package var inFlight: Int { state.withLock { $0.running } }

  /// Runs `body` on a thread, or returns false at once when all are taken.
  package func tryRun(_ body: @escaping @Sendable () -> Void) -> Bool {
    let admitted = state.withLock { state in
      guard state.running < size else { return false }
      state.running += 1
      return true
    }
    if admitted { submit(body) }
    return admitted
  }

  /// Runs `body` on the next thread that becomes free, before anyone who comes later; false when none does in time.
  package func run(
    _ body: @escaping @Sendable () -> Void, waiting limit: TimeAmount, on loop: any EventLoop
  ) async -> Bool {
    let number = state.withLock { state in
      state.lastNumber += 1
      return state.lastNumber
    }
    return await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        guard state.running == size else {
          state.running += 1
          return true
        }
        state.waiting.append(Waiting(number: number, body: body, admitted: continuation))
        return false
      }
      guard isFree else {
        loop.scheduleTask(in: limit) { self.giveUp(number) }
        return
      }
      submit(body)
      continuation.resume(returning: true)
    }
  }

  private func giveUp(_ number: UInt64) {
    let waiting = state.withLock { state -> Waiting? in
      state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
    }
    waiting?.admitted.resume(returning: false)
  }

  private func submit(_ body: @escaping @Sendable () -> Void) {
    threads.submit { state in
      // A cancelled item still runs `body`: it owns somebody's answer.
      _ = state
      body()
      self.threadIsFree()
    }
  }

  /// Hands the place of a call that returned to whoever waits for one.
  private func threadIsFree() {
    let next = state.withLock { state -> Waiting? in
      guard !state.waiting.isEmpty else {
        state.running -= 1
        return nil
      }
      return state.waiting.removeFirst()
    }
    guard let next else { return }
    submit(next.body)
    next.admitted.resume(returning: true)
  }

  /// Runs a short host call outside the count.
  package func runAside<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await threads.runIfActive(body)
  }

  /// Ends the threads when their calls have returned.
  package func stop() async { try? await threads.shutdownGracefully() }
}
