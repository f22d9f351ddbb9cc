/// JSON as a transaction may carry it: integers only, no key twice, bounded, with one written form.
///
/// Libraries disagree on duplicate keys, large numbers and odd Unicode; what nodes must agree on is read by this one
/// instead. `text` is the one written form: keys sorted by their UTF-8 bytes, nothing between the tokens, only the
/// escapes that JSON demands.
public indirect enum StrictJSON: Hashable, Sendable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number without fraction or exponent, -2^63 to 2^64-1.
  case integer(Int128)
  /// Text.
  case string(String)
  /// A list.
  case array([StrictJSON])
  /// Values by name; no two names are equal.
  case object([String: StrictJSON])

  /// Reads UTF-8 JSON of at most `limit` bytes, nested at most `depth` deep.
  public init(_ text: String, limit: Int, depth: Int = 16) throws(StrictJSONError) {
    var text = text
    let parsed = text.withUTF8 { bytes in
      Result { () throws(StrictJSONError) in
        guard bytes.count <= limit else {
          throw StrictJSONError(
            offset: limit, sentence: "The text has \(bytes.count) bytes; at most \(limit) are allowed")
        }
        var parser = StrictJSONParser(bytes: bytes, depth: depth)
        return try parser.document()
      }
    }
    self = try parsed.get()
  }

  /// The one written form of this value.
  public var text: String {
    var bytes: [UInt8] = []
    write(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The values by name, when this is an object.
  public var object: [String: StrictJSON]? { if case .object(let members) = self { members } else { nil } }
  /// The elements, when this is a list.
  public var array: [StrictJSON]? { if case .array(let elements) = self { elements } else { nil } }
  /// The text, when this is one.
  public var string: String? { if case .string(let string) = self { string } else { nil } }
  /// The number, when this is one from 0 to 2^64-1.
  public var unsigned: UInt64? { if case .integer(let number) = self { UInt64(exactly: number) } else { nil } }
  /// The truth value, when this is one.
  public var bool: Bool? { if case .bool(let flag) = self { flag } else { nil } }

  private func write(to bytes: inout [UInt8]) {
    switch self {
    case .null: bytes.append(contentsOf: "null".utf8)
    case .bool(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
    case .integer(let number): bytes.append(contentsOf: number.description.utf8)
    case .string(let string): Self.write(string, to: &bytes)
    case .array(let elements):
      bytes.append(UInt8(ascii: "["))
      for (index, element) in elements.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        element.write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .object(let members):
      bytes.append(UInt8(ascii: "{"))
      // A dictionary has no order of its own: the sorted names are the only one that two processes share.
      let sorted = members.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      for (index, member) in sorted.enumerated() {
        if index > 0 { bytes.append(UInt8(ascii: ",")) }
        Self.write(member.key, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        member.value.write(to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    }
  }

  private static func write(_ string: String, to bytes: inout [UInt8]) {
    let digits = Array("0123456789abcdef".utf8)
    bytes.append(UInt8(ascii: "\""))
    for byte in string.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
      case 0x08: bytes.append(contentsOf: "\\b".utf8)
      case 0x09: bytes.append(contentsOf: "\\t".utf8)
      case 0x0A: bytes.append(contentsOf: "\\n".utf8)
      case 0x0C: bytes.append(contentsOf: "\\f".utf8)
      case 0x0D: bytes.append(contentsOf: "\\r".utf8)
      case 0..<0x20:
        bytes.append(contentsOf: "\\u00".utf8)
        bytes.append(contentsOf: [digits[Int(byte >> 4)], digits[Int(byte & 15)]])
      default: bytes.append(byte)
      }
    }
    bytes.append(UInt8(ascii: "\""))
  }
}

/// Where a text stops being JSON that a transaction may carry.
public struct StrictJSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The byte at which the fault was seen, counted from 0.
  public let offset: Int
  /// What is wrong there, without a full stop.
  public let sentence: String

  /// One sentence with the place of the fault.
  public var description: String { "\(sentence) (byte \(offset) of the JSON)." }
}
