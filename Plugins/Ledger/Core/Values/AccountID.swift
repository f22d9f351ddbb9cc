import Canonical

/// Who owns credits: an Ed25519 public key, or an account that a layer opened under a name.
package struct AccountID: Hashable, Sendable, CustomStringConvertible {
  /// 32 bytes.
  package let bytes: [UInt8]

  /// An account by its 32 bytes; nil for any other length.
  package init?(_ bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self.bytes = bytes
  }

  /// The account of a layer: SHA-256 of the domain tag, the namespace, a zero byte and the name.
  ///
  /// Nobody holds a key for it: finding one would mean inverting SHA-256 into a known point of the curve.
  package init(of namespace: Namespace, name: [UInt8]) {
    bytes = Digest(of: Array("symbolon/account/v1\0".utf8) + Array(namespace.name.utf8) + [0] + name).bytes
  }

  /// Where all credits come from; the only account that may owe.
  package static let issuance = AccountID(of: .ledger, name: Array("@issuance".utf8))

  package var description: String { hexadecimal(bytes) }
}
