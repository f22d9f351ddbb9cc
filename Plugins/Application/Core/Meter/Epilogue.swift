import Glibc

/// Does after an answer what its client need not wait for: makes the charge durable and tells about the request.
///
/// One thread; requests that end while it syncs share the next sync. The book in memory has the charge before the
/// answer ends, and whoever asks for a key's state commits first, so that no charge is shown which a crash could take
/// back.
package final class Epilogue: Sendable {
  private struct State {
    var waiting: [Gateway.Summary] = []
    var isStopping = false
    var thread: pthread_t?
  }

  /// The most requests that wait for their end; beyond them an answer waits too.
  private static let mostWaiting = 4096
  /// So long an end waits for others, and leaves the processors to the threads that still write the answer.
  private static let pauseMilliseconds: UInt64 = 5

  private let meter: Meter
  private let observe: @Sendable (Gateway.Summary) -> Void
  private let state = Monitor(State())

  package init(meter: Meter, observe: @escaping @Sendable (Gateway.Summary) -> Void) {
    self.meter = meter
    self.observe = observe
  }

  /// Takes a request that has ended; without the thread its end is seen to at once.
  package func add(_ summary: Gateway.Summary) {
    var isTaken = false
    state.wait { state in
      guard state.thread != nil, !state.isStopping else { return true }
      guard state.waiting.count < Self.mostWaiting else { return false }
      state.waiting.append(summary)
      isTaken = true
      return true
    }
    guard isTaken else { return finish([summary]) }
    state.wakeAll()
  }

  private func finish(_ summaries: [Gateway.Summary]) {
    // A journal that cannot be written refuses the next reservation; the charge stays in the book until it can.
    if summaries.contains(where: { $0.key != nil }) { try? meter.commit() }
    for summary in summaries { observe(summary) }
  }

  package func start() {
    let thread = WorkerThread.start { [self] in
      var isStopping = false
      while !isStopping {
        state.wait { !$0.waiting.isEmpty || $0.isStopping }
        state.wait(milliseconds: Self.pauseMilliseconds) { $0.isStopping }
        let summaries = state.withLock { state in
          isStopping = state.isStopping
          defer { state.waiting = [] }
          return state.waiting
        }
        state.wakeAll()
        finish(summaries)
      }
    }
    state.withLock { $0.thread = thread }
  }

  /// Sees to all that has ended, and waits for the thread.
  package func stop() {
    let thread = state.withLock { state in
      state.isStopping = true
      defer { state.thread = nil }
      return state.thread
    }
    state.wakeAll()
    if let thread { WorkerThread.join(thread) }
    finish(
      state.withLock { state in
        defer { state.waiting = [] }
        return state.waiting
      })
  }
}
