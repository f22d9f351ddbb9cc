import PluginAPI
import Synchronization

/// What a call reaches: functions, the instance they work on, and how many calls are inside.
///
/// Never freed, because calls hold it without a count.
class CallTarget: @unchecked Sendable {
  // Proof: `instance` is written on the control thread before the target is published; the rest is constant or atomic.
  let methods: [String: LoadedMethod]
  fileprivate(set) var instance: UnsafeMutableRawPointer?
  /// Calls that run here now.
  let running = Atomic<Int>(0)

  init(methods: [String: LoadedMethod]) { self.methods = methods }
}

/// One loaded version of a plugin, with its instance: its code is never unmapped, so it is never freed.
final class Generation: CallTarget, @unchecked Sendable {  // Proof: adds constants only.
  let number: UInt64
  let library: Library
  let host: HostContext

  init(number: UInt64, library: Library, methods: [String: LoadedMethod], host: HostContext) {
    self.number = number
    self.library = library
    self.host = host
    super.init(methods: methods)
  }

  /// Makes the instance. [control]
  func create() throws(HostError) {
    guard let create = library.native.pointee.create else { return }
    var made: UnsafeMutableRawPointer?
    try RootCallFrame.run { call in create(host.native, call, &made) }
    instance = made
  }

  /// Lets the instance take its resources. [control]
  func start() throws(HostError) {
    guard let start = library.native.pointee.start else { return }
    try RootCallFrame.run { call in start(instance, call) }
  }

  /// Ends the instance's threads and gives back its resources; no call is running. [control]
  func stop() {
    host.events.unsubscribe(host)
    library.native.pointee.stop?(instance)
  }

  /// Frees the instance. [control]
  func destroy() {
    library.native.pointee.destroy?(instance)
    instance = nil
  }
}

/// A call that the host itself begins.
enum RootCallFrame {
  /// Runs `body` with a fresh call and turns a status into an error.
  static func run(
    origin: Int = SYMBOLON_ORIGIN_NODE, _ body: (UnsafeMutablePointer<symbolon_call>) -> Int32
  ) throws(HostError) {
    var error = symbolon_error()
    error.struct_size = UInt32(MemoryLayout<symbolon_error>.size)
    let status = withUnsafeMutablePointer(to: &error) { error in
      var call = symbolon_call()
      call.struct_size = UInt32(MemoryLayout<symbolon_call>.size)
      call.origin = UInt32(origin)
      call.error = error
      withUnsafeMutableBytes(of: &call.trace_id) { Entropy.fill($0) }
      return body(&call)
    }
    guard status == 0 else { throw HostError(status: status, slot: &error) }
  }
}

extension HostError {
  /// Reads what a plugin left in the error slot.
  init(status: Int32, slot: UnsafeMutablePointer<symbolon_error>?) {
    var code = "status_\(status)"
    var message = "The plugin gave status \(status) and no sentence."
    if let slot, slot.pointee.status == status {
      code = withUnsafeBytes(of: &slot.pointee.code) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      message = withUnsafeBytes(of: &slot.pointee.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    self.init(Int(status), code, message)
  }

  /// Writes this error into a call's slot and gives back its status.
  func write(to call: UnsafeMutablePointer<symbolon_call>?) -> Int32 {
    code.withCString { code in message.withCString { symbolon_fail(call, status, code, $0) } }
  }
}
