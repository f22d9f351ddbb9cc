import PluginAPI
import PluginKit
import Testing

private final class Counter: Sendable {}

private struct Pair: Codable, Sendable, Equatable {
  var left: Int
  var right: String
}

/// What a C host sees of a layer that is written in Swift.
@Suite struct PluginTests {
  private static let plugin = Plugin(
    id: "sample", version: "1.2.3", summary: "A sample",
    methods: [
      Method(
        "concat", "Join", [.reads, .public], text("a"), bytes("b", default: [1, 2]), returns: text("c"),
        deadline: .microseconds(250_001)
      ) {
        (_: Counter, _, a, b) in a + "/" + b.map(String.init).joined(separator: ",")
      },
      Method(
        "mix", "All scalars", [], bool("flag"), i32("a"), u32("b"), i64("c"), u64("d", default: 7), f64("e"),
        returns: f64("sum")
      ) { (_: Counter, _, flag, a, b, c, d, e) in
        let integers: [Double] = [flag ? 1 : 0, Double(a), Double(b), Double(c), Double(d)]
        return integers.reduce(e, +)
      },
      Method("fail", "Always fails", .transition) { (_: Counter, _) throws in
        throw Failure(.notFound, "no_such_thing", "There is no such thing: look elsewhere.")
      },
      Method("pair", "Typed JSON", [], json("pair", of: Pair.self), returns: json("pair", of: Pair.self)) {
        (_: Counter, _, pair) in Pair(left: pair.left + 1, right: pair.right)
      },
      Method(streaming: "count", "Count", [], u32("limit"), stream: text("numbers")) { (_: Counter, _, out, limit) in
        for number in 0..<limit { try out.write("\(number)") }
      },
    ], create: { _ in Counter() })

  private var native: UnsafePointer<symbolon_plugin> {
    get throws { try #require(Self.plugin.describe(UInt32(SYMBOLON_ABI))) }
  }

  private func method(_ index: Int) throws -> symbolon_method {
    let table = try native.pointee.methods
    return try #require(table?[index]).pointee
  }

  @Test func describesItself() throws {
    let native = try native
    #expect(String(cString: native.pointee.id) == "sample")
    #expect(String(cString: native.pointee.version) == "1.2.3")
    #expect(native.pointee.method_count == 5)
    #expect(native.pointee.abi == UInt32(SYMBOLON_ABI))
  }

  @Test func namesADeadlineInWholeMilliseconds() throws {
    #expect(try method(0).deadline_ms == 251)
    #expect(try method(1).deadline_ms == 0)
  }

  @Test func derivesSignatureFlagsAndDefaultsFromOneDeclaration() throws {
    let concat = try method(0)
    #expect(String(cString: concat.signature) == "concat(a: text, b: bytes) -> (c: text)")
    #expect(String(cString: concat.defaults) == #"{"b":"0102"}"#)
    #expect(concat.flags == UInt32(SYMBOLON_READS | SYMBOLON_PUBLIC))
    #expect(
      String(cString: try method(1).signature)
        == "mix(flag: bool, a: i32, b: u32, c: i64, d: u64, e: f64) -> (sum: f64)")
    #expect(String(cString: try method(2).signature) == "fail()")
    #expect(String(cString: try method(4).signature) == "count(limit: u32) -> (numbers: stream<text>)")
    #expect(try method(4).flags == UInt32(SYMBOLON_STREAMS))
  }

  @Test func scalarsCrossTheBorderAsNaturalArguments() throws {
    typealias Mix =
      @convention(c) (
        UnsafeMutableRawPointer?, UnsafeMutablePointer<symbolon_call>?, UInt8, Int32, UInt32, Int64, UInt64, Double,
        UnsafeMutablePointer<Double>?
      ) -> Int32
    let mix = unsafeBitCast(try method(1).function, to: Mix.self)
    try withInstance { instance, call in
      var sum = 0.0
      #expect(mix(instance, call, 1, -5, 10, -100, 1000, 0.5, &sum) == 0)
      #expect(sum == 906.5)
    }
  }

  @Test func slicesComeInAndMessagesGoOut() throws {
    typealias Concat =
      @convention(c) (
        UnsafeMutableRawPointer?, UnsafeMutablePointer<symbolon_call>?, symbolon_slice, symbolon_slice,
        UnsafeMutablePointer<symbolon_sink>?
      ) -> Int32
    let concat = unsafeBitCast(try method(0).function, to: Concat.self)
    try withInstance { instance, call in
      let collected = Collector()
      let status = slice(Array("grüße".utf8)) { a in slice([3, 4]) { concat(instance, call, a, $0, collected.sink) } }
      #expect(status == 0)
      #expect(collected.texts == ["grüße/3,4"])
    }
  }

  @Test func aThrownFailureBecomesStatusCodeAndSentence() throws {
    typealias Fail = @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<symbolon_call>?) -> Int32
    let fail = unsafeBitCast(try method(2).function, to: Fail.self)
    try withInstance { instance, call in
      #expect(fail(instance, call) == SYMBOLON_NOT_FOUND)
      let error = try #require(call.pointee.error)
      #expect(
        withUnsafeBytes(of: error.pointee.code) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
          == "no_such_thing")
    }
  }

  @Test func typedJSONNamesWhatIsMissing() throws {
    typealias Swap =
      @convention(c) (
        UnsafeMutableRawPointer?, UnsafeMutablePointer<symbolon_call>?, symbolon_slice,
        UnsafeMutablePointer<symbolon_sink>?
      ) -> Int32
    let pair = unsafeBitCast(try method(3).function, to: Swap.self)
    try withInstance { instance, call in
      let collected = Collector()
      let good = slice(Array(#"{"left":1,"right":"x"}"#.utf8)) { pair(instance, call, $0, collected.sink) }
      #expect(good == 0 && collected.texts == [#"{"left":2,"right":"x"}"#])
      let bad = slice(Array(#"{"left":1}"#.utf8)) { pair(instance, call, $0, collected.sink) }
      #expect(bad == SYMBOLON_INVALID_ARGUMENT)
      let message = withUnsafeBytes(of: try #require(call.pointee.error).pointee.message) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      #expect(message.contains("`right` is missing"))
    }
  }

  @Test func aStreamStopsWhenTheReceiverHasGone() throws {
    typealias Count =
      @convention(c) (
        UnsafeMutableRawPointer?, UnsafeMutablePointer<symbolon_call>?, UInt32, UnsafeMutablePointer<symbolon_sink>?
      ) -> Int32
    let count = unsafeBitCast(try method(4).function, to: Count.self)
    try withInstance { instance, call in
      let all = Collector()
      #expect(count(instance, call, 3, all.sink) == 0)
      #expect(all.texts == ["0", "1", "2"])
      let some = Collector(limit: 2)
      #expect(count(instance, call, 1_000_000, some.sink) == SYMBOLON_CANCELLED)
      #expect(some.texts == ["0", "1"])
    }
  }

  // MARK: A host in miniature

  private func slice<R>(_ bytes: [UInt8], _ body: (symbolon_slice) -> R) -> R {
    bytes.withUnsafeBufferPointer { body(symbolon_slice(data: $0.baseAddress, size: UInt64($0.count))) }
  }

  private func withInstance(
    _ body: (UnsafeMutableRawPointer, UnsafeMutablePointer<symbolon_call>) throws -> Void
  ) throws {
    var error = symbolon_error()
    let instance = Unmanaged.passRetained(Counter())
    defer { instance.release() }
    try withUnsafeMutablePointer(to: &error) { slot in
      var call = symbolon_call()
      call.struct_size = UInt32(MemoryLayout<symbolon_call>.size)
      call.error = slot
      try body(instance.toOpaque(), &call)
    }
  }
}

/// A sink that keeps what it gets, and says "gone" after `limit` messages.
private final class Collector {
  private(set) var texts: [String] = []
  private let limit: Int
  let sink: UnsafeMutablePointer<symbolon_sink> = .allocate(capacity: 1)

  init(limit: Int = .max) {
    self.limit = limit
    sink.initialize(to: symbolon_sink())
    sink.pointee.struct_size = UInt32(MemoryLayout<symbolon_sink>.size)
    sink.pointee.context = Unmanaged.passUnretained(self).toOpaque()
    sink.pointee.write = { sink, message in
      guard let context = sink?.pointee.context else { return Int32(SYMBOLON_INTERNAL) }
      let collector = Unmanaged<Collector>.fromOpaque(context).takeUnretainedValue()
      guard collector.texts.count < collector.limit else { return Int32(SYMBOLON_CANCELLED) }
      let bytes = UnsafeBufferPointer(start: message.data, count: Int(message.size))
      collector.texts.append(String(decoding: bytes, as: UTF8.self))
      return 0
    }
  }

  deinit { sink.deallocate() }
}
