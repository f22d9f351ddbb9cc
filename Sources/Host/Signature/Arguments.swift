import PluginAPI

/// The arguments of one call, checked against a signature, in the memory form that a native call wants.
///
/// A scalar lies in its cell in host byte order; a slice lies in `bytes` and its cell is filled when the call is made.
package struct Arguments: Equatable, Sendable {
  enum Item: Equatable, Sendable {
    case scalar(UInt64)
    case slice([UInt8])
  }

  private(set) var items: [Item] = []

  // MARK: Canonical form

  /// Limits of the contract (docs/abi.md).
  enum Limit {
    /// The longest slice that a call by name carries.
    static let sliceBytes = 256 << 20
  }

  /// Reads the canonical form: fixed big-endian scalars and length-prefixed slices, in signature order.
  package init(canonical bytes: [UInt8], for signature: Signature) throws(HostError) {
    items.reserveCapacity(signature.parameters.count)
    var position = 0
    for field in signature.parameters {
      guard let item = Self.next(field.type, in: bytes, at: &position) else {
        throw .invalid("truncated_arguments", "The arguments of `\(signature.name)` end inside `\(field.name)`.")
      }
      try Self.check(item, field)
      items.append(item)
    }
    guard position == bytes.count else {
      throw .invalid(
        "surplus_arguments", "\(bytes.count - position) bytes follow the arguments of `\(signature.name)`.")
    }
  }

  /// Takes one value from `position` on; nil when the bytes end inside it.
  private static func next(_ type: ValueType, in bytes: [UInt8], at position: inout Int) -> Item? {
    func number(_ width: Int) -> UInt64? {
      guard bytes.count - position >= width else { return nil }
      var value: UInt64 = 0
      for index in position..<position + width { value = value << 8 | UInt64(bytes[index]) }
      position += width
      return value
    }
    guard type.isSlice else { return number(type.width).map { .scalar($0) } }
    guard let length = number(4), length <= UInt64(bytes.count - position) else { return nil }
    defer { position += Int(length) }
    return .slice(Array(bytes[position..<position + Int(length)]))
  }

  /// The canonical form.
  package func canonical(for signature: Signature) -> [UInt8] {
    var out: [UInt8] = []
    for (field, item) in zip(signature.parameters, items) { Self.append(item, field.type, to: &out) }
    return out
  }

  static func append(_ item: Item, _ type: ValueType, to out: inout [UInt8]) {
    switch item {
    case .scalar(let value):
      for index in (0..<type.width).reversed() { out.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))) }
    case .slice(let bytes):
      for index in (0..<4).reversed() { out.append(UInt8(truncatingIfNeeded: bytes.count >> (8 * index))) }
      out += bytes
    }
  }

  // MARK: JSON form

  /// Reads one JSON object by name; `defaults` fill in what is left out.
  package init(json: JSONValue, for signature: Signature, defaults: [String: JSONValue] = [:]) throws(HostError) {
    guard case .object(let members) = json else {
      throw .invalid("arguments_not_object", "The arguments of `\(signature.name)` must be one JSON object by name.")
    }
    let names = signature.parameters.map(\.name)
    if let unknown = members.keys.sorted().first(where: { !names.contains($0) }) {
      throw .invalid(
        "unknown_argument",
        "`\(signature.name)` has no argument `\(unknown)`"
          + (names.isEmpty ? "; it takes none." : "; it takes \(names.joined(separator: ", "))."))
    }
    for field in signature.parameters {
      guard let value = members[field.name] ?? defaults[field.name] else {
        throw .invalid("missing_argument", "`\(signature.name)` needs the argument `\(field.name)` (\(field.type)).")
      }
      let item = try Self.item(value, field)
      try Self.check(item, field)
      items.append(item)
    }
  }

  private static func item(_ value: JSONValue, _ field: Signature.Field) throws(HostError) -> Item {
    func mismatch(_ expected: String) -> HostError {
      .invalid("wrong_type", "`\(field.name)` must be \(expected), not \(value.kind).")
    }
    func integer<T: FixedWidthInteger>(_ type: T.Type, _ bits: (T) -> UInt64) throws(HostError) -> Item {
      let exact: T? =
        switch value {
        case .integer(let number): T(exactly: number)
        case .unsigned(let number): T(exactly: number)
        case .number(let number): T(exactly: number)
        default: throw mismatch("an integer from \(T.min) to \(T.max)")
        }
      guard let exact else {
        throw .invalid("out_of_range", "`\(field.name)` must be an integer from \(T.min) to \(T.max).")
      }
      return .scalar(bits(exact))
    }
    switch field.type {
    case .bool:
      guard case .bool(let flag) = value else { throw mismatch("true or false") }
      return .scalar(flag ? 1 : 0)
    case .i32: return try integer(Int32.self) { UInt64(UInt32(bitPattern: $0)) }
    case .u32: return try integer(UInt32.self) { UInt64($0) }
    case .i64: return try integer(Int64.self) { UInt64(bitPattern: $0) }
    case .u64: return try integer(UInt64.self) { $0 }
    case .f64:
      switch value {
      case .integer(let number): return .scalar(Double(number).bitPattern)
      case .unsigned(let number): return .scalar(Double(number).bitPattern)
      case .number(let number): return .scalar(number.bitPattern)
      default: throw mismatch("a number")
      }
    case .text:
      guard case .string(let text) = value else { throw mismatch("a text") }
      return .slice(Array(text.utf8))
    case .bytes:
      guard case .string(let text) = value else { throw mismatch("a text of hexadecimal digits") }
      guard let bytes = [UInt8](hexadecimal: text) else {
        throw .invalid("not_hexadecimal", "`\(field.name)` must be an even number of hexadecimal digits.")
      }
      return .slice(bytes)
    case .json: return .slice(Array(value.text.utf8))
    }
  }

  /// What every form must fulfil before a plugin sees it.
  private static func check(_ item: Item, _ field: Signature.Field) throws(HostError) {
    switch (field.type, item) {
    case (.bool, .scalar(let value)) where value > 1:
      throw .invalid("not_bool", "`\(field.name)` must be 0 or 1.")
    case (_, .slice(let bytes)) where bytes.count > Limit.sliceBytes:
      throw .invalid("argument_too_long", "`\(field.name)` is longer than \(Limit.sliceBytes >> 20) MiB.")
    case (.text, .slice(let bytes)), (.json, .slice(let bytes)):
      guard String(validating: bytes, as: UTF8.self) != nil else {
        throw .invalid("not_utf8", "`\(field.name)` is not valid UTF-8.")
      }
    default: break
    }
  }
}

extension Signature {
  /// The canonical results of a call as JSON by name; nil when the bytes do not fit.
  func results(canonical bytes: [UInt8]) -> JSONValue? {
    guard !results.isEmpty, !streams,
      let items = try? Arguments(canonical: bytes, for: Signature(name: name, parameters: results, results: [])).items
    else { return nil }
    var members: [String: JSONValue] = [:]
    for (field, item) in zip(results, items) {
      switch item {
      case .slice(let bytes): members[field.name] = field.json(memory: bytes)
      case .scalar(let value): members[field.name] = field.json(memory: withUnsafeBytes(of: value) { Array($0) })
      }
    }
    return .object(members)
  }

  private init(name: String, parameters: [Field], results: [Field]) {
    (self.name, self.parameters, self.results) = (name, parameters, results)
  }
}

extension Signature.Field {
  /// The JSON form of a value that lies in memory in host byte order.
  func json(memory bytes: [UInt8]) -> JSONValue {
    func load<T: BitwiseCopyable>(_ type: T.Type) -> T? {
      bytes.count < MemoryLayout<T>.size ? nil : bytes.withUnsafeBytes { $0.loadUnaligned(as: type) }
    }
    switch type {
    case .text: return .string(String(decoding: bytes, as: UTF8.self))
    case .bytes: return .string(bytes.hexadecimal)
    case .json: return .raw(String(decoding: bytes, as: UTF8.self))
    case .bool: return load(UInt8.self).map { .bool($0 != 0) } ?? .null
    case .i32: return load(Int32.self).map { .integer(Int64($0)) } ?? .null
    case .u32: return load(UInt32.self).map { .integer(Int64($0)) } ?? .null
    case .i64: return load(Int64.self).map { .integer($0) } ?? .null
    case .u64: return load(UInt64.self).map { .unsigned($0) } ?? .null
    case .f64: return load(Double.self).map { .number($0) } ?? .null
    }
  }
}

extension Signature.Field {
  /// The JSON form of one message of a stream; nil for a scalar that is none.
  func json(item bytes: UnsafeRawBufferPointer) -> JSONValue? {
    if type.isSlice { return json(memory: Array(bytes)) }
    guard type.allows(message: bytes) else { return nil }
    let value = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return json(memory: withUnsafeBytes(of: value) { Array($0) })
  }
}

extension ValueType {
  /// Whether a message to a sink can be one value of this type: a slice bare, a scalar in canonical form.
  func allows(message bytes: UnsafeRawBufferPointer) -> Bool {
    switch self {
    case .bytes: true
    case .text, .json: String(validating: bytes, as: UTF8.self) != nil
    case .bool: bytes.count == 1 && bytes[0] <= 1
    default: bytes.count == width
    }
  }
}

extension [UInt8] {
  /// Reads hexadecimal digits, upper or lower case, with an optional 0x.
  package init?(hexadecimal text: String) {
    var digits = Array(text.utf8)[...]
    if digits.starts(with: Array("0x".utf8)) { digits = digits.dropFirst(2) }
    guard digits.count % 2 == 0 else { return nil }
    self = []
    reserveCapacity(digits.count / 2)
    var high: UInt8?
    for digit in digits {
      let value: UInt8
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = digit - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = digit - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): value = digit - UInt8(ascii: "A") + 10
      default: return nil
      }
      if let first = high {
        append(first << 4 | value)
        high = nil
      } else {
        high = value
      }
    }
  }

  /// Lowercase hexadecimal.
  package var hexadecimal: String {
    var text: [UInt8] = []
    text.reserveCapacity(count * 2)
    let digits = Array<UInt8>("0123456789abcdef".utf8)
    for byte in self {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
