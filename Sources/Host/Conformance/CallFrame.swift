import Glibc
import PluginAPI

/// Everything that a method may write to in one call, between canary words.
///
/// Not freed by itself: a plugin that keeps a pointer shall be seen, and not change what another part of this process
/// has put there since.
final class CallFrame {
  private static let canary: UInt8 = 0xa5
  private static let margin = 128

  private let signature: Signature
  private let options: CallOptions
  private let errorMemory: UnsafeMutableRawBufferPointer
  private let resultMemory: UnsafeMutableRawBufferPointer
  private let errorSlot: UnsafeMutablePointer<symbolon_error>
  let call: UnsafeMutablePointer<symbolon_call>
  private let original: [UInt8]
  private(set) var sinks: [SinkProbe?] = []
  private(set) var results: [UnsafeMutableRawPointer] = []

  init(_ signature: Signature, _ options: CallOptions) {
    (self.signature, self.options) = (signature, options)
    let errorSize = MemoryLayout<symbolon_error>.size
    errorMemory = .allocate(byteCount: errorSize + 2 * Self.margin, alignment: 16)
    errorMemory.initializeMemory(as: UInt8.self, repeating: Self.canary)
    guard let errorBase = errorMemory.baseAddress else { preconditionFailure("The verifier is out of memory.") }
    errorSlot =
      errorBase
      .advanced(by: Self.margin).bindMemory(to: symbolon_error.self, capacity: 1)
    errorSlot.initialize(to: symbolon_error())
    errorSlot.pointee.struct_size = UInt32(errorSize)
    call = .allocate(capacity: 1)
    call.initialize(to: Self.makeCall(errorSlot, options))
    original = Array(UnsafeRawBufferPointer(start: call, count: MemoryLayout<symbolon_call>.size))
    resultMemory = .allocate(byteCount: (signature.results.count + 1) * Self.margin, alignment: 16)
    resultMemory.initializeMemory(as: UInt8.self, repeating: Self.canary)
    for (index, field) in signature.results.enumerated() {
      let place = resultMemory.baseAddress.map { $0 + (index * Self.margin + Self.margin / 2) }
      guard let place else { continue }
      results.append(place)
      if field.isStream || field.type.isSlice {
        let sink = SinkProbe(refusesFrom: options.refusesFrom)
        place.bindMemory(to: symbolon_sink.self, capacity: 1).initialize(to: sink.makeSink())
        sinks.append(sink)
      } else {
        place.initializeMemory(as: UInt8.self, repeating: 0, count: field.type.width)
        sinks.append(nil)
      }
    }
  }

  private static func makeCall(_ error: UnsafeMutablePointer<symbolon_error>, _ options: CallOptions) -> symbolon_call {
    var call = symbolon_call()
    call.struct_size = UInt32(MemoryLayout<symbolon_call>.size)
    call.origin = UInt32(SYMBOLON_ORIGIN_OPERATOR)
    call.error = error
    if options.deadline != 0 {
      call.deadline_ns = UInt64(max(1, Int64(MonotonicClock.nanoseconds) + options.deadline))
    }
    let isCancelled: @convention(c) (UnsafePointer<symbolon_call>?) -> UInt32 = { _ in 1 }
    // Nobody waits longer than the deadline.
    let isLate: @convention(c) (UnsafePointer<symbolon_call>?) -> UInt32 = { call in
      guard let deadline = call?.pointee.deadline_ns, deadline > 0 else { return 0 }
      return MonotonicClock.nanoseconds > deadline ? 1 : 0
    }
    call.cancelled = options.isCancelled ? isCancelled : isLate
    return call
  }

  func free() {
    for sink in sinks { sink?.release() }
    errorMemory.deallocate()
    resultMemory.deallocate()
    call.deallocate()
  }

  /// What the method left behind.
  func record(_ status: Int32) -> CallRecord {
    var record = CallRecord()
    record.status = status
    var faults: [CallRecord.Fault] = []
    func fault(_ rule: Rule, _ text: String) { faults.append(CallRecord.Fault(rule: rule, text: text)) }
    if !(0...16).contains(status) { fault(.status, "ends with status \(status); the contract has 0 to 16") }
    if !marginsHold { fault(.errorBounds, "writes outside of the error slot") }
    if Array(UnsafeRawBufferPointer(start: call, count: original.count)) != original {
      fault(.callChanged, "writes into its symbolon_call, which belongs to the caller")
    }
    readError(&record, fault)
    for (index, field) in signature.results.enumerated() {
      checkPlace(index, field, fault)
      if let sink = sinks[index] {
        let seen = sink.seen
        record.refusals += seen.refusals
        record.results += seen.kept
        check(seen, field, status, fault)
      } else {
        let bytes = Array(UnsafeRawBufferPointer(start: results[index], count: field.type.width))
        if field.type == .bool, status == 0, bytes[0] > 1 {
          fault(.bool, "gives \(bytes[0]) as the bool `\(field.name)`")
        }
        record.results.append(bytes)
      }
    }
    record.faults = faults
    return record
  }

  /// The bytes around the error slot are as they were.
  private var marginsHold: Bool {
    let size = errorMemory.count - Self.margin
    return errorMemory[..<Self.margin].allSatisfy { $0 == Self.canary }
      && errorMemory[size...].allSatisfy { $0 == Self.canary }
      && errorSlot.pointee.struct_size == UInt32(MemoryLayout<symbolon_error>.size)
  }

  private func readError(_ record: inout CallRecord, _ fault: (Rule, String) -> Void) {
    let code = withUnsafeBytes(of: &errorSlot.pointee.code) { Array($0) }
    let message = withUnsafeBytes(of: &errorSlot.pointee.message) { Array($0) }
    guard code.contains(0), message.contains(0) else {
      return fault(.errorSlot, "leaves an error code or message without its terminating zero")
    }
    guard let codeText = String(validating: code.prefix { $0 != 0 }, as: UTF8.self),
      let messageText = String(validating: message.prefix { $0 != 0 }, as: UTF8.self)
    else { return fault(.errorSlot, "leaves an error code or message that is not UTF-8") }
    (record.code, record.message) = (codeText, messageText)
    guard record.status != 0 else { return }
    if errorSlot.pointee.status != 0, errorSlot.pointee.status != record.status {
      fault(.errorSlot, "returns status \(record.status) and writes status \(errorSlot.pointee.status) into the slot")
    }
    // A status that it hands on from a sink needs no words.
    if record.status != Int32(SYMBOLON_CANCELLED), errorSlot.pointee.status == 0 || messageText.isEmpty {
      fault(.errorText, "ends with status \(record.status) and gives no sentence")
    }
  }

  /// The bytes around a result are as they were.
  private func checkPlace(_ index: Int, _ field: Signature.Field, _ fault: (Rule, String) -> Void) {
    let start = index * Self.margin
    let width = sinks[index] == nil ? field.type.width : MemoryLayout<symbolon_sink>.size
    let before = resultMemory[start..<start + Self.margin / 2]
    let after = resultMemory[start + Self.margin / 2 + width..<start + Self.margin]
    if !before.allSatisfy({ $0 == Self.canary }) || !after.allSatisfy({ $0 == Self.canary }) {
      fault(.resultBounds, "writes outside of its result `\(field.name)` (\(field.type), \(field.type.width) bytes)")
    }
  }

  private func check(
    _ seen: SinkProbe.State, _ field: Signature.Field, _ status: Int32, _ fault: (Rule, String) -> Void
  ) {
    if seen.fromOtherThreads > 0 { fault(.sinkThread, "writes `\(field.name)` on another thread than the call's") }
    if seen.afterReturn > 0 { fault(.sinkLate, "writes `\(field.name)` after it has returned") }
    if seen.notWhole > 0 { fault(.resultCount, "writes a NULL slice with a size as `\(field.name)`") }
    if seen.refusals > 0, status == 0 {
      fault(.refusal, "returns 0 though the sink of `\(field.name)` refused a message")
    } else if seen.afterRefusal > 8 {
      fault(.refusal, "goes on to write `\(field.name)` after the sink refused")
    }
    if !field.isStream, status == 0, seen.refusals == 0, seen.messages != 1 {
      fault(.resultCount, "writes \(seen.messages) messages as `\(field.name)`, where exactly one belongs")
    }
    guard status == 0 else { return }
    for message in seen.kept where field.type == .text || field.type == .json {
      guard let text = String(validating: message, as: UTF8.self) else {
        return fault(.utf8, "writes `\(field.name)` as text that is not UTF-8")
      }
      if field.type == .json, (try? JSONValue(parsing: text.utf8)) == nil {
        return fault(.json, "writes `\(field.name)` as JSON that does not parse")
      }
    }
    for message in seen.kept where field.isStream && !field.type.isSlice && message.count != field.type.width {
      return fault(.resultCount, "writes \(message.count) bytes as an item of `\(field.name)` (\(field.type))")
    }
  }
}
