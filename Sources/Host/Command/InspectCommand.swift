import ArgumentParser
import Synchronization

/// The command `symbolon plugin inspect ID|FILE`.
struct InspectPlugin: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Show everything that is known of a plugin, or of a library.",
    discussion: "Of a library (a path with a `/`, or a name that ends in .so) nothing is run.")

  @Argument(help: "A plugin's id, or the path of a library.") var target: String
  @OptionGroup var node: NodeOptions

  func run() {
    Terminal.run(json: node.json) { () throws(HostError) in
      let report: JSONValue
      if target.contains("/") || target.hasSuffix(".so") {
        report = try Inspection.file(try AbsolutePath.of(target), try? Configuration(contentsOf: node.config))
      } else {
        report = try node.client().request("inspect", ["plugin": .string(target)])
      }
      print(node.json ? report.text : Terminal.wide(report))
    }
  }
}

/// What `plugin inspect` gathers.
enum Inspection {
  /// Of a library that need not run anywhere.
  static func file(_ path: String, _ configuration: Configuration?) throws(HostError) -> JSONValue {
    let report = try TrustCheck.report(path, configuration?.trust ?? Configuration.TrustPolicy())
    guard case .object(var members) = report.json else { return report.json }
    members["signed"] = .string(report.signer.label)
    if report.homes.contains(.host) { members["in_host"] = .string(fullTrust) }
    guard report.manifest == nil else { return .object(members) }
    members["note"] = .string(
      "This library is not sealed: it says nothing of itself without being run. `symbolon plugin verify` runs it in a child process."
    )
    return .object(members)
  }

  /// What holds a library in the host's process.
  static let fullTrust = "none: in-process = full trust, it may do all that the node's user may"

  /// How many events of a plugin's history are shown.
  static let historyTail = 10
}

extension Node {
  /// What `plugin inspect` shows of a plugin that plugins.conf names.
  func inspect(_ id: String) throws(HostError) -> JSONValue {
    guard let plugin = configuration.plugins.first(where: { $0.id == id }) else {
      throw Spelling.noPlugin(id, in: configuration.plugins.map(\.id), of: configuration.path)
    }
    var members: [String: JSONValue] = [
      "id": .string(id), "enabled": .bool(plugin.enabled), "library": .string(plugin.library),
      "pin": plugin.pin.map { .string($0) } ?? .null, "storage": .string("\(data)/\(id)"),
      "limits": .object([
        "memory_mib": .unsigned(plugin.limits.memoryMiB), "deadline_ms": .unsigned(plugin.limits.deadlineMs),
        "threads": .unsigned(plugin.limits.threads),
      ]),
      "reload": .object([
        "drain_ms": .unsigned(plugin.reload.drainMs), "probation_ms": .unsigned(plugin.reload.probationMs),
        "error_budget_percent": .unsigned(plugin.reload.errorBudgetPercent),
      ]),
      "history": .array(
        history.entries(id).suffix(Inspection.historyTail).map { event in
          .object([
            "time": .string(event.time), "to": .string(event.to.rawValue), "version": .string(event.version),
            "sha256": .string(event.sha256), "by": .string(event.by), "reason": .string(event.reason),
          ])
        }),
    ]
    guard let layer = layer(id), let generation = layer.generation else {
      let (state, reason) = idleState(of: plugin)
      members["state"] = .string(state.rawValue)
      members["reason"] = .string(reason)
      return .object(members)
    }
    members.merge(running(layer, generation, plugin)) { $1 }
    return .object(members)
  }

  private func running(
    _ layer: Layer, _ generation: Generation, _ plugin: Configuration.Plugin
  ) -> [String: JSONValue] {
    let (state, reason) = state(of: layer, generation)
    func list(_ permissions: [Permission]) -> JSONValue { .array(permissions.map { .string($0.description) }) }
    var members: [String: JSONValue] = [
      "state": .string(state.rawValue), "reason": reason.map { .string($0) } ?? .null,
      "version": .string(generation.description.version),
      "generation": .unsigned(generation.number), "library_sha256": .string(generation.entry.sha256),
      "stored_at": .string(generation.entry.path), "home": .string(generation.home.kind.rawValue),
      "process": generation.home.processID.map { .integer(Int64($0)) } ?? .null,
      "running_calls": .integer(Int64(generation.running)),
      "manifest": generation.description.json,
      "permissions_asked": list(Grants.requested(by: generation.description)),
      "permissions_granted": list(generation.host.grants.permissions),
      "permissions_limit": plugin.permissions.map(list) ?? .null,
    ]
    members["sealed"] = .bool(generation.verdict.manifest != nil)
    members.merge(generation.verdict.signer.members) { $1 }
    if let worker = generation.home as? WorkerHome {
      members["confinement"] = worker.confinement?.json ?? .null
      members["restarts"] = .unsigned(worker.restarts)
    } else {
      members["confinement"] = .string(Inspection.fullTrust)
    }
    members["state_schema"] = generation.description.state.map {
      .object(["id": .string($0.id), "version": .unsigned(UInt64($0.version))])
    }
    return members
  }
}
