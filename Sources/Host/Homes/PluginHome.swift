import Glibc
import PluginAPI

/// Where a plugin's code runs.
package enum HomeKind: String, CaseIterable, Sendable {
  /// In the host's process: fast, and fully trusted.
  case host
  /// In a process of its own, confined; a crash there is an error reply.
  case worker
}

/// One loaded library with its instance, wherever it runs.
///
/// The four steps of life are called on the control thread, one at a time.
protocol PluginHome: AnyObject, Sendable {
  var kind: HomeKind { get }
  /// The process that runs the code; nil for the host's own.
  var processID: pid_t? { get }
  /// The instance pointer that every function gets.
  var instance: UnsafeMutableRawPointer? { get }
  /// The native function of each method, in the order of the description; whoever calls one holds the home.
  var functions: [@convention(c) () -> Void] { get }

  /// A home for another instance of the same code.
  func again() throws(HostError) -> any PluginHome

  /// Fills the imports and makes the instance.
  func create(_ context: HostContext, imports: [ImportBinding]) throws(HostError)
  /// Lets the instance take its resources.
  func start() throws(HostError)
  /// Ends the instance's threads and gives back its resources; no call is running.
  func stop()
  /// Frees the instance.
  func destroy()

  /// Takes the instance's state in the form of `version`; the instance is started and no call runs in it.
  func exportState(version: UInt32) throws(HostError) -> [UInt8]
  /// Gives the instance a state in the form of `version`; it is created and not started.
  func importState(version: UInt32, _ state: [UInt8]) throws(HostError)
}

/// The most bytes that a plugin's state may have (`symbolon/extensions/state.h`).
let stateLimit = 256 << 20

/// A library in the host's own process.
final class HostHome: PluginHome, @unchecked Sendable {
  // Proof: `instance` is written on the control thread before calls can reach it.
  let library: Library
  private(set) var instance: UnsafeMutableRawPointer?

  init(_ library: Library) { self.library = library }

  var kind: HomeKind { .host }
  var processID: pid_t? { nil }
  var functions: [@convention(c) () -> Void] { library.functions }

  func again() -> any PluginHome { HostHome(library) }

  func create(_ context: HostContext, imports: [ImportBinding]) throws(HostError) {
    for (binding, slot) in zip(imports, library.slots) { slot.pointee = try binding.function() }
    guard let create = library.native.pointee.create else { return }
    var made: UnsafeMutableRawPointer?
    try RootCallFrame.run { call in create(context.native, call, &made) }
    instance = made
  }

  func start() throws(HostError) {
    guard let start = library.native.pointee.start else { return }
    try RootCallFrame.run { call in start(instance, call) }
  }

  func stop() { library.native.pointee.stop?(instance) }

  func destroy() {
    library.native.pointee.destroy?(instance)
    instance = nil
  }
}

extension HostHome {
  func exportState(version: UInt32) throws(HostError) -> [UInt8] {
    guard let export = library.state?.pointee.export_state else { throw .stateless(library.description.id) }
    let collector = StateCollector()
    try RootCallFrame.run { call in
      let status = collector.collect { sink in export(instance, call, version, sink) }
      guard status == 0, collector.overflowed else { return status }
      return HostError.stateTooLarge(library.description.id).write(to: call)
    }
    return collector.bytes
  }

  func importState(version: UInt32, _ state: [UInt8]) throws(HostError) {
    guard let take = library.state?.pointee.import_state else { throw .stateless(library.description.id) }
    try RootCallFrame.run { call in
      state.withUnsafeBufferPointer {
        take(instance, call, version, symbolon_slice(data: $0.baseAddress, size: UInt64($0.count)))
      }
    }
  }
}

extension HostError {
  static func stateless(_ id: String) -> HostError {
    .refused("no_state", "`\(id)` has no state to hand over: it does not offer \(SYMBOLON_STATE).")
  }

  static func stateTooLarge(_ id: String) -> HostError {
    HostError(
      SYMBOLON_RESOURCE_EXHAUSTED, "state_too_large",
      "The state of `\(id)` has more than \(stateLimit >> 20) MiB: keep it in the ledger or in files.")
  }
}

/// Puts the messages of one state together, up to the limit.
final class StateCollector {
  private(set) var bytes: [UInt8] = []
  private(set) var overflowed = false

  /// Lends a sink to `body`.
  func collect(_ body: (UnsafeMutablePointer<symbolon_sink>) -> Int32) -> Int32 {
    var sink = symbolon_sink()
    sink.struct_size = UInt32(MemoryLayout<symbolon_sink>.size)
    sink.context = Unmanaged.passUnretained(self).toOpaque()
    sink.write = { sink, message in
      guard let context = sink?.pointee.context else { return Int32(SYMBOLON_INTERNAL) }
      return Unmanaged<StateCollector>.fromOpaque(context).takeUnretainedValue().append(message.buffer)
    }
    return withExtendedLifetime(self) { body(&sink) }
  }

  private func append(_ message: UnsafeRawBufferPointer) -> Int32 {
    guard message.count <= stateLimit - bytes.count else {
      overflowed = true
      return Int32(SYMBOLON_RESOURCE_EXHAUSTED)
    }
    bytes += message
    return 0
  }
}
