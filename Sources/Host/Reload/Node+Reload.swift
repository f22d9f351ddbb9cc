import Logging
import PluginAPI
import Synchronization

extension Node {
  /// What a reload did.
  struct ReloadReport {
    var id: String
    var from: (version: String, generation: UInt64)
    var to: (version: String, generation: UInt64)
    /// Calls that finish on the old generation.
    var draining: Int

    var json: JSONValue {
      .object([
        "plugin": .string(id), "from_version": .string(from.version), "from_generation": .unsigned(from.generation),
        "to_version": .string(to.version), "to_generation": .unsigned(to.generation),
        "draining_calls": .integer(Int64(draining)),
      ])
    }
  }

  /// Seconds that a reload waits for calls in an exclusive plugin.
  private static let drainSeconds = 10

  /// Swaps in another build of a plugin's library; until the switch every failure leaves the old one serving.
  func reload(_ id: String, library path: String?) throws(HostError) -> ReloadReport {
    try control.withLock { _ throws(HostError) in try swap(id, path) }
  }

  private func swap(_ id: String, _ path: String?) throws(HostError) -> ReloadReport {
    guard let layer = layer(id), let old = layer.generation,
      var plugin = configuration.plugins.first(where: { $0.id == id })
    else {
      let hint = Spelling.nearest(to: id, in: runningLayers.map(\.id)).map { " Did you mean `\($0)`?" } ?? ""
      throw .notFound("no_plugin", "No plugin `\(id)` runs here: `symbolon plugin list` shows what does.\(hint)")
    }
    if let path { plugin.library = path }
    let staged = try stage(plugin)
    let isSame = staged.sha256 == old.entry.sha256
    guard !isSame || plugin.settings != old.host.settings else {
      throw .refused(
        "same_library", "`\(id)` already runs this very library with these settings: build or name another one.")
    }
    let candidate = isSame ? try old.again : try openCandidate(staged, plugin)
    let others = runningLayers.compactMap { $0.generation?.description }.filter { $0.id != id }
    _ = try LoadOrder.arrange(others + [candidate.description])
    let new = try makeGeneration(candidate)
    if candidate.description.isExclusive || old.description.isExclusive {
      try swapExclusively(layer, old, new)
    } else {
      try begin(new)
      layer.publish(new)
      retireLater(old, of: layer)
    }
    catalogChanged()
    let report = ReloadReport(
      id: id, from: (old.description.version, old.number), to: (new.description.version, new.number),
      draining: old.running.load(ordering: .relaxed))
    logger.info(
      "layer reloaded",
      metadata: ["plugin": "\(id)", "from": "\(report.from.version)", "to": "\(report.to.version)"])
    return report
  }

  /// Calls wait; the old one stops, the new one starts, or the old one starts again.
  private func swapExclusively(_ layer: Layer, _ old: Generation, _ new: Generation) throws(HostError) {
    layer.closeGate()
    defer { layer.openGate() }
    guard layer.drain(old, seconds: Self.drainSeconds) else {
      throw .refused(
        "still_busy",
        "\(old.running.load(ordering: .relaxed)) calls in `\(layer.id)` did not end within \(Self.drainSeconds) s: nothing was changed, try again."
      )
    }
    old.stop()
    do throws(HostError) {
      try begin(new)
    } catch {
      try old.start()
      throw error
    }
    layer.publish(new)
    old.destroy()
  }

  /// Ends the old generation when its last call has returned.
  private func retireLater(_ old: Generation, of layer: Layer) {
    Thread.detach(named: "retire") { [logger] in
      while !layer.drain(old, seconds: 60) {
        logger.info("an old generation still has calls", metadata: ["plugin": "\(layer.id)"])
      }
      old.stop()
      old.destroy()
    }
  }

  /// Reads plugins.conf again and applies it (SIGHUP); what is wrong with it goes into the log.
  func reloadConfiguration() {
    do throws(HostError) {
      let report = try apply(try Configuration(contentsOf: configuration.path))
      logger.info("configuration applied", metadata: ["changes": "\(report.text)"])
    } catch {
      logger.error("configuration refused, nothing was changed", metadata: ["reason": "\(error.message)"])
    }
  }

  /// Applies a new configuration: adds and removes plugins; a wrong file changes nothing.
  func apply(_ next: Configuration) throws(HostError) -> JSONValue {
    try control.withLock { _ throws(HostError) in try change(to: next) }
  }

  private func change(to next: Configuration) throws(HostError) -> JSONValue {
    let previous = configuration
    guard next.data == previous.data, next.listen == previous.listen else {
      throw .refused("needs_restart", "`listen` and `data` change only with a restart of the node.")
    }
    let enabled = next.plugins.filter(\.enabled)
    let running = Set(runningLayers.map(\.id))
    let added = enabled.filter { !running.contains($0.id) }
    let removed = runningLayers.filter { layer in !enabled.contains { $0.id == layer.id } }
    setConfiguration(next)
    var started: [Generation] = []
    do throws(HostError) {
      var candidates: [Candidate] = []
      for plugin in added { candidates.append(try openCandidate(try stage(plugin), plugin)) }
      let staying = runningLayers.filter { layer in !removed.contains { $0 === layer } }
      let all = staying.compactMap { $0.generation?.description } + candidates.map(\.description)
      for description in try LoadOrder.arrange(all) {
        for candidate in candidates where candidate.id == description.id {
          started.append(try startGeneration(candidate))
        }
      }
    } catch {
      for generation in started.reversed() { retire(generation, of: place(generation.id)) }
      setConfiguration(previous)
      throw error
    }
    for layer in removed.reversed() {
      if let generation = layer.generation { retire(generation, of: layer) }
    }
    catalogChanged()
    let changed = enabled.filter { plugin in running.contains(plugin.id) && !previous.plugins.contains(plugin) }
    return .object([
      "added": .array(added.map { .string($0.id) }), "removed": .array(removed.map { .string($0.id) }),
      "to_reload": .array(changed.map { .string($0.id) }),
    ])
  }
}
