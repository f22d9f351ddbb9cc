import CSodium
import FoundationEssentials
import Glibc
import Synchronization

/// The scoped tokens of this node: one file, mode 0600, that every generation of the edge reads and the newest writes.
///
/// Secrets are 256 random bits, so their plain SHA-256 cannot be guessed from the file.
package final class TokenStore: Sendable {
  package static let fileName = "tokens.json"
  /// What a token begins with, so that people and secret scanners know it.
  package static let prefix = "sym-op-"
  /// More is a mistake or an attack.
  package static let limit = 256

  private struct Stamp: Equatable, Sendable {
    var inode: UInt64
    var seconds: Int
    var nanoseconds: Int
  }

  private struct State: Sendable {
    var tokens: [ScopedToken] = []
    var stamp: Stamp?
  }

  private let path: String
  private let now: @Sendable () -> UInt64
  private let state = Mutex(State())

  /// Reads the file, if there is one; refuses one that it cannot read rather than forget who was admitted.
  package init(
    folder: String, now: @escaping @Sendable () -> UInt64 = { UInt64(max(0, time(nil))) }
  ) throws(EdgeFailure) {
    path = "\(folder)/\(Self.fileName)"
    self.now = now
    let (tokens, stamp) = try Self.read(path)
    state.withLock { $0 = State(tokens: tokens, stamp: stamp) }
  }

  /// Makes a token and returns its secret, which nobody can read again.
  package func create(
    name: String, methods: String, expires: String
  ) throws(EdgeFailure) -> (secret: String, token: ScopedToken) {
    guard (1...64).contains(name.utf8.count), name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
    else {
      throw EdgeFailure(
        .invalidArgument, "bad_name", "`name` must have 1 to 64 bytes without control characters.", parameter: "name")
    }
    let created = now()
    let secret = Self.prefix + Self.hexadecimal(Self.random(32))
    let token = ScopedToken(
      id: Self.hexadecimal(Self.random(4)), name: name, methods: try ScopedToken.patterns(methods), created: created,
      expires: try ScopedToken.expiry(expires, from: created), sha256: Self.hexadecimal(Self.hash(secret)))
    try change { tokens throws(EdgeFailure) in
      tokens.removeAll { $0.isExpired(at: created) && $0.name == name }
      guard !tokens.contains(where: { $0.name == name }) else {
        throw EdgeFailure(
          .alreadyExists, "token_exists",
          "There is a token `\(name)` already: revoke it first, or choose another name.",
          parameter: "name")
      }
      guard tokens.count < Self.limit else {
        throw EdgeFailure(
          .resourceExhausted, "too_many_tokens", "There are \(Self.limit) tokens: revoke those that nobody uses.")
      }
      tokens.append(token)
    }
    return (secret, token)
  }

  /// Takes a token away, by its id or its name.
  package func revoke(_ which: String) throws(EdgeFailure) -> ScopedToken {
    var revoked: ScopedToken?
    try change { tokens throws(EdgeFailure) in
      guard let index = tokens.firstIndex(where: { $0.id == which || $0.name == which }) else {
        throw EdgeFailure(
          .notFound, "no_token", "There is no such token: `symbolon token list` lists all.", parameter: "token")
      }
      revoked = tokens.remove(at: index)
    }
    guard let revoked else { throw EdgeFailure(.internal, "no_token", "The token was not found again.") }
    return revoked
  }

  /// All tokens, the expired too.
  package var all: [ScopedToken] {
    refresh()
    return state.withLock { $0.tokens }
  }

  /// The token of a secret; the time does not tell how much of a wrong one was right.
  package func find(_ secret: String) -> ScopedToken? {
    guard secret.hasPrefix(Self.prefix), secret.utf8.count == Self.prefix.utf8.count + 64 else { return nil }
    refresh()
    let given = Array(Self.hexadecimal(Self.hash(secret)).utf8)
    var found: ScopedToken?
    for token in state.withLock({ $0.tokens }) {
      let known = Array(token.sha256.utf8)
      if known.count == given.count, sodium_memcmp(known, given, given.count) == 0 { found = token }
    }
    return found
  }

  package func isExpired(_ token: ScopedToken) -> Bool { token.isExpired(at: now()) }

  /// Reads the file again when another generation has written it; keeps what is known when that fails.
  private func refresh() {
    let stamp = Self.stamp(path)
    guard stamp != state.withLock({ $0.stamp }), let (tokens, stamp) = try? Self.read(path) else { return }
    state.withLock { $0 = State(tokens: tokens, stamp: stamp) }
  }

  private func change(_ body: (inout [ScopedToken]) throws(EdgeFailure) -> Void) throws(EdgeFailure) {
    refresh()
    try state.withLock { state throws(EdgeFailure) in
      var tokens = state.tokens
      try body(&tokens)
      try Self.write(tokens, to: path)
      state = State(tokens: tokens, stamp: Self.stamp(path))
    }
  }
}

extension TokenStore {
  private static func stamp(_ path: String) -> Stamp? {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    return Stamp(
      inode: UInt64(status.st_ino), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec)
  }

  private static func read(_ path: String) throws(EdgeFailure) -> ([ScopedToken], Stamp?) {
    let stamp = stamp(path)
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else {
      if errno == ENOENT { return ([], nil) }
      throw unusable(path, "cannot be read (error \(errno))")
    }
    defer { close(file) }
    // Whoever widened the mode by accident gets it narrowed again.
    guard fchmod(file, 0o600) == 0 else { throw unusable(path, "belongs to somebody else") }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    var count = 0
    while count < bytes.count {
      let got = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress.map { $0 + count }, $0.count - count) }
      guard got > 0 else { break }
      count += got
    }
    guard let tokens = try? JSONDecoder().decode([ScopedToken].self, from: Data(bytes.prefix(count))) else {
      throw unusable(path, "is damaged")
    }
    return (tokens, stamp)
  }

  /// Writes beside and renames, so that no reader sees half of it.
  private static func write(_ tokens: [ScopedToken], to path: String) throws(EdgeFailure) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    guard let data = try? encoder.encode(tokens) else { throw unusable(path, "cannot be written") }
    let bytes = Array(data) + [0x0A]
    let draft = path + ".new"
    unlink(draft)
    let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    let isWritten = file >= 0 && Glibc.write(file, bytes, bytes.count) == bytes.count && fsync(file) == 0
    let number = errno
    if file >= 0 { close(file) }
    guard isWritten, rename(draft, path) == 0 else { throw unusable(path, "cannot be written (error \(number))") }
  }

  private static func unusable(_ path: String, _ what: String) -> EdgeFailure {
    EdgeFailure(
      .failedPrecondition, "tokens_unusable",
      "\(path) \(what): mend its permissions or the disk, or remove it and create the tokens anew.")
  }

  private static func random(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    randombytes_buf(&bytes, count)
    return bytes
  }

  private static func hash(_ secret: String) -> [UInt8] {
    let message = Array(secret.utf8)
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_hash_sha256(&digest, message, UInt64(message.count))
    return digest
  }

  static func hexadecimal(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
