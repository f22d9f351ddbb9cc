/// The number of a block; genesis is 0.
package struct Height: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt64

  package init(_ value: UInt64) { self.value = value }

  /// Before every transaction: the block that issues the supply.
  package static let genesis = Height(0)

  /// The next block; the last possible height is its own successor, which no node lives to see.
  package var next: Height { Height(value == .max ? .max : value + 1) }

  /// This many blocks later, or the last possible height.
  package func advanced(by blocks: UInt64) -> Height {
    let (sum, overflow) = value.addingReportingOverflow(blocks)
    return Height(overflow ? .max : sum)
  }

  package static func < (left: Height, right: Height) -> Bool { left.value < right.value }

  package var description: String { "\(value)" }
}

/// A number of credits, the ledger's one asset in this form.
package struct Amount: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let credits: UInt64

  package init(_ credits: UInt64) { self.credits = credits }

  package static let zero = Amount(0)

  package static func < (left: Amount, right: Amount) -> Bool { left.credits < right.credits }

  package var description: String { "\(credits)" }
}

/// The position of a transaction in its account's lane; the first one is 0.
package struct Sequence: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt64

  package init(_ value: UInt64) { self.value = value }

  /// The next position; nil after the last.
  package var next: Sequence? { value == .max ? nil : Sequence(value + 1) }

  package static func < (left: Sequence, right: Sequence) -> Bool { left.value < right.value }

  package var description: String { "\(value)" }
}

/// One of an account's independent series of transactions.
package struct Lane: Hashable, Sendable {
  package let number: UInt32

  package init(_ number: UInt32) { self.number = number }

  /// The lane that `prepare` uses.
  package static let main = Lane(0)
}

/// A layer's part of the state, named by the layer's plugin id.
package struct Namespace: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let name: String

  package init(_ name: String) { self.name = name }

  /// The ledger's own: accounts and sequences.
  package static let ledger = Namespace("ledger")

  package static func < (left: Namespace, right: Namespace) -> Bool {
    left.name.utf8.lexicographicallyPrecedes(right.name.utf8)
  }

  package var description: String { name }
}
