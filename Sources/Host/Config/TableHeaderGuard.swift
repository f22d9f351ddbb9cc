/// Finds table headers that the TOML parser cannot take: toml++ 3 ends the process, by an assertion, when a header's
/// first character is neither a bare key character, nor a quote, nor `]`.
///
/// Follows strings, comments and brackets just far enough to know which lines are headers.
struct TableHeaderGuard {
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var lineStart = 0
  private var depth = 0

  init(_ text: String) {
    let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
    bytes = Array(text.utf8)
    if bytes.starts(with: byteOrderMark) { position = byteOrderMark.count }
  }

  /// Line and column (from 1) of the first such header.
  mutating func firstFault() -> (line: Int, column: Int)? {
    while position < bytes.count {
      skipBlanks()
      if depth == 0, current == UInt8(ascii: "[") {
        if let fault = checkHeader() { return fault }
        skipLine()
      } else {
        scanLine()
      }
    }
    return nil
  }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func checkHeader() -> (line: Int, column: Int)? {
    position += 1
    if current == UInt8(ascii: "[") { position += 1 }
    skipBlanks()
    switch current ?? 0 {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "\""),
      UInt8(ascii: "'"), UInt8(ascii: "]"):
      return nil
    default: return (line, position - lineStart + 1)
    }
  }

  /// Reads a line that is no header, up to its end outside of strings.
  private mutating func scanLine() {
    while let byte = current {
      switch byte {
      case UInt8(ascii: "\n"): return nextLine()
      case UInt8(ascii: "#"): return skipLine()
      case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: "]"), UInt8(ascii: "}"): depth = max(0, depth - 1)
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        skipString(byte)
        continue
      default: break
      }
      position += 1
    }
  }

  /// Skips a string of any of the four kinds; an unfinished one-line string ends with its line.
  private mutating func skipString(_ quote: UInt8) {
    let isLong = bytes[position...].starts(with: [quote, quote, quote])
    position += isLong ? 3 : 1
    while let byte = current {
      if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        position += 1
        if current == UInt8(ascii: "\n") { nextLine() } else { position += 1 }
      } else if byte == quote, !isLong || bytes[position...].starts(with: [quote, quote, quote]) {
        position += isLong ? 3 : 1
        return
      } else if byte == UInt8(ascii: "\n") {
        guard isLong else { return }
        nextLine()
      } else {
        position += 1
      }
    }
  }

  private mutating func skipBlanks() {
    while current == UInt8(ascii: " ") || current == UInt8(ascii: "\t") { position += 1 }
  }

  private mutating func skipLine() {
    while let byte = current, byte != UInt8(ascii: "\n") { position += 1 }
    if current != nil { nextLine() }
  }

  private mutating func nextLine() {
    position += 1
    line += 1
    lineStart = position
  }
}
