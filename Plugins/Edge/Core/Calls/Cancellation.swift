import Synchronization

/// A flag that goes up once, and wakes whoever waits for it.
package final class Cancellation: Sendable {
  private let flag = Atomic<Bool>(false)
  private let waiting = Mutex<(@Sendable () -> Void)?>(nil)

  package init() {}

  /// True when nobody waits for the result any more; any thread may ask.
  package var isCancelled: Bool { flag.load(ordering: .acquiring) }

  /// Raises the flag and runs what `onCancel` left.
  package func cancel() {
    flag.store(true, ordering: .releasing)
    let action = waiting.withLock { waiting -> (@Sendable () -> Void)? in
      defer { waiting = nil }
      return waiting
    }
    action?()
  }

  /// Runs `action` once: when the flag goes up, or now if it is up.
  package func onCancel(_ action: @escaping @Sendable () -> Void) {
    waiting.withLock { $0 = action }
    if isCancelled { cancel() }
  }

  /// Forgets what `onCancel` left.
  package func forget() { waiting.withLock { $0 = nil } }
}
