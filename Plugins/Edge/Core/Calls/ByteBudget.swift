import Synchronization

/// Bounds the bytes that are held at the same time for all connections together.
package final class ByteBudget: Sendable {
  private let limit: Int
  private let held = Mutex(0)

  package init(limit: Int) { self.limit = limit }

  /// Bytes held now.
  package var bytes: Int { held.withLock { $0 } }

  /// Takes `count` bytes more, or nothing and false.
  package func take(_ count: Int) -> Bool {
    held.withLock { held in
      guard held + count <= limit else { return false }
      held += count
      return true
    }
  }

  package func give(back count: Int) { held.withLock { $0 -= count } }
}
