import CFFI
import PluginAPI

/// A named value of a signature: a parameter of a method, or its result.
///
/// Made by `bool("x")`, `u64("amount", default: 5)`, `text("name")`, `bytes("to")`, `json("page", of: Page.self)` ….
public struct Value<Content>: Sendable {
  let name: String
  /// As the signature writes it, for example `u64`.
  let type: String
  /// JSON text for callers that leave the argument out.
  let defaultJSON: String?
  /// The C type of the argument; a result is a pointer instead.
  let native: Native
  /// Reads an argument cell that the host filled.
  let load: @Sendable (UnsafeRawPointer) throws(Failure) -> Content
  /// Turns a value into bytes: the slice of a slice type, the memory of a scalar.
  let bytes: @Sendable (Content) throws(Failure) -> [UInt8]
  /// Reads those bytes back, when the value is the result of an import.
  let parse: @Sendable ([UInt8]) throws(Failure) -> Content

  /// How a value crosses the border.
  enum Native {
    case u8, i32, u32, i64, u64, f64, slice

    var type: UnsafeMutablePointer<ffi_type> {
      switch self {
      case .u8: symbolon_ffi_u8()
      case .i32: symbolon_ffi_i32()
      case .u32: symbolon_ffi_u32()
      case .i64: symbolon_ffi_i64()
      case .u64: symbolon_ffi_u64()
      case .f64: symbolon_ffi_f64()
      case .slice: symbolon_ffi_slice()
      }
    }
  }
}

extension Value {
  /// A value of fixed width, whose memory is its C form.
  fileprivate init<Raw: BitwiseCopyable>(
    scalar name: String, _ type: String, _ native: Native, default value: Raw?,
    to raw: @escaping @Sendable (Content) -> Raw, from content: @escaping @Sendable (Raw) -> Content
  ) {
    self.name = name
    self.type = type
    self.native = native
    defaultJSON = value.map { type == "bool" ? ("\($0)" == "0" ? "false" : "true") : "\($0)" }
    load = { cell throws(Failure) in content(cell.loadUnaligned(as: Raw.self)) }
    bytes = { value throws(Failure) in withUnsafeBytes(of: raw(value)) { Array($0) } }
    parse = { bytes throws(Failure) in bytes.withUnsafeBytes { content($0.loadUnaligned(as: Raw.self)) } }
  }

  /// A value that is a slice.
  fileprivate init(
    slice name: String, _ type: String, default json: String?,
    to bytes: @escaping @Sendable (Content) throws(Failure) -> [UInt8],
    from parse: @escaping @Sendable ([UInt8]) throws(Failure) -> Content
  ) {
    self.name = name
    self.type = type
    native = .slice
    defaultJSON = json
    load = { cell throws(Failure) in
      try parse(Array(cell.loadUnaligned(as: symbolon_slice.self).buffer))
    }
    self.bytes = bytes
    self.parse = parse
  }
}

extension Value {
  /// Reads one message of a stream: a scalar comes in canonical form, most significant byte first.
  func item(_ message: [UInt8]) throws(Failure) -> Content {
    guard native != .slice else { return try parse(message) }
    let fits = native == .u8 ? message.count == 1 && message[0] <= 1 : message.count == native.type.pointee.size
    guard fits else {
      throw Failure(.internal, "bad_message", "A message of the stream `\(name)` is no \(type).")
    }
    return try parse(UInt64(littleEndian: 1) == 1 ? message.reversed() : message)
  }
}

/// A truth value.
public func bool(_ name: String, default value: Bool? = nil) -> Value<Bool> {
  Value(scalar: name, "bool", .u8, default: value.map { $0 ? UInt8(1) : 0 }, to: { $0 ? 1 : 0 }, from: { $0 != 0 })
}

/// A signed 32-bit integer.
public func i32(_ name: String, default value: Int32? = nil) -> Value<Int32> {
  Value(scalar: name, "i32", .i32, default: value, to: { $0 }, from: { $0 })
}

/// An unsigned 32-bit integer.
public func u32(_ name: String, default value: UInt32? = nil) -> Value<UInt32> {
  Value(scalar: name, "u32", .u32, default: value, to: { $0 }, from: { $0 })
}

/// A signed 64-bit integer.
public func i64(_ name: String, default value: Int64? = nil) -> Value<Int64> {
  Value(scalar: name, "i64", .i64, default: value, to: { $0 }, from: { $0 })
}

/// An unsigned 64-bit integer.
public func u64(_ name: String, default value: UInt64? = nil) -> Value<UInt64> {
  Value(scalar: name, "u64", .u64, default: value, to: { $0 }, from: { $0 })
}

/// A double; never in a transition.
public func f64(_ name: String, default value: Double? = nil) -> Value<Double> {
  Value(scalar: name, "f64", .f64, default: value, to: { $0 }, from: { $0 })
}

/// UTF-8 text.
public func text(_ name: String, default value: String? = nil) -> Value<String> {
  Value(
    slice: name, "text", default: value.flatMap { try? JSON($0).text },
    to: { value throws(Failure) in Array(value.utf8) },
    from: { bytes throws(Failure) in String(decoding: bytes, as: UTF8.self) })
}

/// Bytes; hexadecimal in JSON and on the command line.
public func bytes(_ name: String, default value: [UInt8]? = nil) -> Value<[UInt8]> {
  Value(
    slice: name, "bytes", default: value.map { "\"" + hexadecimal($0) + "\"" }, to: { value throws(Failure) in value },
    from: { bytes throws(Failure) in bytes })
}

/// JSON text as it is.
public func json(_ name: String, default value: JSON? = nil) -> Value<JSON> {
  Value(
    slice: name, "json", default: value?.text, to: { value throws(Failure) in Array(value.text.utf8) },
    from: { bytes throws(Failure) in JSON(text: String(decoding: bytes, as: UTF8.self)) })
}

/// JSON that is decoded into, or encoded from, a Codable type.
public func json<T: Codable & SendableMetatype>(_ name: String, of type: T.Type) -> Value<T> {
  Value(
    slice: name, "json", default: nil, to: { value throws(Failure) in Array(try JSON(value).text.utf8) },
    from: { bytes throws(Failure) in try JSON(text: String(decoding: bytes, as: UTF8.self)).decode(type) })
}

/// Lowercase hexadecimal, the text form of bytes everywhere.
public func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  var text = ""
  for byte in bytes {
    text += byte < 16 ? "0" : ""
    text += String(byte, radix: 16)
  }
  return text
}
