import CSodium
import FoundationEssentials
import Glibc

/// A signing key in minisign's format, in memory.
package struct MinisignSecretKey: Sendable {
  package let publicKey: MinisignPublicKey
  private let secret: [UInt8]

  /// What a key file costs to open with a password.
  package struct Cost: Equatable, Sendable {
    package var operations: UInt64
    package var memory: UInt64

    /// What minisign writes: some seconds and 1 GiB.
    package static let sensitive = Cost(
      operations: UInt64(crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_SENSITIVE),
      memory: UInt64(crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_SENSITIVE))
    package static let interactive = Cost(
      operations: UInt64(crypto_pwhash_scryptsalsa208sha256_OPSLIMIT_INTERACTIVE),
      memory: UInt64(crypto_pwhash_scryptsalsa208sha256_MEMLIMIT_INTERACTIVE))
  }

  // The file's 158 bytes: "Ed", "Sc" or two zeros, "B2", salt 32, operations 8, memory 8, then 104 that the password
  // covers: key id 8, secret key 64, checksum 32.
  private static let size = 158
  private static let sealed = 54..<158
  private static let prefix = "untrusted comment: "

  /// Makes a new key.
  package init() {
    var (publicKey, secret) = ([UInt8](repeating: 0, count: 32), [UInt8](repeating: 0, count: 64))
    crypto_sign_keypair(&publicKey, &secret)
    self.publicKey = MinisignPublicKey(id: Entropy.bytes(8), key: publicKey)
    self.secret = secret
  }

  /// True when the file needs a password.
  package static func needsPassword(_ file: [UInt8]) throws(HostError) -> Bool {
    try body(of: file)[2..<4].elementsEqual(Array("Sc".utf8))
  }

  /// Opens a key file.
  package init(parsing file: [UInt8], password: [UInt8]?) throws(HostError) {
    var body = try Self.body(of: file)
    if body[2..<4].elementsEqual(Array("Sc".utf8)) {
      guard let password else {
        throw .invalid("needs_password", "The key has a password: set SYMBOLON_KEY_PASSWORD, or enter it.")
      }
      let cost = Cost(operations: Self.number(body[38..<46]), memory: Self.number(body[46..<54]))
      let stream = try Self.stretch(password, Array(body[6..<38]), cost)
      for (index, byte) in zip(Self.sealed, stream) { body[index] ^= byte }
    }
    let (id, secret) = (Array(body[54..<62]), Array(body[62..<126]))
    let isEncrypted = body[2..<4].elementsEqual(Array("Sc".utf8))
    // minisign leaves the checksum of a key without a password empty.
    let hasChecksum = isEncrypted || body[126...].contains { $0 != 0 }
    guard !hasChecksum || Self.checksum(id, secret) == Array(body[126...]), Self.isPair(secret) else {
      throw HostError(16, "wrong_password", "The password does not open the key, or the key file is damaged.")
    }
    self.secret = secret
    publicKey = MinisignPublicKey(id: id, key: Array(secret[32...]))
  }

  /// The text of a key file.
  package func file(password: [UInt8]?, cost: Cost = .sensitive) throws(HostError) -> String {
    let salt = Entropy.bytes(32)
    func bytes(_ number: UInt64) -> [UInt8] { withUnsafeBytes(of: number.littleEndian) { Array($0) } }
    var sealed = publicKey.id + secret + Self.checksum(publicKey.id, secret)
    if let password {
      for (index, byte) in try Self.stretch(password, salt, cost).enumerated() { sealed[index] ^= byte }
    }
    let body =
      Array("Ed".utf8) + (password == nil ? [0, 0] : Array("Sc".utf8)) + Array("B2".utf8) + salt
      + bytes(cost.operations) + bytes(cost.memory) + sealed
    let kind = password == nil ? "unencrypted" : "encrypted"
    return "\(Self.prefix)minisign \(kind) secret key\n\(Base64.encode(body))\n"
  }

  /// Signs an open file, pre-hashed, with minisign's usual trusted comment.
  package func sign(descriptor: Int32, fileName: String, comment: String?) throws(HostError) -> MinisignSignature {
    let trusted = comment ?? "timestamp:\(MonotonicClock.unixMilliseconds / 1000)\tfile:\(fileName)\thashed"
    guard trusted.utf8.count <= MinisignSignature.commentLimit,
      !trusted.unicodeScalars.contains(where: { $0.value < 0x20 && $0 != "\t" || $0.value == 0x7f })
    else { throw .invalid("bad_comment", "A trusted comment is one line of at most 8 KiB.") }
    let signature = sign(try FileDigest.blake2b(descriptor: descriptor))
    return MinisignSignature(
      algorithm: .prehashed, keyID: publicKey.id, signature: signature,
      untrustedComment: "signature from symbolon, key \(publicKey.name)", trustedComment: trusted,
      globalSignature: sign(signature + Array(trusted.utf8)))
  }

  private func sign(_ message: [UInt8]) -> [UInt8] {
    var signature = [UInt8](repeating: 0, count: 64)
    crypto_sign_detached(&signature, nil, message, UInt64(message.count), secret)
    return signature
  }

  private static func body(of file: [UInt8]) throws(HostError) -> [UInt8] {
    let malformed = HostError.invalid("bad_key_file", "This is not a minisign secret key file.")
    guard file.count <= 4096, let text = String(validating: file, as: UTF8.self) else { throw malformed }
    let lines = text.split(whereSeparator: \.isNewline).map(String.init)
    guard lines.count == 2, lines[0].hasPrefix(prefix), let body = Base64.decode(lines[1], count: size),
      body.starts(with: Array("Ed".utf8)), body[4..<6].elementsEqual(Array("B2".utf8)),
      body[2..<4].elementsEqual(Array("Sc".utf8)) || body[2..<4].elementsEqual([0, 0])
    else { throw malformed }
    return body
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private static func checksum(_ id: [UInt8], _ secret: [UInt8]) -> [UInt8] {
    let covered = Array("Ed".utf8) + id + secret
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_generichash(&digest, digest.count, covered, UInt64(covered.count), nil, 0)
    return digest
  }

  /// True when the public half belongs to the secret one.
  private static func isPair(_ secret: [UInt8]) -> Bool {
    var (publicKey, again) = ([UInt8](repeating: 0, count: 32), [UInt8](repeating: 0, count: 64))
    crypto_sign_seed_keypair(&publicKey, &again, secret)
    return again == secret
  }

  private static func stretch(_ password: [UInt8], _ salt: [UInt8], _ cost: Cost) throws(HostError) -> [UInt8] {
    guard cost.operations <= Cost.sensitive.operations, cost.memory <= Cost.sensitive.memory else {
      throw .invalid("bad_key_file", "The key file asks for more work than minisign's own do.")
    }
    var stream = [UInt8](repeating: 0, count: 104)
    let status = password.map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { memory -> Int32 in
      guard let base = memory.baseAddress else { return -1 }
      return crypto_pwhash_scryptsalsa208sha256(
        &stream, UInt64(stream.count), base, UInt64(memory.count), salt, cost.operations, Int(cost.memory))
    }
    guard status == 0 else {
      throw .system("no_memory", "The key needs \(cost.memory >> 20) MiB of memory to open, which were not to be had.")
    }
    return stream
  }
}
