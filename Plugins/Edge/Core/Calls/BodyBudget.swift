import Synchronization

/// Bounds the bytes of request bodies that are held at the same time, over all connections.
package final class BodyBudget: Sendable {
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
