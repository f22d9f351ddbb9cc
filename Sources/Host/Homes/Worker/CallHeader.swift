import PluginAPI

/// What of a `symbolon_call` goes to a worker.
struct CallHeader {
  /// Names the call when the worker asks something inside of it.
  var id: UInt64
  var origin: UInt32
  var transaction: UInt64
  var deadline: UInt64
  var trace: (UInt64, UInt64)
  /// 32 bytes, or none.
  var sender: UnsafeRawBufferPointer
  /// Zero-terminated, or none.
  var caller: UnsafeRawBufferPointer

  init(_ call: symbolon_call, id: UInt64, deadline: UInt64) {
    self.id = id
    self.deadline = deadline
    origin = call.origin
    transaction = call.transaction
    trace = Self.words(call.trace_id)
    sender = UnsafeRawBufferPointer(start: call.sender, count: call.sender == nil ? 0 : 32)
    caller = UnsafeRawBufferPointer(start: call.caller, count: call.caller.map { length(of: $0) + 1 } ?? 0)
  }

  init(_ reader: inout MessageReader) {
    id = reader.u64()
    origin = reader.u32()
    transaction = reader.u64()
    deadline = reader.u64()
    trace = (reader.u64(), reader.u64())
    sender = reader.slice()
    caller = reader.slice()
  }

  func put(into writer: inout MessageWriter) {
    writer.put(id)
    writer.put(origin)
    writer.put(transaction)
    writer.put(deadline)
    writer.put(trace.0)
    writer.put(trace.1)
    writer.put(sender)
    writer.put(caller)
  }

  /// The call as the plugin in the worker sees it.
  func native(error: UnsafeMutablePointer<symbolon_error>) -> symbolon_call {
    var call = symbolon_call()
    call.struct_size = UInt32(MemoryLayout<symbolon_call>.size)
    call.origin = origin
    call.caller = caller.isEmpty ? nil : caller.bindMemory(to: CChar.self).baseAddress
    call.sender = sender.count == 32 ? sender.bindMemory(to: UInt8.self).baseAddress : nil
    call.transaction = transaction
    call.deadline_ns = deadline
    call.trace_id = Self.bytes(trace)
    call.error = error
    return call
  }

  typealias Trace = (
    UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
  )

  static func words(_ trace: Trace) -> (UInt64, UInt64) {
    withUnsafeBytes(of: trace) {
      ($0.loadUnaligned(fromByteOffset: 0, as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
  }

  static func bytes(_ words: (UInt64, UInt64)) -> Trace {
    withUnsafeBytes(of: words) { $0.loadUnaligned(as: Trace.self) }
  }
}

/// What a worker says of the call in which it asks.
///
/// It names a call that it was given, or begins one of its own: then nothing but the origin, the deadline and the
/// trace are taken from it, because sender and transaction belong to calls that the host made.
struct NestedHeader {
  /// The id of the call that the worker was given; 0 for one of its own.
  var parent: UInt64
  var origin: UInt32
  var deadline: UInt64
  var trace: (UInt64, UInt64)

  init(parent: UInt64, _ call: symbolon_call?) {
    self.parent = parent
    origin = call?.origin ?? UInt32(SYMBOLON_ORIGIN_NODE)
    deadline = call?.deadline_ns ?? 0
    trace = call.map { CallHeader.words($0.trace_id) } ?? (0, 0)
  }

  init(_ reader: inout MessageReader) {
    parent = reader.u64()
    origin = reader.u32()
    deadline = reader.u64()
    trace = (reader.u64(), reader.u64())
  }

  func put(into writer: inout MessageWriter) {
    writer.put(parent)
    writer.put(origin)
    writer.put(deadline)
    writer.put(trace.0)
    writer.put(trace.1)
  }
}

private func length(of text: UnsafePointer<CChar>) -> Int {
  var count = 0
  while text[count] != 0, count < 256 { count += 1 }
  return count
}

extension HostError {
  /// Writes this error into a slot and gives back its status.
  func write(into slot: UnsafeMutablePointer<symbolon_error>) -> Int32 {
    var call = symbolon_call()
    call.error = slot
    return write(to: &call)
  }
}

extension symbolon_error {
  /// An empty slot.
  static var empty: symbolon_error {
    var error = symbolon_error()
    error.struct_size = UInt32(MemoryLayout<symbolon_error>.size)
    return error
  }
}
