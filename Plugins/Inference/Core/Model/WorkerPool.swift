import InferenceKernels
import Synchronization

/// The threads that compute; the thread that calls `run` is one of them.
///
/// `@unchecked Sendable`: the pool is made to be used from one thread at a time, and each owner keeps to that.
package final class WorkerPool: @unchecked Sendable {
  let handle: OpaquePointer
  package let threads: Int

  /// Starts the threads; fails when the system refuses them.
  package init(threads: Int) throws(InferenceError) {
    guard let handle = symbolon_pool_create(Int32(clamping: threads)) else {
      throw InferenceError(
        .internal, "no_threads", "The system refuses \(threads) threads: set `threads` to between 1 and 64, or fewer.")
    }
    self.handle = handle
    self.threads = threads
  }

  deinit { symbolon_pool_destroy(handle) }

  /// Calls the body once for every index below `count`, on all threads that are free, and waits for all.
  package func forEach(below count: Int, _ body: (Int) -> Void) {
    let next = Atomic(0)
    withoutActuallyEscaping(body) { escapable in
      var box: () -> Void = {
        while true {
          let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
          guard index < count else { return }
          escapable(index)
        }
      }
      withUnsafeMutablePointer(to: &box) { pointer in
        symbolon_pool_run(
          handle, { context, _ in context?.assumingMemoryBound(to: (() -> Void).self).pointee() }, pointer)
      }
    }
  }
}
