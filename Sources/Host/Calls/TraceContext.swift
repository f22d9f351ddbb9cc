import CCalls
import PluginAPI

/// The trace id that follows a request through every layer: of the call that runs on this thread.
package enum TraceContext {
  /// 32 lowercase hexadecimal digits; nil outside of a call.
  package static var current: String? {
    symbolon_trace_current().map {
      Array(UnsafeBufferPointer(start: $0, count: Int(SYMBOLON_TRACE_BYTES))).hexadecimal
    }
  }

  /// Runs `body` as a part of the request that `traceID` (16 bytes) names: for work that another thread or process began.
  ///
  /// An id of zeros, or of another length, is none.
  package static func with<R, E: Error>(traceID: [UInt8], _ body: () throws(E) -> R) throws(E) -> R {
    guard traceID.count == Int(SYMBOLON_TRACE_BYTES), traceID.contains(where: { $0 != 0 }) else { return try body() }
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: traceID.count)
    copy.initialize(from: traceID, count: traceID.count)
    let before = symbolon_trace_swap(copy)
    defer {
      _ = symbolon_trace_swap(before)
      copy.deallocate()
    }
    return try body()
  }

  /// Runs `body` inside `call`, which gets an id when it has none.
  @inline(__always)
  static func inside<R>(_ call: UnsafeMutablePointer<symbolon_call>, _ body: () -> R) -> R {
    let id = Self.id(of: call)
    let before = symbolon_trace_swap(id)
    defer { _ = symbolon_trace_swap(before) }
    return body()
  }

  @inline(__always)
  private static func id(of call: UnsafeMutablePointer<symbolon_call>) -> UnsafeMutablePointer<UInt8> {
    let offset = MemoryLayout<symbolon_call>.offset(of: \.trace_id) ?? 0
    let id = UnsafeMutableRawPointer(call) + offset
    let halves = id.loadUnaligned(as: (UInt64, UInt64).self)
    let bytes = id.assumingMemoryBound(to: UInt8.self)
    if halves.0 | halves.1 == 0 { symbolon_trace_fill(bytes) }
    return bytes
  }
}
