/// What a plugin does now; the words are the same in the catalog, `status`, `top`, `plugin list` and the metrics.
package enum PluginState: String, CaseIterable, Sendable {
  /// It serves, and was neither watched nor proven.
  case running
  /// It serves, and is watched.
  case probation
  /// It serves, and a later failure comes back to it.
  case permanent
  /// It is being replaced: calls that run come to their end, others wait.
  case draining
  /// It cannot be called: it was taken out, could not be loaded, or its worker is not back yet.
  case failed
  /// Its library may not run.
  case quarantined
  /// plugins.conf says `enabled = false`.
  case disabled
}

extension Node {
  /// What the current generation of a plugin does, and why when it does not serve.
  func state(of layer: Layer, _ generation: Generation) -> (state: PluginState, reason: String?) {
    if layer.isGated { return (.draining, "Another build replaces it.") }
    if let absence = (generation.home as? WorkerHome)?.absence { return (.failed, absence) }
    if desk.probation(layer.id)?.generation === generation { return (.probation, nil) }
    let last = history.entries(layer.id).last { $0.sha256 == generation.entry.sha256 && $0.to.serves }
    return (last?.to == .permanent ? .permanent : .running, nil)
  }

  /// Why a plugin of plugins.conf does not run.
  func idleState(of plugin: Configuration.Plugin) -> (state: PluginState, reason: String) {
    guard plugin.enabled else { return (.disabled, "`symbolon plugin enable \(plugin.id)` starts it.") }
    let events = history.entries(plugin.id)
    for event in events.reversed() {
      if let reason = history.quarantined(event.sha256) { return (.quarantined, reason) }
      if event.to == .permanent { break }
    }
    let last = forbidden[plugin.id] ?? events.last { !$0.reason.isEmpty }?.reason
    return (.failed, last ?? "It does not run; the node's log says why, `symbolon reload` tries again.")
  }
}
