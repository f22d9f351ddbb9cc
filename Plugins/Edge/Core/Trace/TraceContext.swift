/// W3C Trace Context: which trace a request belongs to (https://www.w3.org/TR/trace-context/).
struct TraceContext: Sendable, Equatable {
  /// 16 bytes, the `trace_id` of every call that the request causes.
  let trace: [UInt8]
  /// 8 bytes: this node's part of the trace.
  let span: [UInt8]
  /// Bit 0: the caller records this trace.
  let flags: UInt8

  /// The trace that `traceparent` names when it is well formed; else one that is named after the request.
  init(traceparent: String?, request: RequestID) {
    let given = traceparent.flatMap(Self.parse)
    trace = given?.trace ?? request.bytes
    span = Array(request.bytes.prefix(8))
    flags = given?.flags ?? 0
  }

  /// 32 hexadecimal digits, as they stand in the log under `trace`.
  var text: String { TokenStore.hexadecimal(trace) }

  /// The header field with this node as the parent of what follows.
  var traceparent: String {
    "00-\(text)-\(TokenStore.hexadecimal(span))-\(TokenStore.hexadecimal([flags & 1]))"
  }

  /// `00-<32 hex>-<16 hex>-<2 hex>`, lower case, neither id all zero; later versions may carry more behind.
  private static func parse(_ text: String) -> (trace: [UInt8], flags: UInt8)? {
    guard (55...512).contains(text.utf8.count) else { return nil }
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count >= 4, let version = bytes(parts[0], count: 1)?.first, version != 0xFF,
      version != 0 || parts.count == 4, let trace = bytes(parts[1], count: 16), trace.contains(where: { $0 != 0 }),
      let parent = bytes(parts[2], count: 8), parent.contains(where: { $0 != 0 }),
      let flags = bytes(parts[3], count: 1)?.first
    else { return nil }
    return (trace, flags)
  }

  private static func bytes(_ text: Substring, count: Int) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count == count * 2 else { return nil }
    var out: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
      out.append(high << 4 | low)
    }
    return out
  }

  private static func value(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    default: nil
    }
  }
}
