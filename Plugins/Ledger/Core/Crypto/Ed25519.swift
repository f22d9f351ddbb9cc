import CSodium

/// Ed25519 through libsodium, and through nothing else: libraries disagree about edge cases of verification.
package enum Ed25519 {
  /// Prepares libsodium and checks that it accepts and rejects exactly what this network's rules say.
  ///
  /// - Throws: `signature_library` when the library at hand is not the one that the rules were written for.
  package static func selfTest() throws(LedgerError) {
    guard sodium_init() >= 0 else {
      throw LedgerError(.internal, "signature_library", "libsodium does not start: reinstall the package libsodium23.")
    }
    let pattern = String(
      SpeccheckVector.all.map { isValid($0.signature, of: $0.message, by: $0.publicKey) ? "V" : "X" })
    guard pattern == SpeccheckVector.libsodiumPattern else {
      throw LedgerError(
        .internal, "signature_library",
        "This libsodium (\(version)) judges the 12 Ed25519 test vectors as \(pattern), the network's rule is "
          + "\(SpeccheckVector.libsodiumPattern): install Debian's libsodium23, or this node would split "
          + "from the others."
      )
    }
  }

  /// The library's version, for the node's status.
  package static var version: String { String(cString: sodium_version_string()) }

  /// True when the 64-byte signature belongs to the message and the 32-byte key.
  package static func isValid(_ signature: [UInt8], of message: [UInt8], by publicKey: [UInt8]) -> Bool {
    guard signature.count == 64, publicKey.count == 32 else { return false }
    return crypto_sign_verify_detached(signature, message, UInt64(message.count), publicKey) == 0
  }
}

/// Something that signs for an account: a node's identity, a wallet, a test's key.
package protocol Signer: Sendable {
  /// The account that the signatures speak for.
  var account: AccountID { get }
  /// 64 bytes over a message that begins with a domain tag.
  func sign(_ message: [UInt8]) throws -> [UInt8]
}

/// A key pair in memory.
package struct KeyPair: Signer {
  package let account: AccountID
  private let secret: [UInt8]

  /// The pair of a 32-byte seed; nil for another length.
  package init?(seed: [UInt8]) {
    guard seed.count == 32, sodium_init() >= 0 else { return nil }
    var publicKey = [UInt8](repeating: 0, count: 32)
    var secret = [UInt8](repeating: 0, count: 64)
    guard crypto_sign_seed_keypair(&publicKey, &secret, seed) == 0, let account = AccountID(publicKey) else {
      return nil
    }
    self.account = account
    self.secret = secret
  }

  package func sign(_ message: [UInt8]) -> [UInt8] {
    var signature = [UInt8](repeating: 0, count: 64)
    crypto_sign_detached(&signature, nil, message, UInt64(message.count), secret)
    return signature
  }
}
