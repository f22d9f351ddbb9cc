import PluginAPI

/// Where a streaming method writes its messages.
public struct Output: @unchecked Sendable {  // Proof: the host's sink takes messages from the thread of the call.
  let sink: UnsafeMutablePointer<symbolon_sink>
  private var write: @convention(c) (UnsafeMutablePointer<symbolon_sink>?, symbolon_slice) -> Int32

  init(_ sink: UnsafeMutablePointer<symbolon_sink>?) throws(Failure) {
    guard let sink, let write = sink.pointee.write else {
      throw Failure(.internal, "no_sink", "The caller gave no place for the result.")
    }
    self.sink = sink
    self.write = write
  }

  /// Writes one message; throws `cancelled` when the receiver has gone away.
  public func write(_ message: some Collection<UInt8>) throws(Failure) {
    try message.withSlice { (slice) throws(Failure) in
      let status = write(sink, slice)
      guard status == 0 else {
        throw Failure(Status(rawValue: status) ?? .unknown, "receiver_gone", "The receiver takes no more messages.")
      }
    }
  }

  /// Writes one message of a `stream<u32>`, `stream<i32>`, `stream<u64>` or `stream<i64>`, in canonical form.
  public func write<Number: StreamedInteger>(_ number: Number) throws(Failure) {
    try write(withUnsafeBytes(of: number.bigEndian) { Array($0) })
  }

  /// Writes one message of a `stream<f64>`, in canonical form.
  public func write(_ number: Double) throws(Failure) { try write(number.bitPattern) }

  /// Writes one message of a `stream<bool>`.
  public func write(_ flag: Bool) throws(Failure) { try write([flag ? 1 : 0]) }

  /// Writes one message of text.
  public func write(_ text: String) throws(Failure) { try write(Array(text.utf8)) }

  /// Writes one message of JSON.
  public func write(_ json: JSON) throws(Failure) { try write(json.text) }
}

/// The integers that a signature knows.
public protocol StreamedInteger: FixedWidthInteger {}
extension Int32: StreamedInteger {}
extension UInt32: StreamedInteger {}
extension Int64: StreamedInteger {}
extension UInt64: StreamedInteger {}

/// A sink of this plugin's own, that hands each message to a closure.
final class Inbox {
  private(set) var failure: (any Error)?
  private let receive: (UnsafeRawBufferPointer) throws -> Void
  private let sink: UnsafeMutablePointer<symbolon_sink> = .allocate(capacity: 1)

  init(_ receive: @escaping (UnsafeRawBufferPointer) throws -> Void) {
    self.receive = receive
    sink.initialize(to: symbolon_sink())
    sink.pointee.struct_size = UInt32(MemoryLayout<symbolon_sink>.size)
  }

  deinit { sink.deallocate() }

  /// The C face, valid while this object lives.
  var native: UnsafeMutablePointer<symbolon_sink> {
    sink.pointee.context = Unmanaged.passUnretained(self).toOpaque()
    sink.pointee.write = { sink, message in
      guard let context = sink?.pointee.context else { return Status.internal.rawValue }
      let inbox = Unmanaged<Inbox>.fromOpaque(context).takeUnretainedValue()
      do {
        try inbox.receive(message.buffer)
        return 0
      } catch {
        inbox.failure = error
        return (error as? Failure)?.status.rawValue ?? Status.cancelled.rawValue
      }
    }
    return sink
  }
}
