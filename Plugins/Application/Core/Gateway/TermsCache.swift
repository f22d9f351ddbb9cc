import Synchronization

/// What governance decided about answers: the parameters in force and the price.
package struct Terms: Equatable, Sendable {
  package var parameters: Parameters
  package var price: Price

  package init(parameters: Parameters, price: Price) {
    self.parameters = parameters
    self.price = price
  }
}

/// Keeps the terms until there is a newer block, because they change with blocks only and every request needs them.
///
/// They are kept for a second at most, so that a governance layer that comes, goes or is replaced is noticed too.
package final class TermsCache: Sendable {
  private struct Kept {
    var terms: Terms
    var height: UInt64
    var nanoseconds: UInt64
  }

  private static let lifetimeNanoseconds: UInt64 = 1_000_000_000

  private let kept = Mutex<Kept?>(nil)

  package init() {}

  /// The terms at a height, read again when those that are kept are older.
  package func terms(height: UInt64, nanoseconds: UInt64, _ read: () throws -> Terms) rethrows -> Terms {
    let found = kept.withLock { kept -> Terms? in
      guard let kept, kept.height == height, nanoseconds < kept.nanoseconds + Self.lifetimeNanoseconds else {
        return nil
      }
      return kept.terms
    }
    if let found { return found }
    // A block that comes while this reads makes the height an old one: the next request reads again.
    let terms = try read()
    kept.withLock { $0 = Kept(terms: terms, height: height, nanoseconds: nanoseconds) }
    return terms
  }
}
