import ArgumentParser

/// The command `symbolon plugin list`.
struct ListPlugins: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the plugins of plugins.conf: what runs, and why the others do not.")

  @OptionGroup var node: NodeOptions

  func run() {
    Terminal.run(json: node.json) { () throws(HostError) in
      let rows = try node.client().request("plugins").array ?? []
      print(node.json ? JSONValue.array(rows).text : Self.table(rows))
    }
  }

  /// Running plugins with their counters, the others with the reason below the table.
  static func table(_ rows: [JSONValue]) -> String {
    var table = Table()
    table.add("PLUGIN", least: 12)
    table.add("VERSION", least: 8)
    table.addNumber("GEN")
    table.add("STATE")
    table.add("HOME")
    table.add("SIGNER", least: 8)
    for name in ["CALLS", "ERRORS", "P99"] { table.addNumber(name) }
    var reasons: [String] = []
    for row in rows {
      func number(_ key: String) -> String { row[key: key]?.unsigned.map(Readable.count) ?? "-" }
      let id = row[key: "id"]?.string ?? "?"
      table.append([
        id, row[key: "version"]?.string ?? "-", number("generation"), row[key: "state"]?.string ?? "?",
        row[key: "home"]?.string ?? "-", row[key: "signed"]?.string ?? "-", number("calls"), number("errors"),
        row[key: "latency"]?[key: "p99_ns"]?.unsigned.map(Readable.duration) ?? "-",
      ])
      if let reason = row[key: "reason"]?.string, !reason.isEmpty { reasons.append("\(id): \(reason)") }
    }
    guard !table.isEmpty else { return "plugins.conf names no plugin." }
    return table.text() + (reasons.isEmpty ? "" : "\n\n" + reasons.map { Terminal.wrapped($0) }.joined(separator: "\n"))
  }
}

extension Node {
  /// What `plugin list` shows: running plugins in the order of their start, then the others of plugins.conf.
  func plugins() -> JSONValue {
    let running = runningLayers
    let rows = running.compactMap { layer in
      layer.generation.map { summary(layer, $0) }
    }
    let others = configuration.plugins.filter { plugin in !running.contains { $0.id == plugin.id } }
    return .array(
      rows
        + others.map { plugin in
          let (state, reason) = idleState(of: plugin)
          return .object([
            "id": .string(plugin.id), "state": .string(state.rawValue), "reason": .string(reason),
            "home": plugin.home.map { .string($0.rawValue) } ?? .null, "library": .string(plugin.library),
          ])
        })
  }
}
