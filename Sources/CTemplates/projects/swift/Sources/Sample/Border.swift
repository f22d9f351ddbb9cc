import CSymbolon

/// Swift on this side of the border, C on the other: nothing that Swift throws or frees crosses it.
extension symbolon_slice {
  /// The bytes as text; the host has checked that they are UTF-8.
  var text: String {
    String(decoding: UnsafeBufferPointer(start: data, count: data == nil ? 0 : Int(size)), as: UTF8.self)
  }
}

/// A result that goes to the caller.
struct Output {
  let sink: UnsafeMutablePointer<symbolon_sink>?

  /// Writes one message; a status other than 0 means: stop, and return it.
  func write(_ bytes: [UInt8]) -> Int32 {
    guard let sink, let write = sink.pointee.write else { return Int32(SYMBOLON_INTERNAL) }
    return bytes.withUnsafeBufferPointer {
      write(sink, symbolon_slice(data: $0.baseAddress, size: UInt64($0.count)))
    }
  }
}

/// Ends a method with a status, a word for programs and a sentence for people.
func fail(_ call: UnsafeMutablePointer<symbolon_call>?, _ status: Int, _ code: String, _ message: String) -> Int32 {
  code.withCString { code in message.withCString { symbolon_fail(call, Int32(status), code, $0) } }
}

/// A value that lives as long as the process, as descriptions do.
func permanent<Value>(_ value: Value) -> UnsafePointer<Value> {
  let place = UnsafeMutablePointer<Value>.allocate(capacity: 1)
  place.initialize(to: value)
  return UnsafePointer(place)
}

/// A text that lives as long as the process.
func permanent(text: String) -> UnsafePointer<CChar> {
  let bytes = text.utf8CString
  let place = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
  for (index, byte) in bytes.enumerated() { (place + index).initialize(to: byte) }
  return UnsafePointer(place)
}

/// A row of the method table.
func method(
  _ signature: String, _ summary: String, _ flags: Int, defaults: String? = nil, _ function: @convention(c) () -> Void
) -> UnsafePointer<symbolon_method>? {
  var row = symbolon_method()
  row.struct_size = UInt32(MemoryLayout<symbolon_method>.size)
  row.flags = UInt32(flags)
  row.signature = permanent(text: signature)
  row.summary = permanent(text: summary)
  row.function = function
  row.defaults = defaults.map { permanent(text: $0) }
  return permanent(row)
}
