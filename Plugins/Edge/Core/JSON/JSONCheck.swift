/// Says whether bytes are one JSON object (RFC 8259), and where they stop being one.
///
/// It runs before the host parses, so that depth is bounded and the position is named; it builds nothing.
package struct JSONCheck {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var at = 0
  private let depthLimit: Int

  /// Throws `malformed_json` with line and column, unless `bytes` is one object.
  package static func object(_ bytes: [UInt8], depthLimit: Int) throws(EdgeFailure) {
    let failure = bytes.withUnsafeBufferPointer { buffer -> EdgeFailure? in
      guard String(validating: buffer, as: UTF8.self) != nil else {
        return EdgeFailure(.invalidArgument, "malformed_json", "The body is not UTF-8; JSON must be.")
      }
      var check = JSONCheck(bytes: buffer, depthLimit: depthLimit)
      do throws(EdgeFailure) {
        try check.document()
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }

  private init(bytes: UnsafeBufferPointer<UInt8>, depthLimit: Int) {
    self.bytes = bytes
    self.depthLimit = depthLimit
  }

  private mutating func document() throws(EdgeFailure) {
    skipSpace()
    guard peek == UInt8(ascii: "{") else { throw wrong("expected an object `{…}` with the arguments by name") }
    try value(depth: 0)
    skipSpace()
    if at < bytes.count { throw wrong("unexpected text after the object") }
  }

  private mutating func value(depth: Int) throws(EdgeFailure) {
    switch peek {
    case UInt8(ascii: "{"): try members(depth: depth + 1)
    case UInt8(ascii: "["): try elements(depth: depth + 1)
    case UInt8(ascii: "\""): try string()
    case UInt8(ascii: "t"): try word("true")
    case UInt8(ascii: "f"): try word("false")
    case UInt8(ascii: "n"): try word("null")
    case let byte? where byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
      try number()
    case nil: throw wrong("the text ends where a value is expected")
    default: throw wrong("expected a value")
    }
  }

  private mutating func members(depth: Int) throws(EdgeFailure) {
    try enter(depth)
    if close(UInt8(ascii: "}")) { return }
    while true {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw wrong("expected a name in double quotes") }
      try string()
      skipSpace()
      guard peek == UInt8(ascii: ":") else { throw wrong("expected `:` after the name") }
      at += 1
      skipSpace()
      try value(depth: depth)
      if close(UInt8(ascii: "}")) { return }
      guard peek == UInt8(ascii: ",") else { throw wrong("expected `,` or `}`") }
      at += 1
    }
  }

  private mutating func elements(depth: Int) throws(EdgeFailure) {
    try enter(depth)
    if close(UInt8(ascii: "]")) { return }
    while true {
      skipSpace()
      try value(depth: depth)
      if close(UInt8(ascii: "]")) { return }
      guard peek == UInt8(ascii: ",") else { throw wrong("expected `,` or `]`") }
      at += 1
    }
  }

  private mutating func enter(_ depth: Int) throws(EdgeFailure) {
    guard depth <= depthLimit else { throw wrong("nested deeper than \(depthLimit)") }
    at += 1
  }

  private mutating func close(_ byte: UInt8) -> Bool {
    skipSpace()
    guard peek == byte else { return false }
    at += 1
    return true
  }

  private mutating func string() throws(EdgeFailure) {
    at += 1
    while let byte = peek {
      switch byte {
      case UInt8(ascii: "\""):
        at += 1
        return
      case UInt8(ascii: "\\"):
        at += 1
        try escape()
      case 0..<0x20:
        throw wrong("a control character inside a string must be escaped")
      default:
        at += 1
      }
    }
    throw wrong("the string is not closed")
  }

  private mutating func escape() throws(EdgeFailure) {
    switch peek {
    case UInt8(ascii: "u"):
      at += 1
      for _ in 0..<4 {
        guard let digit = peek, Character(UnicodeScalar(digit)).isHexDigit else {
          throw wrong("`\\u` needs four hexadecimal digits")
        }
        at += 1
      }
    case let byte? where "\"\\/bfnrt".utf8.contains(byte):
      at += 1
    default:
      throw wrong("unknown escape in a string")
    }
  }

  private mutating func number() throws(EdgeFailure) {
    if peek == UInt8(ascii: "-") { at += 1 }
    if peek == UInt8(ascii: "0") { at += 1 } else { try digits() }
    if peek == UInt8(ascii: ".") {
      at += 1
      try digits()
    }
    if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
      at += 1
      if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { at += 1 }
      try digits()
    }
  }

  private mutating func digits() throws(EdgeFailure) {
    let start = at
    while let byte = peek, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { at += 1 }
    if at == start { throw wrong("expected a digit") }
  }

  private mutating func word(_ word: StaticString) throws(EdgeFailure) {
    for index in 0..<word.utf8CodeUnitCount {
      guard peek == word.utf8Start[index] else { throw wrong("expected `\(word)`") }
      at += 1
    }
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
  }

  private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

  private func wrong(_ what: String) -> EdgeFailure {
    let before = bytes[..<at]
    let line = before.count { $0 == 0x0A } + 1
    let column = at - (before.lastIndex(of: 0x0A) ?? -1)
    return EdgeFailure(
      .invalidArgument, "malformed_json",
      "The body is not the JSON that was expected: \(what), at line \(line), column \(column) (byte \(at)).")
  }
}
