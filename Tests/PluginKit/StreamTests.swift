import PluginAPI
import PluginKit
import Testing

private final class Nothing: Sendable {}

/// Messages of a `stream<T>` of scalars, as a C host sees them.
@Suite struct StreamTests {
  private static let plugin = Plugin(
    id: "streams", version: "1.0.0", summary: "Streams",
    methods: [
      Method(streaming: "flags", "Truth", [], stream: bool("items")) { (_: Nothing, _, out) in
        try out.write(true)
        try out.write(false)
      },
      Method(streaming: "integers", "Integers", [], stream: i32("items")) { (_: Nothing, _, out) in
        for item in [-2, 258] as [Int32] { try out.write(item) }
      },
      Method(streaming: "counts", "Counts", [], stream: u64("items")) { (_: Nothing, _, out) in
        for item in [0x0102_0304_0506_0708, .max] as [UInt64] { try out.write(item) }
      },
      Method(streaming: "fractions", "Fractions", [], stream: f64("items")) { (_: Nothing, _, out) in
        try out.write(2.5 as Double)
      },
    ], create: { _ in Nothing() })

  private static let expected: [(String, [[UInt8]])] = [
    ("flags() -> (items: stream<bool>)", [[1], [0]]),
    ("integers() -> (items: stream<i32>)", [[0xff, 0xff, 0xff, 0xfe], [0, 0, 1, 2]]),
    ("counts() -> (items: stream<u64>)", [[1, 2, 3, 4, 5, 6, 7, 8], [UInt8](repeating: 0xff, count: 8)]),
    ("fractions() -> (items: stream<f64>)", [[0x40, 4, 0, 0, 0, 0, 0, 0]]),
  ]

  @Test func scalarsAreWrittenMostSignificantByteFirst() throws {
    typealias Stream =
      @convention(c) (
        UnsafeMutableRawPointer?, UnsafeMutablePointer<symbolon_call>?, UnsafeMutablePointer<symbolon_sink>?
      ) -> Int32
    let native = try #require(Self.plugin.describe(UInt32(SYMBOLON_ABI)))
    var call = symbolon_call()
    call.struct_size = UInt32(MemoryLayout<symbolon_call>.size)
    let object = Unmanaged.passRetained(Nothing())
    defer { object.release() }
    for (index, (signature, messages)) in Self.expected.enumerated() {
      let method = try #require(native.pointee.methods[index]).pointee
      #expect(String(cString: method.signature) == signature)
      var received: [[UInt8]] = []
      withUnsafeMutablePointer(to: &received) { received in
        var sink = symbolon_sink()
        sink.struct_size = UInt32(MemoryLayout<symbolon_sink>.size)
        sink.context = UnsafeMutableRawPointer(received)
        sink.write = { sink, message in
          let bytes = Array(UnsafeBufferPointer(start: message.data, count: Int(message.size)))
          sink?.pointee.context.assumingMemoryBound(to: [[UInt8]].self).pointee.append(bytes)
          return 0
        }
        #expect(unsafeBitCast(method.function, to: Stream.self)(object.toOpaque(), &call, &sink) == 0)
      }
      #expect(received == messages)
    }
  }
}
