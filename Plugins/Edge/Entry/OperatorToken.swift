import Glibc
import PluginKit

/// The secret that makes an HTTP request the operator's: 64 hexadecimal digits in a file that only the operator reads.
enum OperatorToken {
  static let fileName = "operator.token"

  /// Reads the file, or makes it; every generation finds the same token.
  static func readOrCreate(
    in folder: String, random: (Int) throws(Failure) -> [UInt8]
  ) throws(Failure) -> String {
    let path = "\(folder)/\(fileName)"
    if let token = try read(path) { return token }
    let digits = Array("0123456789abcdef".utf8)
    let token = String(
      decoding: try random(32).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    try write(token, to: path)
    return token
  }

  /// The token of an existing file; nil when there is none, or only a torn one.
  private static func read(_ path: String) throws(Failure) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    guard file >= 0 else {
      if errno == ENOENT { return nil }
      throw Failure(.failedPrecondition, "token_unreadable", "\(path) cannot be read (error \(errno)): remove it.")
    }
    defer { close(file) }
    // Whoever widened the mode by accident gets it narrowed again.
    guard fchmod(file, 0o600) == 0 else {
      throw Failure(.failedPrecondition, "token_not_ours", "\(path) belongs to somebody else: remove it.")
    }
    var bytes = [UInt8](repeating: 0, count: 128)
    let count = Glibc.read(file, &bytes, bytes.count)
    var text = bytes.prefix(max(0, count))
    while let last = text.last, last == 0x0A || last == 0x0D || last == 0x20 { text.removeLast() }
    let isWhole = text.count == 64 && text.allSatisfy { Character(UnicodeScalar($0)).isHexDigit }
    return isWhole ? String(decoding: text, as: UTF8.self) : nil
  }

  /// Writes beside and renames, so that no reader sees half of it.
  private static func write(_ token: String, to path: String) throws(Failure) {
    let draft = path + ".new"
    unlink(draft)
    let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    let line = Array((token + "\n").utf8)
    let isWritten = file >= 0 && Glibc.write(file, line, line.count) == line.count && fsync(file) == 0
    if file >= 0 { close(file) }
    guard isWritten, rename(draft, path) == 0 else {
      throw Failure(
        .failedPrecondition, "token_unwritable",
        "\(path) cannot be written (error \(errno)): is the disk full, or the folder not the node's?")
    }
  }
}
