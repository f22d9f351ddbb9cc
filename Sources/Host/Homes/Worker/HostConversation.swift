import CFFI
import CLanes
import Glibc
import PluginAPI

/// What a worker imports, as the host calls it: the closure that a plugin in this process would hold.
final class HostImport: @unchecked Sendable {  // Proof: constant.
  let shape: CallShape
  let cif: UnsafeMutablePointer<ffi_cif>
  let function: @convention(c) () -> Void
  /// Whose function it is.
  private let binding: ImportBinding

  init(_ description: PluginDescription.Import, _ binding: ImportBinding) throws(HostError) {
    self.binding = binding
    shape = CallShape(description.signature)
    function = try binding.function()
    cif = try prepareInterface(
      [symbolon_ffi_pointer()].compactMap { $0 } + description.signature.nativeParameters)
  }

  deinit { freeInterface(cif) }
}

/// The host's part of a conversation: waits with patience that ends, and answers what the worker asks.
final class HostConversation: LanePartner {
  /// Whoever converses holds it.
  private unowned(unsafe) let link: WorkerLink
  /// The call inside which the host asks; nil when the worker began.
  private var call: UnsafeMutablePointer<symbolon_call>?
  /// On the monotonic clock; 0 = none.
  private var deadline: UInt64

  init(_ link: WorkerLink, call: UnsafeMutablePointer<symbolon_call>?, deadline: UInt64) {
    self.link = link
    self.call = call
    self.deadline = deadline
  }

  /// Becomes the conversation of another call.
  func prepare(_ call: UnsafeMutablePointer<symbolon_call>?, deadline: UInt64) {
    self.call = call
    self.deadline = deadline
  }

  func tick(_ end: LaneEnd) throws(LaneFailure) -> UInt64 {
    if link.isDead { throw .dead }
    var most: UInt64 = 250_000_000
    if let call, let cancelled = call.pointee.cancelled {
      if cancelled(call) != 0 { symbolon_lane_store(end.cancelledFlag, 1) }
      most = 10_000_000
    }
    guard deadline != 0 else { return most }
    let now = MonotonicClock.nanoseconds
    guard now < deadline else {
      symbolon_lane_store(end.cancelledFlag, 1)
      end.isAbandoned = true
      throw .late
    }
    return min(most, deadline - now)
  }

  func serve(_ question: Incoming, level: UInt32, on end: LaneEnd) throws(LaneFailure) {
    var reader = MessageReader(question.bytes)
    switch question.kind {
    case .import:
      let index = Int(reader.u32())
      guard link.imports.indices.contains(index) else { throw .malformed("a call of an import that it has not") }
      let wanted = link.imports[index]
      try nested(NestedHeader(&reader), on: end) { (call) throws(LaneFailure) in
        var pointer: UnsafeMutablePointer<symbolon_call>? = call
        try withUnsafeMutablePointer(to: &pointer) { (pointer) throws(LaneFailure) in
          try CalleeFrame.with(wanted.shape, on: end, level: level, self) { (frame) throws(LaneFailure) in
            try frame.run(
              &reader, leading: (UnsafeMutableRawPointer(pointer), nil), wanted.cif, wanted.function,
              error: call.pointee.error)
          }
        }
      }
    case .service:
      guard let what = ServiceCall(rawValue: reader.u32()), let context = link.context else {
        throw .malformed("a question for an unknown service")
      }
      try nested(NestedHeader(&reader), on: end) { (call) throws(LaneFailure) in
        try HostService(link, context, call, end, level, self).serve(what, &reader)
      }
    default: throw .malformed("a question that workers do not ask")
    }
  }

  /// Makes the call in which the worker asks: inside of one that it was given, or its own.
  private func nested(
    _ header: NestedHeader, on end: LaneEnd, _ body: (UnsafeMutablePointer<symbolon_call>) throws(LaneFailure) -> Void
  ) throws(LaneFailure) {
    var error = symbolon_error.empty
    let lane = header.parent == 0 ? nil : link.lane(of: header.parent)
    let parent = lane?.borrow(header.parent)
    defer { if parent != nil { lane?.giveBack() } }
    if header.parent != 0, parent == nil {
      // The call that it names has ended, or its caller has given it up.
      return try end.answer(Int32(SYMBOLON_CANCELLED))
    }
    try withUnsafeMutablePointer(to: &error) { (error) throws(LaneFailure) in
      var call = parent?.pointee ?? symbolon_call()
      call.struct_size = UInt32(MemoryLayout<symbolon_call>.size)
      call.error = error
      if parent == nil {
        call.origin = header.origin
        call.trace_id = CallHeader.bytes(header.trace)
        call.context = UnsafeMutableRawPointer(end.abandonedFlag)
        call.cancelled = { call in
          guard let flag = call?.pointee.context else { return 0 }
          return symbolon_lane_load(flag.assumingMemoryBound(to: UInt32.self))
        }
      }
      call.deadline_ns = earlier(call.deadline_ns, header.deadline)
      try withUnsafeMutablePointer(to: &call) { (call) throws(LaneFailure) in try body(call) }
    }
  }
}

/// The earlier of two deadlines, of which 0 is none.
func earlier(_ a: UInt64, _ b: UInt64) -> UInt64 { a == 0 ? b : b == 0 ? a : min(a, b) }
