import Glibc
import PluginAPI

/// What a case works with: the file, the seed, and the library once it is opened.
final class CaseContext {
  let path: String
  let seed: UInt64
  var random: SeededGenerator
  private let plan: SurroundingsPlan
  private let listener: Listener?
  /// The node and the other plugins, once somebody needed them.
  private(set) var surroundings: Surroundings?

  init(path: String, seed: UInt64, _ plan: SurroundingsPlan, listener: Listener?) {
    (self.path, self.seed, self.plan, self.listener) = (path, seed, plan, listener)
    random = SeededGenerator(seed: seed)
  }

  typealias Entry = @convention(c) (UInt32) -> UnsafePointer<symbolon_plugin>?

  /// Opens the library as the host does and finds its entry.
  func entry() throws(CaseEnd) -> Entry {
    guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | Int32(bitPattern: UInt32(RTLD_NODELETE))) else {
      throw .fail("It cannot be loaded: \(String(cString: dlerror())).")
    }
    guard let symbol = dlsym(handle, "symbolon_plugin_entry") else {
      throw .fail("It exports no symbolon_plugin_entry: mark the function with SYMBOLON_EXPORT.")
    }
    return unsafeBitCast(symbol, to: Entry.self)
  }

  /// What the library says of itself to a host like this one.
  func described() throws(CaseEnd) -> UnsafePointer<symbolon_plugin> {
    guard let native = try entry()(UInt32(SYMBOLON_ABI)) else {
      throw .fail("The entry gives NULL to a host of ABI \(SYMBOLON_ABI).")
    }
    return native
  }

  /// The library, read and checked as the host does it.
  func library() throws(CaseEnd) -> Library {
    let native = try described()
    guard let name = native.pointee.id, let id = String(validatingCString: name) else {
      throw .fail("The description has no id.")
    }
    do throws(HostError) {
      return try Library(opening: LibraryStore.Entry(sha256: "", path: path), expecting: id, liveEntries: [])
    } catch {
      throw .fail(error.message)
    }
  }

  /// A started instance; skips the case when the plugin cannot be brought that far here.
  func started() throws(CaseEnd) -> Subject {
    let subject = try subject()
    do throws(HostError) {
      try subject.create()
      try subject.start()
    } catch {
      throw .skip("It does not start here: \(error.message)\(subject.absence)")
    }
    return subject
  }

  /// A new instance of the plugin, among the plugins that it imports.
  func subject(_ opened: Library? = nil) throws(CaseEnd) -> Subject {
    let library: Library
    if let opened { library = opened } else { library = try self.library() }
    return try Subject(library, try surround(library))
  }

  /// Makes the node and starts the plugins that this one imports, once.
  @discardableResult
  func surround(_ library: Library) throws(CaseEnd) -> Surroundings {
    if let surroundings { return surroundings }
    do throws(HostError) {
      let made = try Surroundings(of: library.description, plan, listener: listener)
      surroundings = made
      return made
    } catch {
      throw .skip("The verifier cannot make a node: \(error.message)")
    }
  }

  /// Ends the node and removes what plugins wrote.
  func end() { surroundings?.scratch.end() }
}

/// An instance of the plugin under test, in a host that the verifier plays.
///
/// Never freed, like everything in the host's process: a case ends with its process.
final class Subject {
  let library: Library
  private let surroundings: Surroundings
  private let generation: Generation

  init(_ library: Library, _ surroundings: Surroundings) throws(CaseEnd) {
    self.library = library
    self.surroundings = surroundings
    do throws(HostError) { generation = try surroundings.makeGeneration(library) } catch {
      throw .skip("The verifier cannot make an instance: \(error.message)")
    }
  }

  var native: symbolon_plugin { library.native.pointee }
  var instance: UnsafeMutableRawPointer? { generation.instance }
  /// Who was not there, for sentences about what failed.
  var absence: String { surroundings.absence }

  func create() throws(HostError) { try generation.create() }

  /// Starts it, and lets the other plugins call it.
  func start() throws(HostError) {
    try generation.start()
    surroundings.node.place(library.description.id).publish(generation)
    surroundings.node.didStart(library.description.id)
  }

  func stop() {
    let layer = surroundings.node.place(library.description.id)
    if layer.generation === generation {
      layer.publish(nil)
      surroundings.node.didRemove(library.description.id)
    }
    generation.stop()
  }

  func destroy() { generation.destroy() }

  /// The methods with their functions.
  var methods: [(description: PluginDescription.Method, function: @convention(c) () -> Void)] {
    Array(zip(library.description.methods, library.functions))
  }
}

/// An instance in a host that grants nothing: every service is NULL.
enum BareHost {
  /// Makes, starts, stops and frees it there.
  static func live(_ library: Library) throws(HostError) {
    let native = library.native.pointee
    var host = symbolon_host()
    host.struct_size = UInt32(MemoryLayout<symbolon_host>.size)
    host.abi = UInt32(SYMBOLON_ABI)
    host.version = Version.text
    host.plugin_id = native.id
    host.service = { _, _ in nil }
    let unavailable: @convention(c) (UnsafeMutablePointer<symbolon_call>?) -> Int32 = { call in
      symbolon_fail(call, Int32(SYMBOLON_UNAVAILABLE), "no_provider", "This host has no other plugins.")
    }
    for slot in library.slots { slot.pointee = unsafeBitCast(unavailable, to: (@convention(c) () -> Void).self) }
    let kept = UnsafeMutablePointer<symbolon_host>.allocate(capacity: 1)
    kept.initialize(to: host)
    var made: UnsafeMutableRawPointer?
    if let create = native.create { try RootCallFrame.run { call in create(kept, call, &made) } }
    if let start = native.start { try RootCallFrame.run { call in start(made, call) } }
    native.stop?(made)
    native.destroy?(made)
  }
}
