import PluginAPI
import Synchronization

/// A library that was opened in a home and fits the contract; nothing of it is started.
struct Candidate {
  var entry: LibraryStore.Entry
  var description: PluginDescription
  var home: any PluginHome
  /// Who signed it, as it was when it was opened.
  var verdict: TrustCheck.Verdict

  var id: String { description.id }
}

/// One loaded version of a plugin, with its instance.
///
/// Code in the host's process is never unmapped, so such a generation is never freed: threads that the plugin left
/// behind may still call through its slots. What a worker held is freed with the last call that left it.
final class Generation: @unchecked Sendable {
  // Proof: constant after init, but for the instance in `target`, written on the control thread.
  let number: UInt64
  let entry: LibraryStore.Entry
  let description: PluginDescription
  let home: any PluginHome
  let host: HostContext
  /// Who signed the library, as it was when it was opened.
  let verdict: TrustCheck.Verdict
  /// What calls reach it by.
  let target: CallTarget
  private let layer: Layer
  private let imports: [ImportBinding]

  init(
    number: UInt64, of candidate: Candidate, in layer: Layer, methods: [String: LoadedMethod],
    imports: [ImportBinding], host: HostContext
  ) {
    self.number = number
    entry = candidate.entry
    description = candidate.description
    home = candidate.home
    verdict = candidate.verdict
    self.host = host
    self.imports = imports
    self.layer = layer
    target = layer.takeTarget(methods)
    if home.kind == .host { _ = Unmanaged.passRetained(self) }
  }

  deinit { layer.giveBack(target) }

  var methods: [String: LoadedMethod] { target.methods }
  var instance: UnsafeMutableRawPointer? { target.instance }
  /// Calls that run in it now.
  var running: Int { target.running.load(ordering: .sequentiallyConsistent) }

  var id: String { description.id }

  /// The same code once more, for another instance of it.
  var again: Candidate {
    get throws(HostError) {
      Candidate(entry: entry, description: description, home: try home.again(), verdict: verdict)
    }
  }

  /// Makes the instance. [control]
  func create() throws(HostError) {
    try home.create(host, imports: imports)
    target.instance = home.instance
  }

  /// Lets the instance take its resources. [control]
  func start() throws(HostError) { try home.start() }

  /// Ends the instance's threads and gives back its resources; no call is running. [control]
  func stop() {
    host.events.unsubscribe(host)
    home.stop()
  }

  /// Frees the instance. [control]
  func destroy() {
    home.destroy()
    target.instance = nil
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
      return withUnsafeMutablePointer(to: &call) { call in TraceContext.inside(call) { body(call) } }
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
