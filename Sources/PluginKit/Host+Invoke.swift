import PluginAPI

/// A call by name, for layers that carry other people's calls.
public struct Invocation: Sendable {
  /// How arguments and results are written.
  public enum Encoding: UInt32, Sendable {
    /// One JSON object by name.
    case json = 0
    /// Fixed big-endian scalars, length-prefixed slices, in signature order.
    case canonical = 1
  }

  /// As in `ledger.balance`.
  public var method: String
  /// How arguments and results are written.
  public var encoding: Encoding
  /// The arguments in that encoding.
  public var arguments: [UInt8]
  /// Non-nil: a TRANSITION method may run, in this transaction, for this account (32 bytes, or nil).
  public var transaction: (handle: UInt64, sender: [UInt8]?)?

  /// A call that may not change ledger state.
  public init(_ method: String, json: String) {
    self.init(method, encoding: .json, arguments: Array(json.utf8), transaction: nil)
  }

  /// Any call.
  public init(
    _ method: String, encoding: Encoding, arguments: [UInt8], transaction: (handle: UInt64, sender: [UInt8]?)? = nil
  ) {
    self.method = method
    self.encoding = encoding
    self.arguments = arguments
    self.transaction = transaction
  }
}

extension Host {
  /// Runs a method by name on this thread; `receive` gets each message and may throw to stop it.
  ///
  /// A stream gives one message per item; every other method gives exactly one, with all results.
  public func invoke(_ call: Call, _ what: Invocation, receive: (UnsafeRawBufferPointer) throws -> Void) throws {
    try withoutActuallyEscaping(receive) { receive in
      let service: UnsafePointer<symbolon_invoke> = try Self.service(pointer, SYMBOLON_INVOKE)
      let inbox = Inbox(receive)
      let status = withExtendedLifetime(inbox) {
        what.withNative(origin: call.origin) { native in
          service.pointee.invoke(pointer, call.pointer, native, inbox.native)
        }
      }
      if let failure = inbox.failure { throw failure }
      guard status == 0 else { throw Failure(status: status, slot: call.pointer.pointee.error) }
    }
  }

  /// Runs a method by name that gives one message.
  public func invoke(_ call: Call, _ what: Invocation) throws -> [UInt8] {
    var message: [UInt8] = []
    try invoke(call, what) { message = Array($0) }
    return message
  }

  /// Turns JSON arguments of a method into the canonical form, with the same checks as a call.
  public func encode(_ call: Call, _ method: String, _ arguments: JSON) throws(Failure) -> [UInt8] {
    let service: UnsafePointer<symbolon_invoke> = try Self.service(pointer, SYMBOLON_INVOKE)
    var encoded: [UInt8] = []
    let inbox = Inbox { encoded = Array($0) }
    let status = withExtendedLifetime(inbox) {
      method.utf8.withSlice { method in
        arguments.text.utf8.withSlice { service.pointee.encode(pointer, call.pointer, method, $0, inbox.native) }
      }
    }
    guard status == 0 else { throw Failure(status: status, slot: call.pointer.pointee.error) }
    return encoded
  }

  /// Begins a call in this plugin: a timer, a worker thread, a request from the network.
  ///
  /// - Parameters:
  ///   - deadline: on the monotonic clock, nanoseconds.
  ///   - isCancelled: asked from any thread while the call runs.
  public func withRootCall<R>(
    origin: Call.Origin, deadline: UInt64? = nil, isCancelled: @escaping @Sendable () -> Bool = { false },
    traceID: [UInt8]? = nil, _ body: (Call) throws -> R
  ) throws -> R {
    let root = RootCall(origin: origin, deadline: deadline, isCancelled: isCancelled)
    let trace = try traceID ?? random(16)
    withUnsafeMutableBytes(of: &root.pointer.pointee.trace_id) { $0.copyBytes(from: trace.prefix(16)) }
    return try withExtendedLifetime(root) { try body(Call(pointer: root.pointer)) }
  }
}

extension Invocation {
  fileprivate func withNative(
    origin: Call.Origin, _ body: (UnsafePointer<symbolon_invocation>) -> Int32
  ) -> Int32 {
    var native = symbolon_invocation()
    native.struct_size = UInt32(MemoryLayout<symbolon_invocation>.size)
    native.encoding = encoding.rawValue
    native.origin = origin.rawValue
    native.allow_transition = transaction == nil ? 0 : 1
    native.transaction = transaction?.handle ?? 0
    return method.utf8.withSlice { method in
      arguments.withSlice { arguments in
        native.method = method
        native.arguments = arguments
        guard let sender = transaction?.sender else { return body(&native) }
        return sender.withUnsafeBufferPointer {
          native.sender = $0.baseAddress
          return body(&native)
        }
      }
    }
  }
}
