/// Credits in their smallest unit, the µ-credit, which is also the ledger's unit.
package struct Amount: Hashable, Comparable, Sendable, CustomStringConvertible {
  package var micro: UInt64

  package init(_ micro: UInt64) { self.micro = micro }

  package static let zero = Amount(0)

  package static func < (left: Amount, right: Amount) -> Bool { left.micro < right.micro }

  /// The sum, held at the largest amount instead of wrapping.
  package static func + (left: Amount, right: Amount) -> Amount {
    let (sum, overflow) = left.micro.addingReportingOverflow(right.micro)
    return Amount(overflow ? .max : sum)
  }

  /// The difference, held at zero: a balance is never negative.
  package static func - (left: Amount, right: Amount) -> Amount {
    Amount(left.micro > right.micro ? left.micro - right.micro : 0)
  }

  package static func += (left: inout Amount, right: Amount) { left = left + right }
  package static func -= (left: inout Amount, right: Amount) { left = left - right }

  package var description: String { String(micro) }
}
