import Canonical

/// An account: an Ed25519 public key.
package struct AccountID: Hashable, Sendable, CustomStringConvertible {
  /// 32 bytes.
  package let bytes: [UInt8]

  /// An account by its 32 bytes; any other length is refused.
  package init(_ bytes: [UInt8]) throws(DataError) {
    guard bytes.count == 32 else {
      throw DataError(.invalidArgument, "invalid_account", "An account has 32 bytes; \(bytes.count) were given.")
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

/// Which dataset: the hash of its manifest.
package struct DatasetID: Hashable, Sendable, CustomStringConvertible {
  package let digest: Digest

  init(_ digest: Digest) { self.digest = digest }

  /// An id that a caller gave.
  package init(_ bytes: [UInt8]) throws(DataError) {
    guard let digest = Digest(bytes: bytes) else {
      throw DataError(
        .invalidArgument, "invalid_dataset",
        "`dataset` is an id of 32 bytes, written as 64 hexadecimal digits: list them with `symbolon data list`.")
    }
    self.digest = digest
  }

  package var description: String { digest.description }
}
