import PluginAPI

/// What travels with a running call; valid until the method's body returns.
public struct Call: @unchecked Sendable {
  // Proof: the struct behind the pointer is not changed while the call runs, except for the error slot, which only
  // the thread of the call writes.
  let pointer: UnsafeMutablePointer<symbolon_call>

  /// Where the outermost call came from.
  public enum Origin: UInt32, Sendable {
    case node = 0
    case `operator` = 1
    case `public` = 2
    case account = 3
  }

  /// Where the outermost call came from.
  public var origin: Origin { Origin(rawValue: pointer.pointee.origin) ?? .public }

  /// The id of the plugin that called; nil when the call came from outside.
  public var caller: String? { pointer.pointee.caller.map { String(cString: $0) } }

  /// The account whose signed transaction this is: 32 bytes.
  public var sender: [UInt8]? { pointer.pointee.sender.map { Array(UnsafeBufferPointer(start: $0, count: 32)) } }

  /// The ledger's handle of the running transaction; 0 without one.
  public var transaction: UInt64 { pointer.pointee.transaction }

  /// True inside a transaction.
  public var inTransaction: Bool { transaction != 0 }

  /// On the monotonic clock, nanoseconds; nil without a deadline.
  public var deadline: UInt64? { pointer.pointee.deadline_ns == 0 ? nil : pointer.pointee.deadline_ns }

  /// True when nobody waits for the result any more: stop and clean up.
  public var isCancelled: Bool {
    guard let cancelled = pointer.pointee.cancelled else { return false }
    return cancelled(pointer) != 0
  }

  /// 32 hexadecimal digits, the same in all logs that one request causes.
  public var traceID: String { withUnsafeBytes(of: pointer.pointee.trace_id) { hexadecimal($0) } }
}

/// A call that begins in this plugin: a timer, a worker thread, a request from the network.
final class RootCall: @unchecked Sendable {  // Proof: the memory belongs to this object; one thread uses a call.
  let pointer: UnsafeMutablePointer<symbolon_call> = .allocate(capacity: 1)
  private let error: UnsafeMutablePointer<symbolon_error> = .allocate(capacity: 1)
  private let isCancelled: @Sendable () -> Bool

  init(origin: Call.Origin, deadline: UInt64?, isCancelled: @escaping @Sendable () -> Bool) {
    self.isCancelled = isCancelled
    error.initialize(to: symbolon_error())
    error.pointee.struct_size = UInt32(MemoryLayout<symbolon_error>.size)
    pointer.initialize(to: symbolon_call())
    pointer.pointee.struct_size = UInt32(MemoryLayout<symbolon_call>.size)
    pointer.pointee.origin = origin.rawValue
    pointer.pointee.deadline_ns = deadline ?? 0
    pointer.pointee.error = error
    pointer.pointee.context = Unmanaged.passUnretained(self).toOpaque()
    pointer.pointee.cancelled = { call in
      guard let context = call?.pointee.context else { return 0 }
      return Unmanaged<RootCall>.fromOpaque(context).takeUnretainedValue().isCancelled() ? 1 : 0
    }
  }

  deinit {
    pointer.deallocate()
    error.deallocate()
  }
}
