import CSodium

/// SHA-256 of a ticket key: the only form in which a key is stored anywhere.
package struct KeyHash: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let bytes: [UInt8]

  /// Nil unless there are 32 bytes.
  package init?(_ bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self.bytes = bytes
  }

  /// The hash of a secret as a client sends it.
  package init(secret: String) { bytes = SHA256.hash(Array(secret.utf8)) }

  package static func < (left: KeyHash, right: KeyHash) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }

  /// What people call the key by: the first 16 digits of the hash.
  package var id: String { Hex.string(bytes.prefix(8)) }

  package var description: String { Hex.string(bytes) }
}

/// The secret that a client sends as `Authorization: Bearer sk-sym-…`; it is shown once and never stored.
package struct TicketSecret: Sendable {
  package static let prefix = "sk-sym-"

  package let text: String

  /// Makes a secret of 32 random bytes.
  package init(random bytes: [UInt8]) {
    precondition(bytes.count == 32, "a ticket key is made of 32 random bytes")
    text = Self.prefix + Hex.string(bytes)
  }

  package var hash: KeyHash { KeyHash(secret: text) }
}

/// SHA-256 through libsodium.
package enum SHA256 {
  package static func hash(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    // Cannot fail: the only error code of libsodium's hash functions is 0.
    _ = crypto_hash_sha256(&digest, bytes, UInt64(bytes.count))
    return digest
  }
}
