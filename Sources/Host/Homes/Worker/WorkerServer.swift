import CCalls
import CLanes
import PluginAPI

/// What the short way of a call through a worker knows of the library.
enum WorkerServer {
  /// The server of a library; its context is still to be set.
  static func make(_ library: Library) -> symbolon_server {
    let signatures = library.description.methods.map(\.signature)
    let methods = UnsafeMutablePointer<symbolon_served_method>.allocate(capacity: max(1, signatures.count))
    for (index, signature) in signatures.enumerated() {
      (methods + index).initialize(to: method(signature, library.functions[index]))
    }
    var server = symbolon_server()
    server.methods = methods
    server.count = UInt32(signatures.count)
    server.message_method = MessageKind.method.rawValue
    server.message_result = MessageKind.result.rawValue
    server.cancelled = unsafeBitCast(WorkerCallContext.cancelled, to: (@convention(c) () -> Void).self)
    server.too_large = { context, index, error in
      guard let context, let error else { return Int32(SYMBOLON_INTERNAL) }
      let process = Unmanaged<WorkerProcess>.fromOpaque(context).takeUnretainedValue()
      let name = process.library.description.methods[Int(index)].signature.name
      return HostError.messageTooLarge(name).write(into: error.assumingMemoryBound(to: symbolon_error.self))
    }
    return server
  }

  private static func method(
    _ signature: Signature, _ function: @escaping @convention(c) () -> Void
  ) -> symbolon_served_method {
    let kinds = signature.parameters.map(\.type.word) + signature.results.map { _ in UInt8(SYMBOLON_WORD_64) }
    let slices = (signature.parameters + signature.results).map(\.type.isSlice)
    var method = symbolon_served_method()
    method.function = function
    let plan = UnsafeMutablePointer<symbolon_direct>.allocate(capacity: 1)
    plan.initialize(to: symbolon_direct())
    method.plan = UnsafeRawPointer(plan)
    let isPlanned = symbolon_direct_prepare(plan, kinds, UInt32(kinds.count)) != 0
    guard isPlanned, !signature.streams, slices.count <= Int(SYMBOLON_SERVED_ARGUMENTS) else { return method }
    method.is_short = 1
    method.parameters = UInt8(signature.parameters.count)
    method.results = UInt8(signature.results.count)
    method.scalars = UInt8(signature.results.count { !$0.type.isSlice })
    withUnsafeMutableBytes(of: &method.is_slice) { flags in
      for (index, isSlice) in slices.enumerated() { flags[index] = isSlice ? 1 : 0 }
    }
    return method
  }
}
