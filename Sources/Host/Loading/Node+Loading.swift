import Logging
import FoundationEssentials
import Glibc
import PluginAPI
import Synchronization

extension Node {
  /// Finds and stages a plugin's library; nothing of it is opened.
  func stage(_ plugin: Configuration.Plugin) throws(HostError) -> LibraryStore.Entry {
    try store.stage(try LibrarySearch(configuration).resolve(plugin.library))
  }

  /// Opens and checks a staged library in the home that the configuration names; nothing of it is started.
  ///
  /// `grant` says yes to whatever it asks for beyond its record; who opens it so records that once it serves.
  func openCandidate(
    _ entry: LibraryStore.Entry, _ plugin: Configuration.Plugin, grant: Bool = false
  ) throws(HostError) -> Candidate {
    let description = try describe(entry, plugin)
    // Right before it is opened: what runs is what was checked.
    let verdict = try examine(entry, plugin)
    let candidate: Candidate
    switch verdict.home {
    case .worker:
      let home = try WorkerHome(entry, description, plugin.limits)
      candidate = Candidate(entry: entry, description: description, home: home, verdict: verdict)
    case .host:
      let library: Library
      if let mapped = images.find(entry.sha256) {
        // It cannot be unmapped, and to map it again would leave its memory behind once more.
        try mapped.description.check(expecting: plugin.id)
        library = mapped
      } else {
        library = try Library(opening: entry, expecting: plugin.id, liveEntries: images.addresses)
        try compare(library.description, with: entry, plugin)
        images.keep(library)
      }
      candidate = Candidate(
        entry: entry, description: library.description, home: HostHome(library), verdict: verdict)
    }
    try verdict.manifest?.match(candidate.description)
    if !grant {
      try grantBook.admit(
        plugin.id, requested: Grants.requested(by: candidate.description), limit: plugin.permissions)
    }
    return candidate
  }

  /// Makes, starts and publishes a generation.
  func startGeneration(_ candidate: Candidate) throws(HostError) -> Generation {
    let generation = try makeGeneration(candidate)
    try begin(generation)
    let layer = place(candidate.id)
    layer.publish(generation)
    didStart(candidate.id)
    return generation
  }

  /// Joins a candidate with what it holds of the host; none of its code runs.
  ///
  /// - Parameter storage: its folder, when that is not the one of its id.
  func makeGeneration(_ candidate: Candidate, storage: String? = nil) throws(HostError) -> Generation {
    let id = candidate.id
    let layer = place(id)
    let folder = storage ?? "\(data)/\(id)"
    try makeFolder(folder, mode: 0o700)
    let plugin = configuration.plugins.first { $0.id == id }
    let grants = Grants(for: candidate.description, limit: plugin?.permissions)
    let context = HostContext(
      pluginID: id, settings: plugin?.settings ?? .object([:]), storage: folder, grants: grants, node: self)
    var imports: [ImportBinding] = []
    for row in candidate.description.imports {
      let call = "\(row.plugin).\(row.signature.name)"
      let refusal = grants.allowsCall(call) ? nil : context.refuse(.call, call)
      imports.append(
        try ImportBinding(row, of: place(row.plugin), importer: context.cPluginID, refusal: refusal))
    }
    var methods: [String: LoadedMethod] = [:]
    for (row, function) in zip(candidate.description.methods, candidate.home.functions) {
      let name = row.signature.name
      // It works on files of whoever types the command, not on those of the node.
      if !isScratch, candidate.description.offline.contains(where: { $0.method == name }) { continue }
      methods[name] = try LoadedMethod(row, function: function, counters: layer.counters(for: name))
    }
    return Generation(
      number: nextGeneration(of: id), of: candidate, in: layer, methods: methods, imports: imports, host: context)
  }

  /// create() and start(), with the plugin's name in the error.
  func begin(_ generation: Generation) throws(HostError) {
    let id = generation.id
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
      metadata: [
        "plugin": "\(id)", "version": "\(generation.description.version)", "generation": "\(generation.number)",
      ])
  }

  /// Takes a generation out, waits for its calls and ends it.
  func retire(_ generation: Generation, of layer: Layer) {
    layer.publish(nil)
    didRemove(layer.id)
    if !layer.drain(generation, seconds: 10) {
      logger.warning("calls still run in a layer that stops", metadata: ["plugin": "\(layer.id)"])
    }
    guard !desk.isStuck(generation) else { return }
    finish(generation)
  }

  /// Stops every layer, the last started first.
  func stopAll() {
    for probation in desk.close() { probation.letGo() }
    let reversed = Array(runningLayers.reversed())
    // A layer that lets the outside in goes first, even when others were added after it.
    for isFront in [true, false] {
      for layer in reversed {
        if let generation = layer.generation, generation.description.isFront == isFront {
          retire(generation, of: layer)
        }
      }
    }
    closeListener()
    events.stop()
  }
}

/// Finds the file of `library = "…"`.
struct LibrarySearch {
  /// Beside plugins.conf, the signed copies beside the executable, and beside the executable.
  private let folders: [String]

  init(_ configuration: Configuration) {
    let places = [configuration.path, ExecutablePath.current].map { path in
      path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    }
    folders = [places[0], "\(places[1])/layers", places[1]]
  }

  /// An absolute path, or a name that is looked up in the folders.
  func resolve(_ library: String) throws(HostError) -> String {
    if library.hasPrefix("/") { return library }
    for folder in folders where access("\(folder)/\(library)", R_OK) == 0 {
      if folder == folders[1] { try checkFresh(library) }
      return "\(folder)/\(library)"
    }
    throw .notFound(
      "no_library",
      "The library \(library) is neither in \(folders.joined(separator: " nor in ")): build it, or correct `library`.")
  }
}

extension LibrarySearch {
  /// A signed copy that is older than what the linker wrote since is not what its author means to run.
  private func checkFresh(_ library: String) throws(HostError) {
    var (copy, built) = (stat(), stat())
    guard stat("\(folders[1])/\(library)", &copy) == 0, stat("\(folders[2])/\(library)", &built) == 0 else { return }
    let isOlder =
      (copy.st_mtim.tv_sec, copy.st_mtim.tv_nsec) < (built.st_mtim.tv_sec, built.st_mtim.tv_nsec)
    guard !isOlder else {
      throw .refused(
        "stale_signature",
        "\(folders[2])/\(library) was built after its signed copy in layers: run Scripts/sign-layers, or Scripts/build."
      )
    }
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
