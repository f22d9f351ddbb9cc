/// Reads one JSON document by recursive descent; the depth bound keeps the stack small.
struct StrictJSONParser {
  let bytes: UnsafeBufferPointer<UInt8>
  let depth: Int
  private var position = 0

  init(bytes: UnsafeBufferPointer<UInt8>, depth: Int) {
    self.bytes = bytes
    self.depth = depth
  }

  mutating func document() throws(StrictJSONError) -> StrictJSON {
    skipSpace()
    let value = try value(depth: depth)
    skipSpace()
    guard position == bytes.count else { throw fault("Something follows the end of the value") }
    return value
  }

  private mutating func value(depth: Int) throws(StrictJSONError) -> StrictJSON {
    guard depth > 0 else { throw fault("The values are nested more than \(self.depth) deep") }
    switch peek {
    case UInt8(ascii: "{"): return .object(try object(depth: depth - 1))
    case UInt8(ascii: "["): return .array(try array(depth: depth - 1))
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return .integer(try integer())
    case nil: throw fault("A value is missing: the text ends")
    default: throw fault("A value is expected here")
    }
  }

  private mutating func object(depth: Int) throws(StrictJSONError) -> [String: StrictJSON] {
    var members: [String: StrictJSON] = [:]
    position += 1
    skipSpace()
    if take("}") { return members }
    while true {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw fault("A name in double quotes is expected here") }
      let start = position
      let name = try string()
      skipSpace()
      guard take(":") else { throw fault("A colon is expected here") }
      skipSpace()
      // Swift compares text by canonical equivalence: two spellings of one name are refused like one name.
      guard members.updateValue(try value(depth: depth), forKey: name) == nil else {
        throw StrictJSONError(offset: start, sentence: "The name `\(name)` appears twice in one object")
      }
      skipSpace()
      if take("}") { return members }
      guard take(",") else { throw fault("A comma or `}` is expected here") }
    }
  }

  private mutating func array(depth: Int) throws(StrictJSONError) -> [StrictJSON] {
    var elements: [StrictJSON] = []
    position += 1
    skipSpace()
    if take("]") { return elements }
    while true {
      skipSpace()
      elements.append(try value(depth: depth))
      skipSpace()
      if take("]") { return elements }
      guard take(",") else { throw fault("A comma or `]` is expected here") }
    }
  }

  private mutating func integer() throws(StrictJSONError) -> Int128 {
    let start = position
    let isNegative = take("-")
    let first = position
    var magnitude: Int128 = 0
    while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
      magnitude = magnitude * 10 + Int128(byte - UInt8(ascii: "0"))
      position += 1
      guard magnitude <= Int128(UInt64.max) else {
        throw StrictJSONError(offset: start, sentence: "A number is outside -2^63 to 2^64-1")
      }
    }
    guard position > first else { throw fault("A digit is expected here") }
    guard bytes[first] != UInt8(ascii: "0") || position == first + 1 else {
      throw StrictJSONError(offset: start, sentence: "A number begins with a zero")
    }
    if let next = peek, next == UInt8(ascii: ".") || next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      throw StrictJSONError(
        offset: start, sentence: "A number has a fraction or an exponent; write an integer in a smaller unit")
    }
    let number = isNegative ? -magnitude : magnitude
    guard number >= Int128(Int64.min), !(isNegative && magnitude == 0) else {
      throw StrictJSONError(offset: start, sentence: "A number is outside -2^63 to 2^64-1, or is -0")
    }
    return number
  }

  private mutating func string() throws(StrictJSONError) -> String {
    let start = position
    var content: [UInt8] = []
    position += 1
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: content, as: UTF8.self) else {
          throw StrictJSONError(offset: start, sentence: "A text is not valid UTF-8")
        }
        return text
      case UInt8(ascii: "\\"): content.append(contentsOf: String(try escape()).utf8)
      case 0..<0x20: throw fault("A control character stands in a text; escape it")
      default: content.append(byte)
      }
    }
    throw StrictJSONError(offset: start, sentence: "A text has no closing quote")
  }

  private mutating func escape() throws(StrictJSONError) -> Unicode.Scalar {
    guard let byte = peek else { throw fault("An escape is cut off") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{08}"
    case UInt8(ascii: "f"): return "\u{0C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var code = try fourDigits()
      if (0xD800..<0xDC00).contains(code) {
        guard take("\\"), take("u") else { throw fault("Half of a surrogate pair is missing") }
        let low = try fourDigits()
        guard (0xDC00..<0xE000).contains(low) else { throw fault("Half of a surrogate pair is missing") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw fault("An escape names no character") }
      return scalar
    default: throw fault("There is no escape of this letter")
    }
  }

  private mutating func fourDigits() throws(StrictJSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw fault("Four hexadecimal digits are expected here")
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }

  private mutating func word(_ word: StaticString, _ value: StrictJSON) throws(StrictJSONError) -> StrictJSON {
    let end = position + word.utf8CodeUnitCount
    guard end <= bytes.count, (0..<word.utf8CodeUnitCount).allSatisfy({ bytes[position + $0] == word.utf8Start[$0] })
    else { throw fault("A value is expected here") }
    position = end
    return value
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private func fault(_ sentence: String) -> StrictJSONError { StrictJSONError(offset: position, sentence: sentence) }
}
