import Canonical

/// An account: an Ed25519 public key.
package struct AccountID: Hashable, Sendable, CustomStringConvertible {
  /// 32 bytes.
  package let bytes: [UInt8]

  /// An account by its 32 bytes; any other length is refused with the name of the argument.
  package init(_ bytes: [UInt8], argument: String) throws(GovernanceError) {
    guard bytes.count == 32 else {
      throw GovernanceError(
        .invalidArgument, "invalid_account",
        "`\(argument)` is an account: 32 bytes, written as 64 hexadecimal digits; \(bytes.count) bytes were given.")
    }
    self.bytes = bytes
  }

  package var description: String { hexadecimal(bytes) }
}

/// The number of a block.
package struct Height: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let value: UInt64

  package init(_ value: UInt64) { self.value = value }

  package static func < (a: Height, b: Height) -> Bool { a.value < b.value }

  /// The height that many blocks later; stays at the highest there is.
  package static func + (height: Height, blocks: UInt64) -> Height {
    let (sum, overflow) = height.value.addingReportingOverflow(blocks)
    return Height(overflow ? .max : sum)
  }

  /// How many blocks lie between; 0 when the other is not later.
  package func blocks(until later: Height) -> UInt64 { later.value > value ? later.value - value : 0 }

  package var description: String { "\(value)" }
}

/// The order in which badges were given and proposals published, finer than heights: no two are equal.
package struct Sequence: Hashable, Comparable, Sendable {
  package let value: UInt64

  package init(_ value: UInt64) { self.value = value }

  package static func < (a: Sequence, b: Sequence) -> Bool { a.value < b.value }
}
