import FoundationEssentials
import Glibc
import Logging
import Synchronization

extension Node {
  /// Reads plugins.conf again and applies it (SIGHUP); what is wrong with it goes into the log.
  func reloadConfiguration() {
    do throws(HostError) {
      let report = try apply(try Configuration(contentsOf: configuration.path))
      logger.info("configuration applied", metadata: ["changes": "\(report.text)"])
    } catch {
      logger.error("configuration refused, nothing was changed", metadata: ["reason": "\(error.message)"])
    }
  }

  /// Applies a new configuration as a whole, or not at all: adds, replaces and removes plugins.
  func apply(_ next: Configuration) throws(HostError) -> JSONValue {
    try desk.exclusively(serve: serve) { () throws(HostError) in try change(to: next) }
  }

  private func change(to next: Configuration) throws(HostError) -> JSONValue {
    let previous = configuration
    guard next.data == previous.data, next.listen == previous.listen else {
      throw .refused("needs_restart", "`listen` and `data` change only with a restart of the node.")
    }
    guard !next.trust.loosens(previous.trust) else {
      throw .refused(
        "trust_loosened",
        "[trust] would trust more than this node was started with: that needs a restart. Nothing was changed.")
    }
    let enabled = next.plugins.filter(\.enabled)
    let running = Set(runningLayers.map(\.id))
    let removed = runningLayers.filter { layer in !enabled.contains { $0.id == layer.id } }
    let changed = enabled.filter { plugin in
      running.contains(plugin.id)
        && previous.plugins.first { $0.id == plugin.id }.map { Self.differ($0, plugin) } ?? true
    }
    // What safe mode left out stays out until it is asked for, or until its table changes.
    let added = enabled.filter { plugin in
      !running.contains(plugin.id) && (forbidden[plugin.id] == nil || !previous.plugins.contains(plugin))
    }
    setConfiguration(next)
    var change = AppliedChange(self)
    do throws(HostError) {
      try change.perform(adding: added, replacing: changed, staying: running.subtracting(removed.map(\.id)))
    } catch {
      change.undo()
      setConfiguration(previous)
      throw error
    }
    for layer in removed.reversed() {
      if let generation = layer.generation { retire(generation, of: layer) }
    }
    catalogChanged()
    keepGoodConfiguration()
    return .object([
      "added": .array(added.map { .string($0.id) }), "removed": .array(removed.map { .string($0.id) }),
      "reloaded": .array(changed.map { .string($0.id) }),
    ])
  }

  /// True when a running plugin has to be replaced to follow its table; how it is replaced may change at any time.
  private static func differ(_ a: Configuration.Plugin, _ b: Configuration.Plugin) -> Bool {
    var a = a
    a.reload = b.reload
    return a != b
  }

  // MARK: The last good file

  private var goodConfiguration: String { "\(data)/\(GoodConfiguration.name)" }

  /// Keeps what the node runs with, so that a later file that is wrong does not leave the operator without one.
  func keepGoodConfiguration() {
    let text = GoodConfiguration.text(configuration)
    guard text != (try? String(contentsOfFile: goodConfiguration, encoding: .utf8)) else { return }
    do throws(HostError) { try PrivateFile.write(Array(text.utf8), to: goodConfiguration) } catch {
      logger.warning("the last good configuration is not kept", metadata: ["reason": "\(error.message)"])
    }
  }
}

/// The copy of the last plugins.conf that worked: `<data>/plugins.conf.good`.
enum GoodConfiguration {
  static let name = "plugins.conf.good"
  /// Its first line names the file that it is a copy of, so that relative libraries are found and a reload reads that.
  private static let mark = "# The last configuration that worked, a copy of "

  static func text(_ configuration: Configuration) -> String { "\(mark)\(configuration.path)\n\(configuration.source)" }

  /// The file that a copy stands for; nil for any other file.
  static func original(of text: String, at path: String) -> String? {
    guard path.hasSuffix("/\(name)"), text.hasPrefix(mark), let end = text.firstIndex(of: "\n") else { return nil }
    return String(text[text.index(text.startIndex, offsetBy: mark.count)..<end])
  }

  /// Says that there is one, for a start whose file is wrong.
  static func hint(for config: String, data: String?) -> String {
    guard let folder = data ?? (try? Configuration.dataFolder(of: config)) ?? named(in: config),
      access("\(folder)/\(name)", R_OK) == 0
    else { return "" }
    return " The last one that worked is kept: `symbolon run --config \(folder)/\(name)` starts with it."
  }

  /// The data folder of a file that is no TOML.
  private static func named(in path: String) -> String? {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "=", maxSplits: 1).map { $0.split(separator: " ").joined(separator: " ") }
      guard parts.count == 2, parts[0] == "data", parts[1].hasPrefix("\""), parts[1].dropFirst().contains("\"") else {
        continue
      }
      return ConfigurationReader.expand(String(parts[1].dropFirst().prefix { $0 != "\"" }))
    }
    return ConfigurationReader.expand("~/.symbolon")
  }
}

/// What one change of the configuration has done so far.
private struct AppliedChange {
  private let node: Node
  private var started: [Generation] = []
  private var switched: [ReloadTicket] = []

  init(_ node: Node) { self.node = node }

  mutating func perform(
    adding: [Configuration.Plugin], replacing: [Configuration.Plugin], staying: Set<String>
  ) throws(HostError) {
    // Everything is looked at before anything is opened.
    var entries: [String: (configured: String, entry: LibraryStore.Entry)] = [:]
    var descriptions: [PluginDescription] = []
    for plugin in adding + replacing {
      let configured = try node.stage(plugin)
      let entry = node.selectLibrary(plugin.id, configured: configured)
      if let reason = node.history.quarantined(entry.sha256) {
        throw .refused("quarantined", "The library of `\(plugin.id)` is quarantined: \(reason)")
      }
      entries[plugin.id] = (configured.sha256, entry)
      descriptions.append(try node.describe(entry, plugin))
    }
    let others = node.runningLayers.compactMap { $0.generation?.description }.filter { running in
      staying.contains(running.id) && !descriptions.contains { $0.id == running.id }
    }
    for description in try LoadOrder.arrange(others + descriptions) {
      if let plugin = adding.first(where: { $0.id == description.id }), let found = entries[plugin.id] {
        try add(plugin, found.entry, configured: found.configured)
      } else if replacing.contains(where: { $0.id == description.id }) {
        try replace(description.id)
      }
    }
  }

  private mutating func add(
    _ plugin: Configuration.Plugin, _ entry: LibraryStore.Entry, configured: String
  ) throws(HostError) {
    try node.loading.set(plugin.id, sha256: entry.sha256)
    defer { node.loading.remove(plugin.id) }
    let generation = try node.startGeneration(try node.openCandidate(entry, plugin))
    started.append(generation)
    try node.recordStart(generation, configured: configured)
    node.allow(plugin.id)
  }

  private mutating func replace(_ id: String) throws(HostError) {
    var request = ReloadRequest(id: id)
    (request.keepsOverride, request.isChecked, request.by) = (true, true, "configuration")
    let ticket = ReloadTicket(request)
    try ReloadTransaction(node, ticket).run()
    if let error = ticket.error { throw error }
    switched.append(ticket)
  }

  /// Goes back to what ran before.
  func undo() {
    for ticket in switched.reversed() {
      guard let probation = node.desk.probation(ticket.request.id), probation.transaction?.ticket === ticket else {
        continue
      }
      probation.goBackNow(
        .refused("other_change_failed", "Another part of the same configuration could not be applied."))
    }
    for generation in started.reversed() { node.retire(generation, of: node.place(generation.id)) }
  }
}
