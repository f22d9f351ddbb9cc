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
    commandName: "reload",
    abstract: "Apply plugins.conf to the running node: start, replace and stop plugins as it says.")

  @OptionGroup var node: NodeOptions

  func run() {
    Terminal.run(json: node.json) { () throws(HostError) in
      let report = try node.client().request("reload")
      if node.json { return print(report.text) }
      func names(_ key: String) -> String {
        (report[key: key]?.array ?? []).compactMap(\.string).joined(separator: ", ")
      }
      let (added, reloaded, removed) = (names("added"), names("reloaded"), names("removed"))
      print(
        "Applied: added \(added.isEmpty ? "nothing" : added), reloaded \(reloaded.isEmpty ? "nothing" : reloaded), "
          + "removed \(removed.isEmpty ? "nothing" : removed).")
    }
  }
}

/// The commands `symbolon plugin …`.
struct PluginCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plugin", abstract: "See and replace the layers of the running node.",
    subcommands: [
      ListPlugins.self, InspectPlugin.self, EnablePlugin.self, DisablePlugin.self, PinPlugin.self, ReloadOne.self,
      ReloadStatus.self, RollBack.self, History.self, SealOne.self, KeyGen.self, Sign.self, CheckSignature.self,
      VerifyPlugin.self, NewPlugin.self,
    ],
    defaultSubcommand: ListPlugins.self)
}
