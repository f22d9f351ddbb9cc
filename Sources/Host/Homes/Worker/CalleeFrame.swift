import CFFI
import CLanes
import Glibc
import PluginAPI

/// A call that arrived on a lane: native arguments from a message, native results into the answer.
final class CalleeFrame {
  private var shape: CallShape
  /// Whose spare frame this may be: it outlives every call.
  private unowned(unsafe) let end: LaneEnd
  /// The question's place among the other side's open ones.
  private var level: UInt32
  private var partner: any LanePartner
  private let block: UnsafeMutableRawPointer
  /// Slice results that were written and wait for the answer.
  private var kept: [(index: Int, range: Range<Int>)] = []
  private var failure: LaneFailure?
  private var tooLarge = false

  private enum Layout {
    static let cells = 0
    static let values = cells + 40 * 8
    static let scalars = values + Signature.Limit.fields * 16
    static let sinks = scalars + Signature.Limit.fields * 8
    static let pointers = sinks + Signature.Limit.fields * MemoryLayout<symbolon_sink>.stride
    static let size = pointers + Signature.Limit.fields * 8
  }

  private init(_ shape: CallShape, on end: LaneEnd, level: UInt32, _ partner: any LanePartner) {
    self.shape = shape
    self.end = end
    self.level = level
    self.partner = partner
    block = .allocate(byteCount: Layout.size, alignment: 64)
  }

  deinit { block.deallocate() }

  /// Lends a frame to `body`: the lane's own when no other call has it.
  static func with(
    _ shape: CallShape, on end: LaneEnd, level: UInt32, _ partner: any LanePartner,
    _ body: (CalleeFrame) throws(LaneFailure) -> Void
  ) throws(LaneFailure) {
    let frame: CalleeFrame
    if let spare = end.spareFrame {
      end.spareFrame = nil
      (spare.shape, spare.level, spare.partner) = (shape, level, partner)
      spare.kept.removeAll(keepingCapacity: true)
      (spare.failure, spare.tooLarge) = (nil, false)
      frame = spare
    } else {
      frame = CalleeFrame(shape, on: end, level: level, partner)
    }
    try body(frame)
    end.spareFrame = frame
  }

  /// Calls the function with one or two cells, the message's arguments and the results' places, and answers.
  func run(
    _ reader: inout MessageReader, leading: (UnsafeMutableRawPointer, UnsafeMutableRawPointer?),
    _ cif: UnsafeMutablePointer<ffi_cif>, _ function: @convention(c) () -> Void,
    error: UnsafeMutablePointer<symbolon_error>
  ) throws(LaneFailure) {
    let mark = end.mark
    let first = (block + Layout.cells).assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
    first[0] = leading.0
    first[1] = leading.1
    let cells = first + (leading.1 == nil ? 1 : 2)
    readArguments(&reader, cells)
    guard reader.isComplete else {
      throw .malformed("a call of `\(shape.name)` that is shorter or longer than it says")
    }
    placeResults(cells + shape.parameters.count)
    var result: ffi_arg = 0
    withExtendedLifetime(self) { ffi_call(cif, function, &result, first) }
    var status = Int32(truncatingIfNeeded: result)
    if let failure { throw failure }
    if status == 0, tooLarge {
      status = HostError.messageTooLarge(shape.name).write(into: error)
    }
    let scalars = UnsafeBufferPointer(
      start: (block + Layout.scalars).assumingMemoryBound(to: UInt64.self), count: status == 0 ? shape.scalarCount : 0)
    try end.answer(status, error: error, scalars: scalars, kept: status == 0 ? kept : [])
    end.release(to: mark)
  }

  /// A plugin may write from a thread of its own while the call's thread waits for it.
  private func write(_ sink: UnsafeMutablePointer<symbolon_sink>, _ message: symbolon_slice) -> Int32 {
    guard message.isWhole else { return Int32(SYMBOLON_INVALID_ARGUMENT) }
    let index = sink - (block + Layout.sinks).assumingMemoryBound(to: symbolon_sink.self)
    return end.exclusively {
      guard failure == nil else { return Int32(SYMBOLON_CANCELLED) }
      return shape.results[index].isStream ? send(index, message.buffer) : keep(index, message.buffer)
    }
  }

  /// The one message of a result travels with the answer; a later one takes its place.
  private func keep(_ index: Int, _ bytes: UnsafeRawBufferPointer) -> Int32 {
    guard let range = end.keep(bytes) else {
      tooLarge = true
      return Int32(SYMBOLON_RESOURCE_EXHAUSTED)
    }
    kept.removeAll { $0.index == index }
    kept.append((index, range))
    return 0
  }

  /// A message of a stream is taken by the receiver before the method goes on.
  private func send(_ index: Int, _ bytes: UnsafeRawBufferPointer) -> Int32 {
    let mark = end.mark
    defer { end.release(to: mark) }
    let message = end.draft { writer in
      writer.put(UInt32(index))
      writer.put(bytes)
    }
    guard let message else {
      tooLarge = true
      return Int32(SYMBOLON_RESOURCE_EXHAUSTED)
    }
    do throws(LaneFailure) {
      let answer = try end.ask(.item, level: level, message, receiver: NoItems.shared, partner)
      defer { answer.free() }
      return AnswerReader(answer).status
    } catch {
      failure = error
      return Int32(SYMBOLON_CANCELLED)
    }
  }

  private func readArguments(_ reader: inout MessageReader, _ cells: UnsafeMutablePointer<UnsafeMutableRawPointer?>) {
    for (index, type) in shape.parameters.enumerated() {
      let value = block + Layout.values + index * 16
      if type.isSlice {
        value.storeBytes(of: symbolon_slice(reader.slice()), as: symbolon_slice.self)
      } else {
        value.storeBytes(of: reader.u64(), as: UInt64.self)
      }
      cells[index] = value
    }
  }

  /// Scalars lie next to each other, as the answer lists them.
  private func placeResults(_ cells: UnsafeMutablePointer<UnsafeMutableRawPointer?>) {
    let sinks = (block + Layout.sinks).assumingMemoryBound(to: symbolon_sink.self)
    let pointers = (block + Layout.pointers).assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
    var scalar = 0
    for (index, result) in shape.results.enumerated() {
      if result.isStream || result.type.isSlice {
        let sink = sinks + index
        sink.pointee.struct_size = UInt32(MemoryLayout<symbolon_sink>.size)
        sink.pointee.reserved = 0
        sink.pointee.context = Unmanaged.passUnretained(self).toOpaque()
        sink.pointee.write = { sink, message in
          guard let sink, let context = sink.pointee.context else { return Int32(SYMBOLON_INTERNAL) }
          return Unmanaged<CalleeFrame>.fromOpaque(context).takeUnretainedValue().write(sink, message)
        }
        pointers[index] = UnsafeMutableRawPointer(sink)
      } else {
        // What a method leaves unwritten is zero, and nothing of an earlier call.
        (block + Layout.scalars + scalar * 8).storeBytes(of: 0, as: UInt64.self)
        pointers[index] = block + Layout.scalars + scalar * 8
        scalar += 1
      }
      cells[index] = UnsafeMutableRawPointer(pointers + index)
    }
  }
}

extension HostError {
  static func messageTooLarge(_ name: String) -> HostError {
    HostError(
      SYMBOLON_RESOURCE_EXHAUSTED, "message_too_large",
      "`\(name)`: what goes to or comes from a worker at once has at most \(LaneMemory.messageLimit >> 20) MiB; "
        + "send less, or use a stream.")
  }
}
