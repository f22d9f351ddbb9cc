import CFFI
import CLanes
import PluginAPI

/// The closure behind an import slot in a worker: asks the host, which finds the provider.
final class WorkerImport: @unchecked Sendable {  // Proof: constant after init.
  private let index: Int
  private let shape: CallShape
  private let cif: UnsafeMutablePointer<ffi_cif>
  private unowned let process: WorkerProcess

  init(_ description: PluginDescription.Import, index: Int, of process: WorkerProcess) throws(HostError) {
    self.index = index
    self.process = process
    shape = CallShape(description.signature)
    let first = [symbolon_ffi_pointer()].compactMap { $0 }
    cif = try prepareInterface(first + description.signature.nativeParameters)
  }

  /// Makes the function of the slot; both live as long as this process.
  func makeFunction() throws(HostError) -> @convention(c) () -> Void {
    let closure = try NativeClosure(cif, Unmanaged.passRetained(self).toOpaque()) { _, result, arguments, user in
      guard let arguments, let user else { return }
      let status = Unmanaged<WorkerImport>.fromOpaque(user)._withUnsafeGuaranteedRef { $0.forward(arguments) }
      result?.storeBytes(of: ffi_arg(bitPattern: Int(status)), as: ffi_arg.self)
    }
    return Unmanaged.passRetained(closure).takeUnretainedValue().function
  }

  private func forward(_ arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>) -> Int32 {
    guard let cell = arguments[0], let call = cell.load(as: UnsafeMutablePointer<symbolon_call>?.self) else {
      return Int32(SYMBOLON_INVALID_ARGUMENT)
    }
    let frame = CallerFrame(shape, cells: UnsafePointer(arguments + 1), isStrict: false)
    return process.asking { (end) throws(LaneFailure) in
      let mark = end.mark
      defer { end.release(to: mark) }
      var areWhole = true
      let message = end.draft { writer in
        writer.put(UInt32(index))
        NestedHeader(parent: WorkerCallContext.id(of: call), call.pointee).put(into: &writer)
        areWhole = frame.putArguments(into: &writer)
      }
      guard areWhole else {
        return HostError.invalid("bad_argument", "`\(shape.name)`: a slice has a size and no bytes.").write(to: call)
      }
      guard let message else { return HostError.messageTooLarge(shape.name).write(to: call) }
      return try frame.perform(.import, message, on: end, WorkerAsking(process, call), error: call.pointee.error)
    }
  }
}

/// A question of a worker while it is open: hands on that the plugin's own call was given up.
final class WorkerAsking: LanePartner {
  private let process: WorkerProcess
  private let call: UnsafeMutablePointer<symbolon_call>?
  private let watches: Bool

  init(_ process: WorkerProcess, _ call: UnsafeMutablePointer<symbolon_call>?) {
    self.process = process
    self.call = call
    // The host knows by itself when a call that it made is given up.
    watches = call?.pointee.cancelled != nil && WorkerCallContext.id(of: call) == 0
  }

  func tick(_ end: LaneEnd) throws(LaneFailure) -> UInt64 {
    guard watches, let call, let cancelled = call.pointee.cancelled else { return 0 }
    symbolon_lane_store(end.abandonedFlag, cancelled(call) == 0 ? 0 : 1)
    return 10_000_000
  }

  func serve(_ question: Incoming, level: UInt32, on end: LaneEnd) throws(LaneFailure) {
    try process.serve(question, level: level, on: end)
  }
}

/// Sends a state in parts that fit a lane.
final class StateSender {
  private let end: LaneEnd
  private let level: UInt32
  private let partner: any LanePartner
  private static let partBytes = 8 << 20

  init(_ end: LaneEnd, _ level: UInt32, _ partner: any LanePartner) {
    (self.end, self.level, self.partner) = (end, level, partner)
  }

  /// Lends a sink to `body`.
  func send(_ body: (UnsafeMutablePointer<symbolon_sink>) -> Int32) -> Int32 {
    var sink = symbolon_sink()
    sink.struct_size = UInt32(MemoryLayout<symbolon_sink>.size)
    sink.context = Unmanaged.passUnretained(self).toOpaque()
    sink.write = { sink, message in
      guard let context = sink?.pointee.context else { return Int32(SYMBOLON_INTERNAL) }
      return Unmanaged<StateSender>.fromOpaque(context).takeUnretainedValue().send(message.buffer)
    }
    return withExtendedLifetime(self) { body(&sink) }
  }

  private func send(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    var rest = bytes[...]
    repeat {
      let part = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.partBytes))
      rest = rest.dropFirst(part.count)
      let mark = end.mark
      defer { end.release(to: mark) }
      let message = end.draft { writer in
        writer.put(UInt32(0))
        writer.put(part)
      }
      guard let message, let answer = try? end.ask(.item, level: level, message, receiver: NoItems.shared, partner)
      else { return Int32(SYMBOLON_RESOURCE_EXHAUSTED) }
      defer { answer.free() }
      let status = AnswerReader(answer).status
      guard status == 0 else { return status }
    } while !rest.isEmpty
    return 0
  }
}
