import ArgumentParser

extension PluginCommand {
  /// The command `symbolon plugin reload ID`.
  struct ReloadOne: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "reload", abstract: "Swap in another build of a layer's library while the node serves.",
      discussion: """
        The new build is looked at in another process, started beside the old one, takes over its state and the calls,
        and is watched for `probation_ms`: when it fails meanwhile, the old one comes back.
        """)

    @Argument(help: "The plugin's id.")
    var id: String

    @Option(help: "Another library than plugins.conf names.")
    var library: String?

    @Flag(help: "Check everything that can be checked without opening the library in the node.")
    var dryRun = false

    @Flag(help: "Go ahead although the state could not be brought back.")
    var oneWay = false

    @Flag(help: "Grant what the new library asks for beyond the old one.")
    var grant = false

    @Flag(help: "Run a library that was quarantined.")
    var liftQuarantine = false

    @Flag(help: "Print the ticket and return.")
    var noWait = false

    @Flag(help: "Return when the new build is permanent, or rolled back.")
    var waitPermanent = false

    @OptionGroup var node: NodeOptions

    func run() {
      Terminal.run(json: node.json) { () throws(HostError) in
        var members: [String: JSONValue] = [
          "plugin": .string(id), "dry_run": .bool(dryRun), "one_way": .bool(oneWay),
          "grant": .bool(grant),
          "lift_quarantine": .bool(liftQuarantine),
          "wait": .string(noWait ? "none" : waitPermanent ? "permanent" : "serving"),
        ]
        members["library"] = try library.map { path throws(HostError) in .string(try AbsolutePath.of(path)) }
        let report = try node.client().request("reload-plugin", members)
        print(node.json ? report.text : ReloadSentence.of(report))
      }
    }
  }

  /// The command `symbolon plugin reload-status TICKET`.
  struct ReloadStatus: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "reload-status", abstract: "Show how a reload goes, by its ticket.")

    @Argument(help: "The ticket that `plugin reload` printed.")
    var ticket: String

    @OptionGroup var node: NodeOptions

    func run() {
      Terminal.run(json: node.json) { () throws(HostError) in
        let report = try node.client().request("reload-status", ["ticket": .string(ticket)])
        print(node.json ? report.text : ReloadSentence.of(report))
      }
    }
  }

  /// The command `symbolon plugin rollback ID`.
  struct RollBack: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "rollback", abstract: "Go back to the library that was permanent before this one.")

    @Argument(help: "The plugin's id.")
    var id: String

    @OptionGroup var node: NodeOptions

    func run() {
      Terminal.run(json: node.json) { () throws(HostError) in
        let report = try node.client().request("rollback-plugin", ["plugin": .string(id)])
        print(node.json ? report.text : ReloadSentence.of(report))
      }
    }
  }

  /// The command `symbolon plugin history ID`.
  struct History: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "history", abstract: "Show what ran, what failed and why.")

    @Argument(help: "The plugin's id.")
    var id: String

    @Option(help: "How many of the newest events.")
    var last = 20

    @OptionGroup var node: NodeOptions

    func run() {
      Terminal.run(json: node.json) { () throws(HostError) in
        let report = try node.client().request("plugin-history", ["plugin": .string(id)])
        if node.json { return print(report.text) }
        let rows = (report[key: "events"]?.array ?? []).suffix(max(1, last)).map { event in
          func text(_ key: String) -> String { event[key: key]?.string ?? "" }
          return [
            String(text("time").prefix(19)), text("version"), String(text("sha256").prefix(8)), text("to"), text("by"),
            text("reason"),
          ]
        }
        print(Terminal.table(["TIME", "VERSION", "LIBRARY", "STATE", "BY", "REASON"], Array(rows)))
      }
    }
  }
}

/// What a ticket's answer says, in one or two sentences.
enum ReloadSentence {
  static func of(_ report: JSONValue) -> String {
    func text(_ key: String) -> String { report[key: key]?.string ?? "?" }
    let id = text("plugin")
    let versions = "\(report[key: "from_version"]?.string ?? "none") → \(text("to_version"))"
    let reason = report[key: "reason"]?[key: "message"]?.string.map { ": \($0)" } ?? "."
    switch text("state") {
    case "probation":
      let draining = report[key: "draining_calls"]?.unsigned ?? 0
      return "Reloaded \(id): \(versions), in probation, ticket \(text("ticket"))"
        + (draining > 0 ? "; \(draining) calls finish on the old one." : ".")
    case "permanent": return "Reloaded \(id): \(versions), permanent."
    case "rolled_back": return "Rolled back \(id): \(text("to_version")) → \(text("from_version"))\(reason)"
    case "rejected": return "Rejected \(id)\(report[key: "to_version"]?.string.map { " \($0)" } ?? "")\(reason)"
    case "superseded": return "A newer request took its place: ticket \(text("superseded_by"))."
    case "described":
      let state = report[key: "state_version"]?.unsigned.map { "its state would move as version \($0)" }
      return "Dry run of \(id): \(versions) fits; \(state ?? "no state would move"). Nothing was changed."
    default: return "Ticket \(text("ticket")) of \(id): \(text("state"))."
    }
  }
}
