import CSymbolon

// Each method is a C function and one line of text; the host derives command line, HTTP and OpenAPI from the line.

private typealias Greet =
  @convention(c) (
    UnsafeMutableRawPointer?, UnsafeMutablePointer<symbolon_call>?, symbolon_slice, UnsafeMutablePointer<symbolon_sink>?
  ) -> Int32
private typealias Count =
  @convention(c) (
    UnsafeMutableRawPointer?, UnsafeMutablePointer<symbolon_call>?, UInt32, UnsafeMutablePointer<symbolon_sink>?
  ) -> Int32

private let greet: Greet = { _, call, name, greeting in
  guard let text = Greeting.text(for: name.text) else {
    return fail(call, SYMBOLON_INVALID_ARGUMENT, "bad_name", "A name has 1 to 64 bytes.")
  }
  return Output(sink: greeting).write(Array(text.utf8))
}

private let count: Count = { _, call, limit, numbers in
  for number in 0..<limit {
    // The canonical form of a u32: four bytes, most significant first.
    let status = Output(sink: numbers).write((0..<4).reversed().map { UInt8(truncatingIfNeeded: number >> (8 * $0)) })
    if status != 0 { return status }
    if let call, let cancelled = call.pointee.cancelled, cancelled(call) != 0 {
      return fail(call, SYMBOLON_CANCELLED, "cancelled", "Nobody waits for the numbers any more.")
    }
  }
  return 0
}

// Proof: written once, before the first use, and only read afterwards.
nonisolated(unsafe) private let plugin: UnsafePointer<symbolon_plugin> = {
  let rows = [
    method(
      "greet(name: text) -> (greeting: text)", "Say hello", SYMBOLON_READS | SYMBOLON_PUBLIC,
      unsafeBitCast(greet, to: (@convention(c) () -> Void).self)),
    method(
      "count(limit: u32) -> (numbers: stream<u32>)", "Count", SYMBOLON_READS | SYMBOLON_STREAMS,
      defaults: #"{"limit":3}"#, unsafeBitCast(count, to: (@convention(c) () -> Void).self)),
  ]
  let table = UnsafeMutablePointer<UnsafePointer<symbolon_method>?>.allocate(capacity: rows.count)
  for (index, row) in rows.enumerated() { (table + index).initialize(to: row) }
  var plugin = symbolon_plugin()
  plugin.struct_size = UInt32(MemoryLayout<symbolon_plugin>.size)
  plugin.abi = UInt32(SYMBOLON_ABI)
  plugin.id = permanent(text: "sample")
  plugin.version = permanent(text: "0.1.0")
  plugin.summary = permanent(text: "Says hello and counts")
  plugin.methods = UnsafePointer(table)
  plugin.method_count = UInt32(rows.count)
  return permanent(plugin)
}()

/// What the host asks for first; instances would be made in `create`, and these methods need none.
@_cdecl("symbolon_plugin_entry")
public func symbolonPluginEntry(_ hostABI: UInt32) -> UnsafePointer<symbolon_plugin>? {
  hostABI >= UInt32(SYMBOLON_ABI) ? plugin : nil
}
