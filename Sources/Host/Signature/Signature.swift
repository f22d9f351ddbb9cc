import FoundationEssentials

/// One line of text from which the native call, the command line, HTTP and transactions derive.
///
/// Grammar: `name(parameter: type, …) -> (result: type, …)`, the arrow and results left out when there are none;
/// `stream<T>` is allowed as the last result.
package struct Signature: Equatable, Sendable, CustomStringConvertible {
  /// A named value of a signature.
  package struct Field: Equatable, Sendable {
    package var name: String
    package var type: ValueType
    package var isStream = false

    var text: String { isStream ? "\(name): stream<\(type)>" : "\(name): \(type)" }
  }

  /// Limits of the contract (`symbolon/method.h`).
  enum Limit {
    static let fields = 16
    static let nameBytes = 48
    static let textBytes = 1024
  }

  package var name: String
  package var parameters: [Field]
  package var results: [Field]

  package var streams: Bool { results.last?.isStream ?? false }

  /// The canonical text: what is hashed and compared.
  package var description: String {
    "\(name)(\(parameters.map(\.text).joined(separator: ", ")))"
      + (results.isEmpty ? "" : " -> (\(results.map(\.text).joined(separator: ", ")))")
  }

  /// The SHA-256 of the canonical text, in hexadecimal: a released method keeps it for good.
  package var identity: String { LibraryStore.sha256(Data(description.utf8)) }

  /// Parses a signature; the error names the byte where it went wrong.
  package init(parsing text: String) throws(HostError) {
    guard text.utf8.count <= Limit.textBytes else {
      throw .invalid("signature_too_long", "A signature has at most \(Limit.textBytes) bytes.")
    }
    var parser = SignatureParser(text)
    name = try parser.name()
    parameters = try parser.fields(allowStream: false)
    results = parser.accept("->") ? try parser.fields(allowStream: true) : []
    try parser.end()
    try Self.check(parameters, results, text)
  }

  /// Names are unique among the parameters and among the results: each of them is one JSON object.
  private static func check(_ parameters: [Field], _ results: [Field], _ text: String) throws(HostError) {
    guard parameters.count + results.count <= Limit.fields else {
      throw .invalid("signature_too_wide", "`\(text)` has more than \(Limit.fields) parameters and results.")
    }
    for fields in [parameters, results] {
      for (index, field) in fields.enumerated() where fields[..<index].contains(where: { $0.name == field.name }) {
        throw .invalid("signature_repeats_name", "`\(text)` uses the name `\(field.name)` twice.")
      }
    }
    if let early = results.dropLast().first(where: \.isStream) {
      throw .invalid("signature_stream_not_last", "`\(text)`: the stream `\(early.name)` must be the last result.")
    }
  }
}

/// Reads a signature from left to right.
private struct SignatureParser {
  private let text: String
  private let bytes: [UInt8]
  private var position = 0

  init(_ text: String) {
    self.text = text
    bytes = Array(text.utf8)
  }

  mutating func name() throws(HostError) -> String {
    skipSpaces()
    let start = position
    while position < bytes.count, Self.isNameByte(bytes[position], first: position == start) { position += 1 }
    let length = position - start
    guard length > 0, length <= Signature.Limit.nameBytes else {
      throw failure("a name ([a-z][a-z0-9_]*, at most \(Signature.Limit.nameBytes) bytes) was expected")
    }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  mutating func fields(allowStream: Bool) throws(HostError) -> [Signature.Field] {
    try expect("(")
    if accept(")") { return [] }
    var fields: [Signature.Field] = []
    repeat {
      let name = try name()
      try expect(":")
      let word = try self.name()
      if word == "stream", allowStream {
        try expect("<")
        fields.append(Signature.Field(name: name, type: try type(try self.name()), isStream: true))
        try expect(">")
      } else {
        fields.append(Signature.Field(name: name, type: try type(word)))
      }
    } while accept(",")
    try expect(")")
    return fields
  }

  mutating func accept(_ token: StaticString) -> Bool {
    skipSpaces()
    guard bytes.count - position >= token.utf8CodeUnitCount else { return false }
    for index in 0..<token.utf8CodeUnitCount where bytes[position + index] != token.utf8Start[index] { return false }
    position += token.utf8CodeUnitCount
    return true
  }

  mutating func end() throws(HostError) {
    skipSpaces()
    guard position == bytes.count else { throw failure("nothing more was expected") }
  }

  private mutating func expect(_ token: StaticString) throws(HostError) {
    guard accept(token) else { throw failure("`\(token)` was expected") }
  }

  private func type(_ word: String) throws(HostError) -> ValueType {
    guard let type = ValueType(rawValue: word) else {
      throw failure("`\(word)` is not a type (\(ValueType.allCases.map(\.rawValue).joined(separator: " ")))")
    }
    return type
  }

  private mutating func skipSpaces() {
    while position < bytes.count, bytes[position] == UInt8(ascii: " ") { position += 1 }
  }

  private func failure(_ reason: String) -> HostError {
    .invalid("signature_syntax", "Signature `\(text)`: \(reason) at byte \(position + 1).")
  }

  private static func isNameByte(_ byte: UInt8, first: Bool) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): !first
    default: false
    }
  }
}
