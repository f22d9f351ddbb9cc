import CCalls
import FoundationEssentials
import Glibc
import PluginAPI
import Synchronization

/// A layer whose library this process opens itself, for commands that need no node.
struct OfflineLayer {
  private let plugin: Configuration.Plugin
  private let configuration: Configuration
  private let data: String
  private let scratch: ScratchNode
  private let entry: LibraryStore.Entry
  /// What it offers without a node.
  let methods: [CatalogMethod]

  /// Finds the library of a layer: the one that plugins.conf names, or a sealed one beside the executable.
  ///
  /// Nil when there is none, or when it offers nothing without a node; nothing of it has run then.
  init?(_ layer: String, config: String, data: String) throws(HostError) {
    guard PluginID.isValid(layer), let found = try Self.find(layer, config) else { return nil }
    (configuration, plugin) = found
    self.data = data
    let path = try LibrarySearch(configuration).resolve(plugin.library)
    let sealed = try PluginPackage(at: try AbsolutePath.of(path)).manifest
    if let sealed, sealed.description.offline.isEmpty { return nil }
    let scratch = try ScratchNode(configuration, identity: Self.identity(data, sealed?.description))
    do throws(HostError) {
      entry = try scratch.node.stage(plugin)
      methods = CatalogMethod.offline(of: try scratch.node.describe(entry, plugin))
    } catch {
      scratch.end()
      throw error
    }
    self.scratch = scratch
    guard !methods.isEmpty else {
      scratch.end()
      return nil
    }
  }

  /// Frees what it took.
  func end() { scratch.end() }

  /// What a layer offers without a node, as the seal of its library tells; nothing of it runs.
  static func sealedMethods(_ layer: String, config: String) -> [CatalogMethod] {
    guard PluginID.isValid(layer), let (configuration, plugin) = try? find(layer, config),
      let path = try? AbsolutePath.of(LibrarySearch(configuration).resolve(plugin.library)),
      let manifest = try? PluginPackage(at: path).manifest
    else { return [] }
    return CatalogMethod.offline(of: manifest.description)
  }

  private static func find(
    _ layer: String, _ config: String
  ) throws(HostError) -> (Configuration, Configuration.Plugin)? {
    var configuration: Configuration
    if access(config, R_OK) == 0 || config != "plugins.conf" {
      configuration = try Configuration(contentsOf: config)
    } else {
      configuration = try Configuration(parsing: "", path: "plugins.conf")
    }
    var plugin = configuration.plugins.first { $0.id == layer } ?? sealed(layer)
    // The command says all that a setting could.
    plugin?.settings = .object([:])
    guard let plugin else { return nil }
    configuration.plugins = [plugin]
    return (configuration, plugin)
  }

  /// A library that lies beside the executable and whose seal names the layer.
  private static func sealed(_ layer: String) -> Configuration.Plugin? {
    let place = ExecutablePath.current.lastIndex(of: "/").map { String(ExecutablePath.current[..<$0]) } ?? "."
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(place)/layers")) ?? []
    for name in names.sorted() where name.hasSuffix(".so") {
      let path = "\(place)/layers/\(name)"
      if (try? PluginPackage(at: path))?.manifest?.description.id == layer {
        return Configuration.Plugin(id: layer, library: name)
      }
    }
    return nil
  }

  /// The node's key, made as a first start would make it; a passing one when the layer signs nothing or the folder
  /// takes none.
  private static func identity(_ data: String, _ description: PluginDescription?) -> SigningKey? {
    let asks = description.map { Grants(for: $0, limit: nil).allowsService(SYMBOLON_IDENTITY) } ?? true
    guard asks else { return nil }
    do throws(HostError) { return try WalletStore(data: data).nodeKey() } catch {
      StandardError.write("symbolon: what is signed now is signed with a key that nobody knows: \(error.message)\n")
      return nil
    }
  }

  /// Calls a method; `show` gets each message, and gives back a status other than 0 to end it.
  func call(
    _ method: CatalogMethod, _ arguments: [String: JSONValue], show: (JSONValue) -> Int32
  ) throws(HostError) {
    symbolon_ticks_prepare()
    Interruption.watch()
    let node = scratch.node
    let generation = try node.startGeneration(try node.openCandidate(entry, plugin, grant: true))
    defer { withExtendedLifetime(generation) {} }
    try RootCallFrame.run(origin: SYMBOLON_ORIGIN_OPERATOR) { call in
      call.pointee.cancelled = { _ in Interruption.isAsked ? 1 : 0 }
      return node.invoke(method.name, Array(JSONValue.object(arguments).text.utf8), call) { message in
        show((try? JSONValue(parsing: message)) ?? .string(String(decoding: message, as: UTF8.self)))
      }
    }
  }
}

/// Control-C during a command that has something to clean up: the first is a request, the second ends the process.
enum Interruption {
  private static let flag = Atomic(false)

  static var isAsked: Bool { flag.load(ordering: .relaxed) }

  static func watch() {
    // Made before a handler needs it.
    flag.store(false, ordering: .relaxed)
    var both = sigset_t()
    sigemptyset(&both)
    for number in [SIGINT, SIGTERM] {
      sigaddset(&both, number)
      var action = sigaction()
      action.__sigaction_handler.sa_handler = { _ in Interruption.flag.store(true, ordering: .relaxed) }
      action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND))
      sigaction(number, &action, nil)
    }
    // Whoever started this may have blocked them.
    pthread_sigmask(SIG_UNBLOCK, &both, nil)
  }
}

/// Shows what a method without a node says (`symbolon/extensions/offline.h`).
final class OfflineView {
  private let isJSON: Bool
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var result: JSONValue?
  private var hasBar = false
  private var hasText = false

  init(json: Bool) { isJSON = json }

  func show(_ message: JSONValue) -> Int32 {
    switch message[key: "type"]?.string {
    case "progress": draw(message)
    case "text":
      eraseBar()
      hasText = true
      if !isJSON { write(message[key: "text"]?.string ?? "") }
    case "result":
      var members = message.object ?? [:]
      members["type"] = nil
      result = .object(members)
    default:
      eraseBar()
      write((isJSON ? message.text : Terminal.wide(message)) + "\n")
    }
    return 0
  }

  /// Prints the result; false when it says that something is not as it should be.
  func finish() -> Bool {
    eraseBar()
    if hasText, !isJSON { write("\n") }
    guard let result else { return true }
    if isJSON {
      write(result.text + "\n")
    } else if hasText {
      // Beside the text that was asked for, and without it.
      var members = result.object ?? [:]
      members["text"] = nil
      StandardError.write("\n" + Terminal.wide(Self.brief(.object(members))) + "\n")
    } else {
      write(Terminal.wide(Self.brief(result)) + "\n")
    }
    return result[key: "ok"] != .bool(false)
  }

  /// For people: long lists and texts are told, not shown.
  private static func brief(_ value: JSONValue) -> JSONValue {
    switch value {
    case .object(let members): return .object(members.mapValues(brief))
    case .array(let items) where items.count > 8: return .string("\(items.count) values; --json shows them")
    case .array(let items): return .array(items.map(brief))
    case .string(let text) where text.utf8.count > 1000:
      return .string("\(text.utf8.count) bytes; --json shows them")
    default: return value
    }
  }

  private func write(_ text: String) {
    print(text, terminator: "")
    fflush(nil)
  }

  private func draw(_ message: JSONValue) {
    guard isTerminal, !isJSON, let done = message[key: "done"]?.real, let total = message[key: "total"]?.real,
      total > 0
    else { return }
    let share = max(0, min(1, done / total))
    let filled = Int(share * 24)
    let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: 24 - filled)
    StandardError.write("\r\u{1b}[K\(message[key: "what"]?.string ?? "") [\(bar)] \(Int(share * 100)) %")
    hasBar = true
  }

  private func eraseBar() {
    if hasBar { StandardError.write("\r\u{1b}[K") }
    hasBar = false
  }
}
