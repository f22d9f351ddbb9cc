import Logging
import FoundationEssentials
import Glibc
import PluginAPI
import Synchronization

extension Node {
  /// Loads and starts every enabled plugin of the configuration in dependency order; all or nothing.
  func startAll() throws(HostError) {
    var libraries: [Library] = []
    for plugin in configuration.plugins where plugin.enabled {
      libraries.append(try openLibrary(try stage(plugin), of: plugin.id))
    }
    let ordered = try LoadOrder.arrange(libraries)
    var started: [Generation] = []
    do throws(HostError) {
      for library in ordered { started.append(try startGeneration(library)) }
    } catch {
      for generation in started.reversed() { retire(generation, of: place(generation.library.id)) }
      throw error
    }
    catalogChanged()
  }

  /// Finds and stages a plugin's library; nothing of it is opened.
  func stage(_ plugin: Configuration.Plugin) throws(HostError) -> LibraryStore.Entry {
    try store.stage(try LibrarySearch(configuration).resolve(plugin.library))
  }

  /// Opens and checks a staged library; nothing of it is started.
  func openLibrary(_ entry: LibraryStore.Entry, of id: String) throws(HostError) -> Library {
    let live = Set(runningLayers.compactMap { $0.generation?.library.entryAddress })
    return try Library(opening: entry, expecting: id, liveEntries: live)
  }

  /// Makes, starts and publishes a generation.
  func startGeneration(_ library: Library) throws(HostError) -> Generation {
    let generation = try makeGeneration(library)
    try begin(generation)
    let layer = place(library.id)
    layer.publish(generation)
    didStart(library.id)
    return generation
  }

  /// Fills the imports and makes the instance.
  func makeGeneration(_ library: Library) throws(HostError) -> Generation {
    let id = library.id
    let layer = place(id)
    let folder = "\(data)/\(id)"
    try makeFolder(folder, mode: 0o700)
    let settings = configuration.plugins.first { $0.id == id }?.settings ?? .object([:])
    let context = HostContext(pluginID: id, settings: settings, storage: folder, node: self)
    for description in library.imports {
      try ImportBinding(description, of: place(description.plugin), importer: context.cPluginID).fill()
    }
    var methods: [String: LoadedMethod] = [:]
    for description in library.methods {
      let name = description.signature.name
      methods[name] = try LoadedMethod(description, counters: layer.counters(for: name))
    }
    return Generation(number: nextGeneration(of: id), library: library, methods: methods, host: context)
  }

  /// create() and start(), with the plugin's name in the error.
  func begin(_ generation: Generation) throws(HostError) {
    let id = generation.library.id
    do throws(HostError) {
      try generation.create()
    } catch {
      throw HostError(Int(error.status), error.code, "The layer `\(id)` cannot be made: \(error.message)")
    }
    do throws(HostError) {
      try generation.start()
    } catch {
      generation.destroy()
      throw HostError(Int(error.status), error.code, "The layer `\(id)` cannot start: \(error.message)")
    }
    logger.info(
      "layer started",
      metadata: ["plugin": "\(id)", "version": "\(generation.library.version)", "generation": "\(generation.number)"])
  }

  /// Takes a generation out, waits for its calls and ends it.
  func retire(_ generation: Generation, of layer: Layer) {
    layer.publish(nil)
    didRemove(layer.id)
    if !layer.drain(generation, seconds: 10) {
      logger.warning("calls still run in a layer that stops", metadata: ["plugin": "\(layer.id)"])
    }
    generation.stop()
    generation.destroy()
  }

  /// Stops every layer, the last started first.
  func stopAll() {
    let reversed = Array(runningLayers.reversed())
    // A layer that lets the outside in goes first, even when others were added after it.
    for isFront in [true, false] {
      for layer in reversed {
        if let generation = layer.generation, generation.library.isFront == isFront { retire(generation, of: layer) }
      }
    }
    closeListener()
    events.stop()
  }
}

/// Who must run before whom, and whether everything that is needed is there.
enum LoadOrder {
  /// Checks that the libraries fit together and puts them in the order in which they start.
  static func arrange(_ libraries: [Library]) throws(HostError) -> [Library] {
    let sorted = try sort(libraries)
    try checkImports(sorted)
    try checkNames(sorted)
    return sorted
  }

  /// Providers before importers; optional imports count when their provider is there.
  ///
  /// Cycles through optional imports are cut, other cycles are refused.
  private static func sort(_ libraries: [Library]) throws(HostError) -> [Library] {
    let known = Dictionary(uniqueKeysWithValues: libraries.map { ($0.id, $0) })
    var sorted: [Library] = []
    var done: Set<String> = []
    var path: [String] = []
    func visit(_ library: Library) throws(HostError) {
      guard !done.contains(library.id) else { return }
      path.append(library.id)
      for need in library.imports.filter({ !$0.isOptional }) + library.imports.filter(\.isOptional) {
        guard need.plugin != library.id, let provider = known[need.plugin], !done.contains(provider.id) else {
          continue
        }
        if path.contains(provider.id) {
          if need.isOptional { continue }
          throw .invalid(
            "import_cycle", "The layers \(path.joined(separator: " → ")) → \(provider.id) need each other in a circle.")
        }
        try visit(provider)
      }
      path.removeLast()
      done.insert(library.id)
      sorted.append(library)
    }
    let ordered = libraries.sorted { ($0.isFront ? 1 : 0, $0.id) < ($1.isFront ? 1 : 0, $1.id) }
    for library in ordered { try visit(library) }
    return sorted
  }

  /// Every required import has a provider with exactly that signature.
  private static func checkImports(_ libraries: [Library]) throws(HostError) {
    for library in libraries {
      for need in library.imports {
        let name = "\(need.plugin).\(need.signature.name)"
        guard let provider = libraries.first(where: { $0.id == need.plugin }) else {
          if need.isOptional { continue }
          throw .invalid(
            "missing_import",
            "`\(library.id)` needs `\(name)`, which nobody provides: add [plugin.\(need.plugin)] to plugins.conf, or remove [plugin.\(library.id)]."
          )
        }
        let offered = provider.methods.first { $0.signature.name == need.signature.name }
        guard offered?.signature == need.signature else {
          throw .invalid(
            "import_mismatch",
            "`\(library.id)` needs `\(need.plugin).\(need.signature)`, but version \(provider.version) of `\(need.plugin)` offers "
              + (offered.map { "`\($0.signature)`" } ?? "no such method") + ".")
        }
      }
    }
  }

  /// No two layers claim the same route or the same second name on the command line.
  private static func checkNames(_ libraries: [Library]) throws(HostError) {
    var claimed: [String: String] = [:]
    for library in libraries {
      let claims =
        library.routes.map { "the route \($0.verb) \($0.path)" }
        + library.methods.compactMap { $0.command.map { "the command `symbolon \($0)`" } }
      for claim in claims {
        if let other = claimed[claim] {
          throw .invalid("name_taken", "`\(library.id)` and `\(other)` both claim \(claim): remove one of them.")
        }
        claimed[claim] = library.id
      }
    }
  }
}

/// Finds the file of `library = "…"`.
struct LibrarySearch {
  private let folders: [String]

  init(_ configuration: Configuration) {
    folders = [configuration.path, ExecutablePath.current].map { path in
      path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
  }

  /// An absolute path, or a name beside plugins.conf or beside the executable.
  func resolve(_ library: String) throws(HostError) -> String {
    if library.hasPrefix("/") { return library }
    for folder in folders where access("\(folder)/\(library)", R_OK) == 0 { return "\(folder)/\(library)" }
    throw .notFound(
      "no_library",
      "The library \(library) is neither in \(folders.joined(separator: " nor in ")): build it, or correct `library`.")
  }
}

/// Paths as an operator types them.
enum AbsolutePath {
  static func of(_ path: String) throws(HostError) -> String {
    let expanded = ConfigurationReader.expand(path)
    if expanded.hasPrefix("/") { return expanded }
    guard let folder = getcwd(nil, 0) else { throw .system("no_folder", "The current folder is gone.") }
    defer { free(folder) }
    return "\(String(cString: folder))/\(expanded)"
  }
}

/// Where this program lies.
enum ExecutablePath {
  static let current: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
    return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : "symbolon"
  }()
}
