/// Reads RFC 8259 JSON strictly and within bounds: no trailing text, no member twice, limited depth and size.
package struct JSONParser {
  /// The deepest nesting that is read; a deeper document is refused, not recursed into.
  package static let mostLevels = 64
  /// The most values of one document.
  package static let mostValues = 1_000_000
  /// The longest number.
  package static let mostDigits = 64

  /// Why a document was refused, and at which byte.
  package struct Fault: Error, Equatable {
    package let offset: Int
    package let reason: String
  }

  private let bytes: [UInt8]
  private var position = 0
  private var values = 0

  private init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Parses one complete document.
  package static func parse(_ text: String) throws(Fault) -> JSONValue {
    var parser = JSONParser(Array(text.utf8))
    parser.skipSpace()
    let value = try parser.value(level: 0)
    parser.skipSpace()
    guard parser.position == parser.bytes.count else { throw parser.fault("text follows the end of the document") }
    return value
  }

  private func fault(_ reason: String) -> Fault { Fault(offset: position, reason: reason) }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { position += 1 }
  }

  private mutating func value(level: Int) throws(Fault) -> JSONValue {
    guard level < Self.mostLevels else { throw fault("it is nested more than \(Self.mostLevels) levels deep") }
    values += 1
    guard values <= Self.mostValues else { throw fault("it has more than \(Self.mostValues) values") }
    guard let first = next else { throw fault("it ends too early") }
    switch first {
    case UInt8(ascii: "{"): return try object(level: level)
    case UInt8(ascii: "["): return try array(level: level)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
    default: throw fault("a value is expected")
    }
  }

  private mutating func word(_ word: String, _ value: JSONValue) throws(Fault) -> JSONValue {
    guard bytes[position...].starts(with: word.utf8) else { throw fault("a value is expected") }
    position += word.utf8.count
    return value
  }

  private mutating func object(level: Int) throws(Fault) -> JSONValue {
    position += 1
    var members: [JSONValue.Member] = []
    var names: Set<String> = []
    skipSpace()
    if next == UInt8(ascii: "}") {
      position += 1
      return .object([])
    }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw fault("a name in quotes is expected") }
      let name = try string()
      guard names.insert(name).inserted else { throw fault("the member \"\(name.prefix(64))\" is there twice") }
      skipSpace()
      guard next == UInt8(ascii: ":") else { throw fault("':' is expected") }
      position += 1
      skipSpace()
      members.append(JSONValue.Member(name, try value(level: level + 1)))
      if try !hasMore(until: UInt8(ascii: "}")) { return .object(members) }
    }
  }

  private mutating func array(level: Int) throws(Fault) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if next == UInt8(ascii: "]") {
      position += 1
      return .array([])
    }
    while true {
      skipSpace()
      elements.append(try value(level: level + 1))
      if try !hasMore(until: UInt8(ascii: "]")) { return .array(elements) }
    }
  }

  /// Reads the comma before another element, or the end.
  private mutating func hasMore(until end: UInt8) throws(Fault) -> Bool {
    skipSpace()
    guard let separator = next, separator == UInt8(ascii: ",") || separator == end else {
      throw fault("',' or '\(Character(Unicode.Scalar(end)))' is expected")
    }
    position += 1
    return separator != end
  }

  private mutating func digits() throws(Fault) {
    let start = position
    while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
    guard position > start else { throw fault("a digit is expected") }
  }

  private mutating func number() throws(Fault) -> String {
    let start = position
    if next == UInt8(ascii: "-") { position += 1 }
    let whole = position
    try digits()
    guard bytes[whole] != UInt8(ascii: "0") || position == whole + 1 else { throw fault("a number begins with 0") }
    if next == UInt8(ascii: ".") {
      position += 1
      try digits()
    }
    if let byte = next, byte | 0x20 == UInt8(ascii: "e") {
      position += 1
      if let sign = next, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
      try digits()
    }
    guard position - start <= Self.mostDigits else {
      throw fault("a number has more than \(Self.mostDigits) characters")
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func string() throws(Fault) -> String {
    position += 1
    var text: [UInt8] = []
    while true {
      let start = position
      while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
      text += bytes[start..<position]
      switch next {
      case UInt8(ascii: "\""):
        position += 1
        return String(decoding: text, as: UTF8.self)
      case UInt8(ascii: "\\"): try escape(into: &text)
      case nil: throw fault("a text is not closed")
      default: throw fault("a control character in a text is not escaped")
      }
    }
  }

  private mutating func escape(into text: inout [UInt8]) throws(Fault) {
    position += 1
    guard let letter = next else { throw fault("a text is not closed") }
    position += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(letter)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0c)
    case UInt8(ascii: "n"): text.append(0x0a)
    case UInt8(ascii: "r"): text.append(0x0d)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"): text += Array(String(Character(try scalar())).utf8)
    default: throw fault("an escape is unknown")
    }
  }

  private mutating func scalar() throws(Fault) -> Unicode.Scalar {
    var value = try hexUnit()
    if (0xd800...0xdbff).contains(value) {
      guard next == UInt8(ascii: "\\"), position + 1 < bytes.count, bytes[position + 1] == UInt8(ascii: "u") else {
        throw fault("half of a surrogate pair is missing")
      }
      position += 2
      let low = try hexUnit()
      guard (0xdc00...0xdfff).contains(low) else { throw fault("half of a surrogate pair is missing") }
      value = 0x10000 + (value - 0xd800) << 10 + (low - 0xdc00)
    }
    guard let scalar = Unicode.Scalar(value) else { throw fault("half of a surrogate pair is missing") }
    return scalar
  }

  private mutating func hexUnit() throws(Fault) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw fault("\\u needs four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }
}
