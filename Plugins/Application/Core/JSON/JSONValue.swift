/// A JSON document that keeps the order of members and the exact text of numbers.
///
/// Requests are read with it because strict errors need what `Decodable` forgets: which members were there, and whether
/// a number was written as an integer.
package indirect enum JSONValue: Equatable, Sendable {
  case null
  case bool(Bool)
  /// A number as it was written.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// One name and value of an object.
  package struct Member: Equatable, Sendable {
    package var name: String
    package var value: JSONValue

    package init(_ name: String, _ value: JSONValue) {
      self.name = name
      self.value = value
    }
  }

  package static func integer(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

  /// The value of a member, or nil when this is no object or has no such member.
  package subscript(name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  package var stringValue: String? {
    if case .string(let value) = self { value } else { nil }
  }

  package var arrayValue: [JSONValue]? {
    if case .array(let value) = self { value } else { nil }
  }

  /// The number as an unsigned integer; nil when it has a sign, a fraction, an exponent or too many digits.
  package var unsignedValue: UInt64? {
    guard case .number(let text) = self else { return nil }
    return UInt64(text)
  }

  /// The number as a floating-point value; nil when it is no number or is too large to be one.
  package var doubleValue: Double? {
    guard case .number(let text) = self, let value = Double(text), value.isFinite else { return nil }
    return value
  }

  /// The type as OpenAI's error messages call it, article included.
  package var typeName: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .number(let text): text.utf8.allSatisfy { $0 != 0x2E && $0 | 0x20 != 0x65 } ? "an integer" : "a decimal"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}

extension JSONValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral
{
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  package init(stringLiteral value: String) { self = .string(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(integerLiteral value: Int64) { self = .number(String(value)) }
}
