/// Names one request: 16 random bytes that also are the trace id of its calls.
struct RequestID: Sendable {
  let bytes: [UInt8]

  init() {
    var random = SystemRandomNumberGenerator()
    bytes = (0..<2).flatMap { _ in
      withUnsafeBytes(of: random.next() as UInt64) { Array($0) }
    }
  }

  /// As in `req_0f3c…`.
  var text: String {
    let digits = Array("0123456789abcdef".utf8)
    let hexadecimal = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    return "req_" + String(decoding: hexadecimal, as: UTF8.self)
  }

  /// A client's own name for its request, when it is harmless.
  static func accepted(_ given: String?) -> String? {
    guard let given, (1...64).contains(given.utf8.count) else { return nil }
    let isHarmless = given.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    return isHarmless ? given : nil
  }
}
