import ArgumentParser

/// `symbolon status`: whether the node runs, and what runs in it.
struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "status", abstract: "Show the running node.")

  @OptionGroup var node: NodeOptions

  func run() {
    Terminal.run(json: node.json) { () throws(HostError) in
      let client = try node.client()
      let status = try client.request("status")
      if node.json { return print(status.text) }
      let listen = status[key: "listen"]?.string ?? "nowhere"
      let seconds = (status[key: "uptime_ms"]?.unsigned ?? 0) / 1000
      print("Symbolon \(status[key: "version"]?.string ?? "?"), serving on \(listen), up \(seconds) s")
      print("account  \(status[key: "account"]?.string ?? "?")")
      print("data     \(status[key: "data"]?.string ?? "?")\n")
      print(ListPlugins.table(try client.request("plugins").array ?? []))
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
      ListPlugins.self, InspectPlugin.self, EnablePlugin.self, DisablePlugin.self, PinPlugin.self, ReloadOne.self,
      SealOne.self, KeyGen.self, Sign.self, CheckSignature.self, VerifyPlugin.self, NewPlugin.self,
    ],
    defaultSubcommand: ListPlugins.self)

  /// The command `symbolon plugin reload ID`.
  struct ReloadOne: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "reload", abstract: "Swap in another build of a layer's library while the node serves.")

    @Argument(help: "The plugin's id.")
    var id: String

    @Option(help: "Another library than plugins.conf names.")
    var library: String?

    @Flag(help: "Grant what the new library asks for beyond the old one.")
    var grant = false

    @OptionGroup var node: NodeOptions

    func run() {
      Terminal.run(json: node.json) { () throws(HostError) in
        var members: [String: JSONValue] = ["plugin": .string(id)]
        members["library"] = try library.map { path throws(HostError) in .string(try AbsolutePath.of(path)) }
        if grant { members["grant"] = .bool(true) }
        let report = try node.client().request("reload-plugin", members)
        if node.json { return print(report.text) }
        let (from, to) = (report[key: "from_version"]?.string ?? "?", report[key: "to_version"]?.string ?? "?")
        let draining = report[key: "draining_calls"]?.unsigned ?? 0
        print("Reloaded \(id): \(from) → \(to)" + (draining > 0 ? "; \(draining) calls finish on the old one." : "."))
      }
    }
  }
}
