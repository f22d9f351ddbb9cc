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
  /// The native function of each method, in the order of the description; they can be called until `destroy` ends.
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
}

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
    for (binding, slot) in zip(imports, library.slots) { slot.pointee = try binding.makeFunction() }
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
