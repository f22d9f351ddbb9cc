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

/// A library that was opened in a home and fits the contract; nothing of it is started.
struct Candidate {
  var entry: LibraryStore.Entry
  var description: PluginDescription
  var home: any PluginHome
  /// Who signed it, as it was when it was opened.
  var verdict: TrustCheck.Verdict

  var id: String { description.id }
}

/// One loaded version of a plugin, with its instance: its code is never unmapped, so it is never freed.
final class Generation: CallTarget, @unchecked Sendable {  // Proof: adds constants only.
  let number: UInt64
  let entry: LibraryStore.Entry
  let description: PluginDescription
  let home: any PluginHome
  let host: HostContext
  /// Who signed the library, as it was when it was opened.
  let verdict: TrustCheck.Verdict
  private let imports: [ImportBinding]

  init(
    number: UInt64, of candidate: Candidate, methods: [String: LoadedMethod], imports: [ImportBinding],
    host: HostContext
  ) {
    self.number = number
    entry = candidate.entry
    description = candidate.description
    home = candidate.home
    verdict = candidate.verdict
    self.host = host
    self.imports = imports
    super.init(methods: methods)
  }

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
    instance = home.instance
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
