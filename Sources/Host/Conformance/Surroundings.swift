import FoundationEssentials
import Glibc
import Synchronization

/// What a case is told of the plugins around the one under test.
struct SurroundingsPlan: Sendable {
  /// Libraries that were named, by plugin id.
  var libraries: [String: String] = [:]
  /// Libraries that were named without an id.
  var others: [String] = []
  /// Where the rest is looked for, by file name.
  var folder = ""
  /// Settings by plugin id; those of the plugin under test may stand under `subject`.
  var settings: [String: JSONValue] = [:]

  var json: JSONValue {
    .object([
      "libraries": .object(libraries.mapValues { .string($0) }), "others": .array(others.map { .string($0) }),
      "folder": .string(folder), "settings": .object(settings),
    ])
  }

  /// No plugin's id: the one under test, whose id nobody knows before it is opened.
  static let subject = "*"

  init() {}

  init(json: JSONValue) {
    libraries = (json[key: "libraries"]?.object ?? [:]).compactMapValues(\.string)
    others = json[key: "others"]?.array?.compactMap(\.string) ?? []
    folder = json[key: "folder"]?.string ?? ""
    settings = json[key: "settings"]?.object ?? [:]
  }

  /// What a confined case reads: the folders of all libraries, and what the settings name.
  var readable: [String] {
    let files = Array(libraries.values) + others
    let folders = files.compactMap { path in path.lastIndex(of: "/").map { String(path[..<$0]) } } + [folder]
    return Set(folders + settings.values.flatMap(Self.paths)).filter { !$0.isEmpty }.sorted()
  }

  /// Texts in settings that are paths of something that exists.
  private static func paths(in value: JSONValue) -> [String] {
    switch value {
    case .object(let members): return members.values.flatMap(paths)
    case .array(let items): return items.flatMap(paths)
    case .string(let text):
      let path = ConfigurationReader.expand(text)
      return path.hasPrefix("/") && access(path, R_OK) == 0 ? [path] : []
    default: return []
    }
  }

  /// The library that offers the methods of a plugin.
  ///
  /// In the folder it is `libledger.so` or `ledger.so` for `ledger`, whatever the case of its letters.
  func library(of id: String) -> String? {
    if let named = libraries[id] { return named }
    for path in others
    where (try? Library(opening: .init(sha256: "", path: path), expecting: nil, liveEntries: []))?
      .description.id == id
    { return path }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let found = names.sorted().first { ["lib\(id).so", "\(id).so"].contains($0.lowercased()) }
    return found.map { "\(folder)/\($0)" }
  }
}

/// The plugins around the one under test, and the node in which all of them live: real libraries, loaded into the
/// process of the case as a node would load them.
final class Surroundings {
  let scratch: ScratchNode
  var node: Node { scratch.node }
  /// Versions of what is there, by id.
  private(set) var present: [String: String] = [:]
  /// Why an imported plugin is not there, by id.
  private(set) var missing: [String: String] = [:]
  private let plan: SurroundingsPlan
  private var folders = 0

  /// Makes the node, and starts everything that `description` imports, in the order of need.
  init(
    of description: PluginDescription, _ plan: SurroundingsPlan, listener: Listener?
  ) throws(HostError) {
    self.plan = plan
    var configuration = try Configuration(parsing: "", path: "plugins.conf")
    configuration.plugins = plan.settings.sorted { $0.key < $1.key }.map { id, settings in
      // `*` sorts before every id, so it is found first.
      var plugin = Configuration.Plugin(id: id == SurroundingsPlan.subject ? description.id : id, library: "")
      plugin.settings = settings
      return plugin
    }
    scratch = try ScratchNode(configuration)
    if let listener { scratch.node.adopt(listener) }
    provide(for: description, path: [description.id])
  }

  private func provide(for description: PluginDescription, path: [String]) {
    for row in description.imports where !path.contains(row.plugin) && present[row.plugin] == nil {
      guard missing[row.plugin] == nil else { continue }
      do throws(HostError) {
        present[row.plugin] = try start(row.plugin, path + [row.plugin])
      } catch {
        missing[row.plugin] = error.message
      }
    }
  }

  private func start(_ id: String, _ path: [String]) throws(HostError) -> String {
    guard let file = plan.library(of: id) else {
      throw .notFound(
        "no_library", "No library of `\(id)` lies beside this one: name it with --with, or a node's file with --config."
      )
    }
    let library = try Library(opening: .init(sha256: "", path: file), expecting: id, liveEntries: [])
    provide(for: library.description, path: path)
    let generation = try node.makeGeneration(Self.candidate(library))
    try node.begin(generation)
    node.place(id).publish(generation)
    node.didStart(id)
    return library.description.version
  }

  /// The plugin under test as one more generation of this node, with a folder of its own.
  func makeGeneration(_ library: Library) throws(HostError) -> Generation {
    folders += 1
    return try node.makeGeneration(
      Self.candidate(library), storage: try scratch.freshFolder("subject-\(folders)"))
  }

  private static func candidate(_ library: Library) -> Candidate {
    Candidate(
      entry: library.entry, description: library.description, home: HostHome(library),
      verdict: TrustCheck.Verdict(signer: .nobody, manifest: nil, home: .host))
  }

  /// What a sentence about a failed start adds: who was not there.
  var absence: String {
    missing.sorted { $0.key < $1.key }.map { " Without `\($0.key)`: \($0.value)" }.joined()
  }

  var json: JSONValue {
    .object([
      "present": .object(present.mapValues { .string($0) }), "missing": .object(missing.mapValues { .string($0) }),
    ])
  }
}
