import Glibc
import PluginAPI

/// What a case works with: the file, the seed, and the library once it is opened.
final class CaseContext {
  let path: String
  let seed: UInt64
  var random: SeededGenerator

  init(path: String, seed: UInt64) {
    (self.path, self.seed) = (path, seed)
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
    let subject = try Subject(try library())
    do throws(HostError) {
      try subject.create()
      try subject.start()
    } catch {
      throw .skip("It does not start in the verifier, which has no other plugins: \(error.message)")
    }
    return subject
  }
}

/// An instance of the plugin under test, in a host that the verifier plays.
final class Subject {
  let library: Library
  let host: VerifierHost
  private(set) var instance: UnsafeMutableRawPointer?

  init(_ library: Library, grants: Bool = true) throws(CaseEnd) {
    self.library = library
    host = try VerifierHost(id: library.description.id, grants: grants)
    // An import that nobody provides: what a plugin meets while its provider is being replaced.
    let unavailable: @convention(c) (UnsafeMutablePointer<symbolon_call>?) -> Int32 = { call in
      symbolon_fail(call, Int32(SYMBOLON_UNAVAILABLE), "no_provider", "The verifier has no other plugins.")
    }
    for slot in library.slots { slot.pointee = unsafeBitCast(unavailable, to: (@convention(c) () -> Void).self) }
  }

  var native: symbolon_plugin { library.native.pointee }

  func create() throws(HostError) {
    guard let create = native.create else { return }
    var made: UnsafeMutableRawPointer?
    try RootCallFrame.run { call in create(host.native, call, &made) }
    instance = made
  }

  func start() throws(HostError) {
    guard let start = native.start else { return }
    try RootCallFrame.run { call in start(instance, call) }
  }

  func stop() { native.stop?(instance) }

  func destroy() {
    native.destroy?(instance)
    instance = nil
  }

  /// The methods with their functions.
  var methods: [(description: PluginDescription.Method, function: @convention(c) () -> Void)] {
    Array(zip(library.description.methods, library.functions))
  }
}
