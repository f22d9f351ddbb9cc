import CSodium
import FoundationEssentials
import Glibc

/// A public key in minisign's format: base64 of "Ed", eight bytes of key id, 32 bytes of Ed25519.
package struct MinisignPublicKey: Hashable, Sendable {
  package let id: [UInt8]
  package let key: [UInt8]

  package init(id: [UInt8], key: [UInt8]) {
    precondition(id.count == 8 && key.count == 32, "A minisign key has an id of 8 bytes and 32 bytes.")
    (self.id, self.key) = (id, key)
  }

  /// Reads the base64 line, or a whole .pub file.
  package init(parsing text: String) throws(HostError) {
    guard text.utf8.count <= 4096 else { throw Self.malformed }
    let lines = text.split(whereSeparator: \.isNewline).map(String.init)
    guard let line = lines.last, lines.count == 1 || (lines.count == 2 && lines[0].hasPrefix("untrusted comment:")),
      let bytes = Base64.decode(line, count: 42), bytes.starts(with: [0x45, 0x64])
    else { throw Self.malformed }
    self.init(id: Array(bytes[2..<10]), key: Array(bytes[10...]))
  }

  package var base64: String { Base64.encode([0x45, 0x64] + id + key) }

  /// The id as minisign prints it: the bytes are a little-endian number.
  package var name: String { Self.name(of: id) }

  static func name(of id: [UInt8]) -> String { Array(id.reversed()).hexadecimal.uppercased() }

  /// The text of a .pub file.
  package var file: String { "untrusted comment: minisign public key \(name)\n\(base64)\n" }

  private static let malformed = HostError.invalid(
    "bad_public_key", "This is not a minisign public key: 56 characters of base64 that begin with RW.")
}

/// A detached signature in minisign's format (https://jedisct1.github.io/minisign/, "Signature format").
package struct MinisignSignature: Equatable, Sendable {
  /// What the signature covers.
  package enum Algorithm: Sendable {
    /// "ED": BLAKE2b-512 of the file.
    case prehashed
    /// "Ed": the file itself, as minisign wrote before version 0.10.
    case legacy

    var tag: [UInt8] { self == .prehashed ? [0x45, 0x44] : [0x45, 0x64] }
  }

  package var algorithm: Algorithm
  package var keyID: [UInt8]
  package var signature: [UInt8]
  package var untrustedComment: String
  /// Covered by the global signature.
  package var trustedComment: String
  package var globalSignature: [UInt8]

  /// The longest signature file, and the longest comment in it.
  package static let fileLimit = 16 << 10
  package static let commentLimit = 8 << 10
  /// The largest file with a legacy signature: it is verified in memory.
  package static let legacyLimit = 256 << 20

  private static let untrustedPrefix = "untrusted comment: "
  private static let trustedPrefix = "trusted comment: "

  package init(
    algorithm: Algorithm, keyID: [UInt8], signature: [UInt8], untrustedComment: String, trustedComment: String,
    globalSignature: [UInt8]
  ) {
    self.algorithm = algorithm
    self.keyID = keyID
    self.signature = signature
    self.untrustedComment = untrustedComment
    self.trustedComment = trustedComment
    self.globalSignature = globalSignature
  }

  /// Reads a .minisig file: four lines, nothing before, between or behind them.
  package init(parsing bytes: some Collection<UInt8>) throws(HostError) {
    guard bytes.count <= Self.fileLimit else { throw Self.malformed("it has more than 16 KiB") }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw Self.malformed("it is not UTF-8") }
    // Split at scalars: "\r\n" is one character.
    var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      String(line.last == "\r" ? line.dropLast() : line)
    }
    if lines.count == 5, lines[4].isEmpty { lines.removeLast() }
    guard lines.count == 4 else { throw Self.malformed("it has not four lines") }
    guard lines[0].hasPrefix(Self.untrustedPrefix), lines[2].hasPrefix(Self.trustedPrefix) else {
      throw Self.malformed("its comments are missing")
    }
    untrustedComment = String(lines[0].dropFirst(Self.untrustedPrefix.count))
    trustedComment = String(lines[2].dropFirst(Self.trustedPrefix.count))
    guard untrustedComment.utf8.count <= Self.commentLimit, trustedComment.utf8.count <= Self.commentLimit else {
      throw Self.malformed("a comment has more than 8 KiB")
    }
    guard let body = Base64.decode(lines[1], count: 74), let global = Base64.decode(lines[3], count: 64) else {
      throw Self.malformed("its base64 is damaged")
    }
    switch Array(body[..<2]) {
    case Algorithm.prehashed.tag: algorithm = .prehashed
    case Algorithm.legacy.tag: algorithm = .legacy
    default: throw Self.malformed("its algorithm is neither ED nor Ed")
    }
    (keyID, signature) = (Array(body[2..<10]), Array(body[10...]))
    globalSignature = global
  }

  /// The text of a .minisig file.
  package var file: String {
    "\(Self.untrustedPrefix)\(untrustedComment)\n\(Base64.encode(algorithm.tag + keyID + signature))\n"
      + "\(Self.trustedPrefix)\(trustedComment)\n\(Base64.encode(globalSignature))\n"
  }

  package var keyName: String { MinisignPublicKey.name(of: keyID) }

  /// Checks both signatures over an open file.
  package func verify(descriptor: Int32, with key: MinisignPublicKey) throws(HostError) {
    switch algorithm {
    case .prehashed: try verify(message: try FileDigest.blake2b(descriptor: descriptor), with: key)
    case .legacy: try verify(message: try FileContents.read(descriptor, limit: Self.legacyLimit), with: key)
    }
  }

  /// Checks both signatures; `message` is the file's hash, or the file itself for a legacy signature.
  package func verify(message: [UInt8], with key: MinisignPublicKey) throws(HostError) {
    guard keyID == key.id else {
      throw .refused("other_key", "The signature was made with the key \(keyName), not with \(key.name).")
    }
    guard crypto_sign_verify_detached(signature, message, UInt64(message.count), key.key) == 0 else {
      throw .refused("bad_signature", "The signature does not fit the file: one of them was changed.")
    }
    let covered = signature + Array(trustedComment.utf8)
    guard crypto_sign_verify_detached(globalSignature, covered, UInt64(covered.count), key.key) == 0 else {
      throw .refused("bad_comment", "The trusted comment of the signature was changed.")
    }
  }

  private static func malformed(_ reason: String) -> HostError {
    .invalid("bad_signature_file", "This is not a minisign signature: \(reason).")
  }
}

/// Reading small files whole.
enum FileContents {
  static func read(_ descriptor: Int32, limit: Int) throws(HostError) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = pread(descriptor, &buffer, buffer.count, off_t(bytes.count))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .system("not_readable", "A file cannot be read: \(systemMessage()).") }
      if count == 0 { return bytes }
      guard bytes.count + count <= limit else {
        throw .invalid("file_too_large", "The file has more than \(limit) bytes.")
      }
      bytes += buffer[..<count]
    }
  }
}

/// Base64 with padding, strictly: one text for one value.
enum Base64 {
  static func encode(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

  static func decode(_ text: String, count: Int) -> [UInt8]? {
    guard text.utf8.count == (count + 2) / 3 * 4, let data = Data(base64Encoded: text), data.count == count,
      data.base64EncodedString() == text
    else { return nil }
    return Array(data)
  }
}
