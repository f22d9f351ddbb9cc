import NIOPosix
import Synchronization

/// The threads on which calls into the host block: a bounded number, never an event loop's.
package final class CallPool: Sendable {
  private let threads: NIOThreadPool
  private let size: Int
  private let running = Mutex(0)

  package init(size: Int) {
    self.size = size
    // Two more, so that a full house still reads the catalog.
    threads = NIOThreadPool(numberOfThreads: size + 2)
    threads.start()
  }

  /// Calls that hold a thread now.
  package var inFlight: Int { running.withLock { $0 } }

  /// Runs `body` on a thread, or returns false at once when all are taken.
  package func tryRun(_ body: @escaping @Sendable () -> Void) -> Bool {
    let admitted = running.withLock { running in
      guard running < size else { return false }
      running += 1
      return true
    }
    guard admitted else { return false }
    threads.submit { state in
      defer { self.running.withLock { $0 -= 1 } }
      // A cancelled item still runs `body`: it owns somebody's answer.
      _ = state
      body()
    }
    return true
  }

  /// Runs a short host call outside the count.
  package func runAside<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await threads.runIfActive(body)
  }

  /// Ends the threads when their calls have returned.
  package func stop() async { try? await threads.shutdownGracefully() }
}
