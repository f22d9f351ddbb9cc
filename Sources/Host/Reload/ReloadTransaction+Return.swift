import Logging

/// The end of a transaction: back to the old one, or on with the new one alone.
extension ReloadTransaction {
  func performReturn(_ action: ReloadMachine.Action) throws(HostError) {
    switch action {
    case .drainNew: try drain(new)
    case .handBack: try handBack()
    case .restartOldForCalls: try (returned ?? old)?.start()
    case .commitOld: try commitOld()
    case .switchToOld: switchToOld()
    case .retireNew: retireNew()
    case .makePermanent:
      if let new { try node.history.record(id, event(new, from: .probation, to: .permanent, reason: "")) }
    case .retireOld: retireOld()
    case .takeOut: takeOut()
    default: break
    }
  }

  /// True when the old one was stopped before the new one started.
  private var oldIsStopped: Bool {
    transfer != nil || old?.description.isExclusive == true || new?.description.isExclusive == true
  }

  /// Gives the state of the new one to a fresh instance of the old code.
  ///
  /// When that fails, the old instance comes back with the state that it had at the switch.
  private func handBack() throws(HostError) {
    guard let new, let old, let version = transfer?.back else { return }
    do throws(HostError) {
      let state = try new.home.exportState(version: version)
      _ = try StateSnapshot(state, of: id, version: version, data: node.data)
      let fresh = try node.makeGeneration(try old.again)
      try fresh.create()
      do throws(HostError) { try fresh.home.importState(version: version, state) } catch {
        fresh.destroy()
        throw error
      }
      returned = fresh
    } catch {
      node.logger.warning(
        "the state could not be handed back: the old version has it as it was at the switch",
        metadata: ["plugin": "\(id)", "reason": "\(error.message)"])
      throw error
    }
  }

  private func commitOld() throws(HostError) {
    guard let old, let new, let reason = machine.reason else { return }
    // First who runs, then who does not: a start between the two lines finds the old one.
    let wasPermanent = node.history.entries(id).contains { $0.sha256 == old.entry.sha256 && $0.to == .permanent }
    try node.history.record(
      id, event(old, from: nil, to: wasPermanent ? .permanent : .probation, reason: "It serves again."))
    try node.history.record(
      id, event(new, from: .probation, to: .rolledBack, reason: "\(reason.code): \(reason.message)"))
  }

  private func switchToOld() {
    guard let target = returned ?? old else { return takeOut() }
    switchTo(target)
    if let old, returned != nil { old.destroy() }
    node.logger.warning(
      "rolled back",
      metadata: [
        "plugin": "\(id)", "to": "\(target.description.version)", "reason": "\(machine.reason?.message ?? "")",
      ])
  }

  private func retireNew() {
    guard let new else { return }
    oldIsStopped ? new.destroy() : node.retireLater(new, of: layer)
  }

  func retireOld() {
    guard let old else { return }
    // Calls that wait to be counted out are let out first.
    oldIsStopped ? old.destroy() : node.retireLater(old, of: layer)
  }

  /// The node stops: what is kept warm gives back its resources.
  func stopWarm() {
    if !oldIsStopped { old?.stop() }
  }

  private func takeOut() {
    layer.publish(nil)
    node.didRemove(id)
    node.catalogChanged()
    let reason = machine.reason?.message ?? "It cannot run."
    node.forbid(id, reason: reason)
    if let old { try? node.history.record(id, event(old, from: nil, to: .stopped, reason: reason)) }
    node.logger.error("plugin taken out: neither version runs", metadata: ["plugin": "\(id)", "reason": "\(reason)"])
  }
}
