import CSodium
import FoundationEssentials
import Glibc

/// An Ed25519 key pair in memory.
package struct SigningKey: Sendable {
  package let publicKey: [UInt8]
  private let secret: [UInt8]

  /// Derives the pair from a 32-byte seed.
  package init(seed: [UInt8]) {
    precondition(seed.count == Int(crypto_sign_SEEDBYTES), "An Ed25519 seed has 32 bytes.")
    var publicKey = [UInt8](repeating: 0, count: Int(crypto_sign_PUBLICKEYBYTES))
    var secret = [UInt8](repeating: 0, count: Int(crypto_sign_SECRETKEYBYTES))
    crypto_sign_seed_keypair(&publicKey, &secret, seed)
    (self.publicKey, self.secret) = (publicKey, secret)
  }

  /// The 64-byte signature.
  package func sign(_ message: [UInt8]) -> [UInt8] {
    var signature = [UInt8](repeating: 0, count: Int(crypto_sign_BYTES))
    crypto_sign_detached(&signature, nil, message, UInt64(message.count), secret)
    return signature
  }
}

/// Key files in `<data>/wallets`, sealed with a passphrase: Argon2id, then XSalsa20-Poly1305.
///
/// The passphrase is `$SYMBOLON_PASSPHRASE`; without it a random one that lies beside the wallets with mode 0600. That
/// one has 256 bits, which nobody can guess however fast: it is hashed once (BLAKE2b), and a start costs no Argon2id.
package struct WalletStore: Sendable {
  package let folder: String

  package init(data: String) { folder = "\(data)/wallets" }

  /// A wallet as the list shows it; the public key is readable without the passphrase.
  package struct Listing: Equatable, Sendable {
    package var name: String
    package var account: String
  }

  private static let magic = "symbolon-wallet-1"

  package func names() -> [String] {
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return files.filter { $0.hasSuffix(".wallet") }.map { String($0.dropLast(7)) }.sorted()
  }

  package func list() throws(HostError) -> [Listing] {
    var listings: [Listing] = []
    for name in names() { listings.append(Listing(name: name, account: try publicKey(name).hexadecimal)) }
    return listings
  }

  /// The node's own key, made at the first use.
  func nodeKey() throws(HostError) -> SigningKey {
    names().contains("node") ? try open("node") : try create("node")
  }

  /// Makes a new key; refuses to overwrite.
  package func create(_ name: String) throws(HostError) -> SigningKey {
    try check(name)
    let file = path(name)
    guard access(file, F_OK) != 0 else {
      throw .refused("wallet_exists", "The wallet `\(name)` is there already: \(file).")
    }
    try makeFolder(folder, mode: 0o700)
    let seed = Entropy.bytes(32)
    let key = SigningKey(seed: seed)
    let salt = Entropy.bytes(Int(crypto_pwhash_SALTBYTES))
    let nonce = Entropy.bytes(Int(crypto_secretbox_NONCEBYTES))
    var box = [UInt8](repeating: 0, count: seed.count + Int(crypto_secretbox_MACBYTES))
    let passphrase = try passphrase()
    let derivation: KeyDerivation = passphrase.isRandom ? .blake2b : .argon2id
    crypto_secretbox_easy(
      &box, seed, UInt64(seed.count), nonce, try stretch(passphrase.bytes, salt, derivation))
    let document = JSONValue.object([
      "format": .string(Self.magic), "account": .string(key.publicKey.hexadecimal), "salt": .string(salt.hexadecimal),
      "nonce": .string(nonce.hexadecimal), "box": .string(box.hexadecimal), "kdf": .string(derivation.rawValue),
    ])
    try PrivateFile.write(Array((document.text + "\n").utf8), to: file)
    return key
  }

  /// Opens a wallet.
  package func open(_ name: String) throws(HostError) -> SigningKey {
    let document = try read(name)
    func field(_ key: String, _ count: Int) throws(HostError) -> [UInt8] {
      guard let bytes = document[key: key]?.string.flatMap([UInt8].init(hexadecimal:)), bytes.count == count else {
        throw .refused("wallet_damaged", "The wallet \(path(name)) is damaged: restore it from a copy.")
      }
      return bytes
    }
    let salt = try field("salt", Int(crypto_pwhash_SALTBYTES))
    let nonce = try field("nonce", Int(crypto_secretbox_NONCEBYTES))
    let box = try field("box", 32 + Int(crypto_secretbox_MACBYTES))
    // Wallets of the first version name none.
    guard let derivation = KeyDerivation(rawValue: document[key: "kdf"]?.string ?? "argon2id") else {
      throw .refused("wallet_newer", "The wallet `\(name)` was made by a newer version: update this program.")
    }
    var seed = [UInt8](repeating: 0, count: 32)
    let key = try stretch(try passphrase().bytes, salt, derivation)
    guard crypto_secretbox_open_easy(&seed, box, UInt64(box.count), nonce, key) == 0 else {
      throw HostError(
        16, "wrong_passphrase", "The passphrase does not open the wallet `\(name)`: set SYMBOLON_PASSPHRASE.")
    }
    return SigningKey(seed: seed)
  }

  /// The account of a wallet, without its passphrase.
  package func publicKey(_ name: String) throws(HostError) -> [UInt8] {
    guard let key = try read(name)[key: "account"]?.string.flatMap([UInt8].init(hexadecimal:)), key.count == 32 else {
      throw .refused("wallet_damaged", "The wallet \(path(name)) is damaged: restore it from a copy.")
    }
    return key
  }

  private func read(_ name: String) throws(HostError) -> JSONValue {
    try check(name)
    guard let bytes = try? Data(contentsOf: URL(filePath: path(name))) else {
      let known = names()
      throw .notFound(
        "no_wallet",
        "There is no wallet `\(name)`; "
          + (known.isEmpty
            ? "make one with `symbolon wallet create \(name)`." : "there are: \(known.joined(separator: ", ")).")
      )
    }
    guard let document = try? JSONValue(parsing: bytes), document[key: "format"]?.string == Self.magic else {
      throw .refused("wallet_damaged", "\(path(name)) is not a wallet of this version.")
    }
    return document
  }

  private func path(_ name: String) -> String { "\(folder)/\(name).wallet" }

  private func check(_ name: String) throws(HostError) {
    guard PluginID.isValid(name) else {
      throw .invalid("wallet_name", "`\(name)` is not a wallet name: [a-z][a-z0-9_.-]*, at most 64 bytes.")
    }
  }

  /// How a passphrase becomes the key of the box.
  private enum KeyDerivation: String {
    /// Slow on purpose: for what a person thought up.
    case argon2id
    /// For 256 random bits.
    case blake2b
  }

  private func passphrase() throws(HostError) -> (bytes: [UInt8], isRandom: Bool) {
    if let text = ProcessInfo.processInfo.environment["SYMBOLON_PASSPHRASE"], !text.isEmpty {
      return (Array(text.utf8), false)
    }
    let file = "\(folder)/passphrase"
    if let bytes = try? Data(contentsOf: URL(filePath: file)), !bytes.isEmpty {
      // A person may have put another one there.
      let isRandom = [UInt8](hexadecimal: String(decoding: bytes, as: UTF8.self))?.count == 32
      return (Array(bytes), isRandom)
    }
    try makeFolder(folder, mode: 0o700)
    let made = Array(Entropy.bytes(32).hexadecimal.utf8)
    try PrivateFile.write(made, to: file)
    return (made, true)
  }

  private func stretch(
    _ passphrase: [UInt8], _ salt: [UInt8], _ derivation: KeyDerivation
  ) throws(HostError) -> [UInt8] {
    var key = [UInt8](repeating: 0, count: Int(crypto_secretbox_KEYBYTES))
    if derivation == .blake2b {
      crypto_generichash(&key, key.count, passphrase, UInt64(passphrase.count), salt, salt.count)
      return key
    }
    let characters = passphrase.map { CChar(bitPattern: $0) }
    let status = characters.withUnsafeBufferPointer { memory in
      guard let base = memory.baseAddress else { return Int32(-1) }
      return crypto_pwhash(
        &key, UInt64(key.count), base, UInt64(memory.count), salt,
        UInt64(crypto_pwhash_OPSLIMIT_INTERACTIVE), Int(crypto_pwhash_MEMLIMIT_INTERACTIVE),
        crypto_pwhash_ALG_ARGON2ID13)
    }
    guard status == 0 else {
      throw .system("no_memory", "Opening a wallet needs 64 MiB of memory (Argon2id), which the system did not give.")
    }
    return key
  }
}

/// Files that only their owner may read.
enum PrivateFile {
  /// Writes a file, synced, in one step; without a mode only its owner may read it.
  static func write(
    _ bytes: [UInt8], to path: String, mode: mode_t = 0o600, owner: (uid_t, gid_t)? = nil
  ) throws(HostError) {
    let draft = "\(path).\(getpid()).draft"
    let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .system("not_written", "\(path) cannot be written: \(systemMessage()).") }
    defer { close(file) }
    // An owner that cannot be kept is that of whoever writes: it could write the file before, too.
    if let owner { _ = fchown(file, owner.0, owner.1) }
    if mode != 0o600 { fchmod(file, mode) }
    guard Glibc.write(file, bytes, bytes.count) == bytes.count, fsync(file) == 0, rename(draft, path) == 0 else {
      let reason = systemMessage()
      unlink(draft)
      throw .system("not_written", "\(path) cannot be written: \(reason).")
    }
  }
}
