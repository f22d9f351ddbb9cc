import ArgumentParser

/// `symbolon status`: whether the node runs, and what runs in it.
struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "status", abstract: "Show the running node.")

  @OptionGroup var node: NodeOptions

  func run() {
    Terminal.run(json: node.json) { () throws(HostError) in
      let status = try node.client().request("status")
      if node.json { return print(status.text) }
      let listen = status[key: "listen"]?.string ?? "nowhere"
      let seconds = (status[key: "uptime_ms"]?.unsigned ?? 0) / 1000
      print("Symbolon \(status[key: "version"]?.string ?? "?"), serving on \(listen), up \(seconds) s")
      print("account  \(status[key: "account"]?.string ?? "?")")
      print("data     \(status[key: "data"]?.string ?? "?")\n")
      print(PluginCommand.table(status))
    }
  }
}

/// `symbolon check`: the dry run of a configuration.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check plugins.conf and its libraries without starting anything.")

  @Argument(help: "The configuration to check.")
  var config = NodeOptions.defaultConfiguration

  @Flag(help: "Print JSON.")
  var json = false

  func run() {
    Terminal.run(json: json) { () throws(HostError) in
      let configuration = try Configuration(contentsOf: config)
      let plugins = try Checker(configuration).plugins()
      if json {
        print(JSONValue.object(["ok": .bool(true), "plugins": .array(plugins.map { .string($0.id) })]).text)
      } else {
        print("\(config) is right: \(plugins.map { "\($0.id) \($0.version)" }.joined(separator: ", ")).")
      }
    }
  }
}

/// `symbolon reload`: applies a changed plugins.conf to the running node.
struct Reload: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload", abstract: "Apply plugins.conf to the running node: start new plugins, stop removed ones.")

  @OptionGroup var node: NodeOptions

  func run() {
    Terminal.run(json: node.json) { () throws(HostError) in
      let report = try node.client().request("reload")
      if node.json { return print(report.text) }
      func names(_ key: String) -> String {
        (report[key: key]?.array ?? []).compactMap(\.string).joined(separator: ", ")
      }
      let (added, removed) = (names("added"), names("removed"))
      print("Applied: added \(added.isEmpty ? "nothing" : added), removed \(removed.isEmpty ? "nothing" : removed).")
      if !names("to_reload").isEmpty {
        print("Changed, and still running as before: \(names("to_reload")); `symbolon plugin reload ID` makes it so.")
      }
    }
  }
}

/// The commands `symbolon plugin …`.
struct PluginCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plugin", abstract: "See and replace the layers of the running node.",
    subcommands: [
      List.self, ReloadOne.self, SealOne.self, KeyGen.self, Sign.self, CheckSignature.self, VerifyPlugin.self,
      NewPlugin.self,
    ], defaultSubcommand: List.self)

  static func table(_ status: JSONValue) -> String {
    let plugins = status[key: "plugins"]?.array ?? []
    let rows = plugins.map { plugin in
      [
        plugin[key: "id"]?.string ?? "?", plugin[key: "version"]?.string ?? "?",
        String(plugin[key: "generation"]?.unsigned ?? 0), plugin[key: "state"]?.string ?? "?",
        String(plugin[key: "calls"]?.unsigned ?? 0), String(plugin[key: "errors"]?.unsigned ?? 0),
        plugin[key: "summary"]?.string ?? "",
      ]
    }
    return Terminal.table(["PLUGIN", "VERSION", "GEN", "STATE", "CALLS", "ERRORS", "WHAT"], rows)
  }

  /// The command `symbolon plugin list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List the running layers.")

    @OptionGroup var node: NodeOptions

    func run() {
      Terminal.run(json: node.json) { () throws(HostError) in
        let status = try node.client().request("status")
        print(node.json ? (status[key: "plugins"] ?? .array([])).text : PluginCommand.table(status))
      }
    }
  }

  /// The command `symbolon plugin reload ID`.
  struct ReloadOne: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "reload", abstract: "Swap in another build of a layer's library while the node serves.")

    @Argument(help: "The plugin's id.")
    var id: String

    @Option(help: "Another library than plugins.conf names.")
    var library: String?

    @OptionGroup var node: NodeOptions

    func run() {
      Terminal.run(json: node.json) { () throws(HostError) in
        var members: [String: JSONValue] = ["plugin": .string(id)]
        members["library"] = try library.map { path throws(HostError) in .string(try AbsolutePath.of(path)) }
        let report = try node.client().request("reload-plugin", members)
        if node.json { return print(report.text) }
        let (from, to) = (report[key: "from_version"]?.string ?? "?", report[key: "to_version"]?.string ?? "?")
        let draining = report[key: "draining_calls"]?.unsigned ?? 0
        print("Reloaded \(id): \(from) → \(to)" + (draining > 0 ? "; \(draining) calls finish on the old one." : "."))
      }
    }
  }
}

/// Opens what a configuration names, in this process, without making or starting anything.
struct Checker {
  private let configuration: Configuration

  init(_ configuration: Configuration) { self.configuration = configuration }

  func plugins() throws(HostError) -> [PluginDescription] {
    var plugins: [PluginDescription] = []
    for plugin in configuration.plugins where plugin.enabled {
      let path = try LibrarySearch(configuration).resolve(plugin.library)
      let entry = LibraryStore.Entry(sha256: "", path: path)
      plugins.append(try Library(opening: entry, expecting: plugin.id, liveEntries: []).description)
    }
    return try LoadOrder.arrange(plugins)
  }
}
