import CLanes
import PluginAPI

/// What of a signature matters to a call: types alone, in order.
///
/// A class, so that a call takes one reference along and not three arrays.
final class CallShape: Sendable {
  let name: String
  let parameters: [ValueType]
  let results: [(type: ValueType, isStream: Bool)]
  /// How many results are scalars.
  let scalarCount: Int

  init(_ signature: Signature) {
    name = signature.name
    parameters = signature.parameters.map(\.type)
    results = signature.results.map { ($0.type, $0.isStream) }
    scalarCount = results.count { !$0.isStream && !$0.type.isSlice }
  }
}

/// A call that leaves this process: native arguments out, native results back.
final class CallerFrame: ItemReceiver {
  private var shape: CallShape
  /// The cells of parameters and then of results, as libffi hands them over.
  private var cells: UnsafePointer<UnsafeMutableRawPointer?>
  /// Results that break their type are refused: the other side is not trusted.
  private let isStrict: Bool
  private(set) var badResult: Int?

  init(_ shape: CallShape, cells: UnsafePointer<UnsafeMutableRawPointer?>, isStrict: Bool) {
    self.shape = shape
    self.cells = cells
    self.isStrict = isStrict
  }

  /// Becomes the frame of another call.
  func prepare(_ shape: CallShape, cells: UnsafePointer<UnsafeMutableRawPointer?>) {
    self.shape = shape
    self.cells = cells
    badResult = nil
  }

  /// Writes the arguments; false when a slice is no slice.
  func putArguments(into writer: inout MessageWriter) -> Bool {
    for (index, type) in shape.parameters.enumerated() {
      guard let cell = cells[index] else { return false }
      if type.isSlice {
        let slice = cell.load(as: symbolon_slice.self)
        guard slice.isWhole else { return false }
        writer.put(slice.buffer)
      } else {
        writer.put(Self.scalar(at: cell, width: type.width))
      }
    }
    return true
  }

  /// Asks and stores the results.
  func perform(
    _ kind: MessageKind, _ message: Range<Int>, on end: LaneEnd, _ partner: any LanePartner,
    error: UnsafeMutablePointer<symbolon_error>?
  ) throws(LaneFailure) -> Int32 {
    let answer = try end.ask(kind, message, receiver: self, partner)
    defer { answer.free() }
    var reader = AnswerReader(answer)
    guard reader.status == 0 else {
      reader.write(to: error)
      return reader.status
    }
    let scalars = reader.u32()
    guard scalars == 0 || Int(scalars) == shape.scalarCount else {
      throw .malformed("an answer with \(scalars) scalars to `\(shape.name)`")
    }
    if scalars > 0 { storeScalars(&reader) }
    let count = reader.u32()
    guard Int(count) <= shape.results.count else { throw .malformed("an answer with \(count) slices") }
    for _ in 0..<count {
      let (index, offset, length) = (Int(reader.u32()), reader.u64(), reader.u64())
      let bytes = try end.fetch(offset, length)
      defer { end.takeBack(bytes) }
      let status = receive(result: index, bytes)
      guard status == 0 else { return status }
    }
    guard reader.isComplete else { throw .malformed("an answer that is shorter or longer than it says") }
    return 0
  }

  /// A message for a sink of the caller.
  func receive(result index: Int, _ bytes: UnsafeRawBufferPointer) -> Int32 {
    guard index < shape.results.count, case let result = shape.results[index], result.isStream || result.type.isSlice,
      let sink = cells[shape.parameters.count + index]?.load(as: UnsafeMutablePointer<symbolon_sink>?.self),
      let write = sink.pointee.write
    else { return Int32(SYMBOLON_INVALID_ARGUMENT) }
    if isStrict, !result.type.allows(message: bytes) {
      badResult = index
      return Int32(SYMBOLON_INVALID_ARGUMENT)
    }
    return write(sink, symbolon_slice(bytes))
  }

  private func storeScalars(_ reader: inout AnswerReader) {
    for (index, result) in shape.results.enumerated() where !result.isStream && !result.type.isSlice {
      let value = reader.u64()
      if isStrict, result.type == .bool, value > 1 { badResult = index }
      guard let place = cells[shape.parameters.count + index]?.load(as: UnsafeMutableRawPointer?.self) else { continue }
      Self.store(value, to: place, width: result.type.width)
    }
  }

  static func scalar(at cell: UnsafeRawPointer, width: Int) -> UInt64 {
    switch width {
    case 1: UInt64(cell.load(as: UInt8.self))
    case 4: UInt64(cell.load(as: UInt32.self))
    default: cell.load(as: UInt64.self)
    }
  }

  static func store(_ value: UInt64, to place: UnsafeMutableRawPointer, width: Int) {
    switch width {
    case 1: place.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
    case 4: place.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
    default: place.storeBytes(of: value, as: UInt64.self)
    }
  }
}
