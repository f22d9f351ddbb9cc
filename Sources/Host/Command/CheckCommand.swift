import ArgumentParser

/// `symbolon check`: the dry run of a configuration.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check plugins.conf and its libraries without starting anything.")

  @Argument(help: "The configuration to check.")
  var file: String?

  @OptionGroup var node: NodeOptions

  func run() {
    Terminal.run(json: node.json) { () throws(HostError) in
      let path = file ?? node.config
      let report = Checker(try Configuration(contentsOf: path)).report()
      if let problem = report.problems.first, report.problems.count == 1 { throw problem }
      guard report.problems.isEmpty else {
        throw HostError(
          Int(report.problems[0].status), "several_problems",
          "\(path) has \(report.problems.count) problems:\n"
            + report.problems.map { "  \($0.message)" }.joined(separator: "\n"))
      }
      print(node.json ? report.json.text : "\(path) is right: nothing was started.\n\n\(report.text)")
    }
  }
}

/// Learns what the libraries of a configuration are, without making or starting anything.
struct Checker {
  private let configuration: Configuration

  init(_ configuration: Configuration) { self.configuration = configuration }

  /// What a dry run found.
  struct Report {
    /// A plugin, what its library says of itself, who signed it and where it would run.
    struct Row {
      var plugin: Configuration.Plugin
      var description: PluginDescription
      var verdict: TrustCheck.Verdict
    }

    /// In the order in which they would start.
    var plugins: [Row]
    var problems: [HostError]
  }

  /// All problems, not only the first: a library that cannot be described, and whatever does not fit together.
  func report() -> Report {
    var rows: [Report.Row] = []
    var problems: [HostError] = []
    for plugin in configuration.plugins where plugin.enabled {
      do throws(HostError) { rows.append(try look(at: plugin)) } catch { problems.append(error) }
    }
    // With a library missing, others would seem to lack their providers.
    guard problems.isEmpty else { return Report(plugins: [], problems: problems) }
    do throws(HostError) {
      let order = try LoadOrder.arrange(rows.map(\.description))
      rows = order.compactMap { next in rows.first { $0.plugin.id == next.id } }
    } catch {
      problems.append(error)
    }
    return Report(plugins: rows, problems: problems)
  }

  /// The descriptions in the order of their start, or the first problem.
  func plugins() throws(HostError) -> [PluginDescription] {
    let report = report()
    if let problem = report.problems.first { throw problem }
    return report.plugins.map(\.description)
  }

  /// What a start would check before it opens a library, and what the library says to another process.
  private func look(at plugin: Configuration.Plugin) throws(HostError) -> Report.Row {
    let (entry, verdict) = try TrustCheck.check(plugin, of: configuration)
    let description = try DescribeChild.run(entry, plugin, home: verdict.home)
    try verdict.manifest?.match(description)
    return Report.Row(plugin: plugin, description: description, verdict: verdict)
  }
}

extension Checker.Report {
  /// What starts where, and what it may use.
  var text: String {
    guard !plugins.isEmpty else { return "It enables no plugin." }
    var table = Table()
    table.add("PLUGIN", least: 12)
    table.add("VERSION", least: 8)
    table.add("HOME")
    table.add("SIGNER", least: 8)
    for name in ["METHODS", "IMPORTS"] { table.addNumber(name) }
    table.add("WHAT", least: 4)
    var permissions = Table()
    permissions.add("PLUGIN", least: 12)
    permissions.add("PERMISSION", least: 12)
    permissions.add("ALLOWED")
    for row in plugins {
      let (plugin, description) = (row.plugin, row.description)
      table.append([
        plugin.id, description.version, row.verdict.home.rawValue, row.verdict.signer.label,
        String(description.methods.count), String(description.imports.count), description.summary,
      ])
      for permission in Grants.requested(by: description) {
        permissions.append([plugin.id, permission.description, Self.isAllowed(permission, plugin) ? "yes" : "no"])
      }
    }
    return table.text() + (permissions.isEmpty ? "" : "\n\n" + permissions.text())
  }

  var json: JSONValue {
    .object([
      "ok": .bool(problems.isEmpty),
      "plugins": .array(
        plugins.map { row in
          let (plugin, description) = (row.plugin, row.description)
          let members: [String: JSONValue] = [
            "id": .string(plugin.id), "version": .string(description.version),
            "summary": .string(description.summary), "home": .string(row.verdict.home.rawValue),
            "methods": .unsigned(UInt64(description.methods.count)),
            "imports": .unsigned(UInt64(description.imports.count)),
            "permissions": .array(
              Grants.requested(by: description).map {
                .object(["permission": .string($0.description), "allowed": .bool(Self.isAllowed($0, plugin))])
              }),
          ]
          return .object(members.merging(row.verdict.signer.members) { $1 })
        }),
    ])
  }

  /// Whether the operator's list, where there is one, covers all of it.
  private static func isAllowed(_ permission: Permission, _ plugin: Configuration.Plugin) -> Bool {
    Grants(requested: [permission], limit: plugin.permissions).permissions == [permission]
  }
}
