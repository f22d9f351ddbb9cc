import Logging

/// The end of a transaction: back to the old one, or on with the new one alone.
extension ReloadTransaction {
  func performReturn(_ action: ReloadMachine.Action) throws(HostError) {
    switch action {
    case .drainNew: try drain(new)
    case .handBack: try handBack()
    case .restartOldForCalls:
      try (returned ?? old).map { target throws(HostError) in
        try perform(.start, of: target) { (target) throws(HostError) in try target.start() }
      }
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
  private var oldIsStopped: Bool { isGated }

  /// True when calls wait while one takes the place of the other.
  var isGated: Bool {
    old != nil
      && (transfer != nil || old?.description.isExclusive == true || new?.description.isExclusive == true)
  }

  /// Makes the instance that takes the state back, before calls wait for it.
  func prepareReturn() {
    guard let old, transfer?.back != nil else { return }
    do throws(HostError) {
      let fresh = try node.makeGeneration(try old.again)
      try perform(.create, of: fresh) { (fresh) throws(HostError) in try fresh.create() }
      returned = fresh
    } catch {
      returned = nil
      node.logger.warning("no instance to hand back to", metadata: ["plugin": "\(id)", "reason": "\(error.message)"])
    }
  }

  /// Gives the state of the new one to a fresh instance of the old code.
  ///
  /// When that fails, the old instance comes back with the state that it had at the switch.
  private func handBack() throws(HostError) {
    guard let new, let old, let version = transfer?.back else { return }
    do throws(HostError) {
      guard let fresh = returned else {
        throw .unavailable("no_instance", "There is no instance of \(old.description.version) to take it.")
      }
      let state = try perform(.exportState, of: new) { (new) throws(HostError) in
        try new.home.exportState(version: version)
      }
      handedBack = state
      try perform(.importState, of: fresh) { (fresh) throws(HostError) in
        try fresh.home.importState(version: version, state)
      }
    } catch {
      end(returned)
      returned = nil
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
      id, event(old, from: nil, to: wasPermanent ? .permanent : .probation, reason: "It serves again."),
      synced: gateClosedAt == 0)
    try node.history.record(
      id, event(new, from: .probation, to: .rolledBack, reason: "\(reason.code): \(reason.message)"),
      synced: gateClosedAt == 0)
  }

  private func switchToOld() {
    guard let target = returned ?? old else { return takeOut() }
    switchTo(target)
    if returned != nil { laggard = old }
    node.logger.warning(
      "rolled back",
      metadata: [
        "plugin": "\(id)", "to": "\(target.description.version)", "reason": "\(machine.reason?.message ?? "")",
      ])
  }

  private func retireNew() {
    guard let new else { return }
    guard oldIsStopped else { return node.retireLater(new, of: layer) }
    syncHistory()
    if let serving = layer.generation { announce(serving) }
    keepHandedBack()
    end(laggard)
    end(new)
  }

  func retireOld() {
    guard let old else { return }
    // Calls that wait to be counted out are let out first.
    oldIsStopped ? end(old) : node.retireLater(old, of: layer)
  }

  /// Keeps the state that went back, when calls run again.
  private func keepHandedBack() {
    guard let version = transfer?.back, let state = handedBack else { return }
    handedBack = nil
    do throws(HostError) { _ = try StateSnapshot(state, of: id, version: version, data: node.data) } catch {
      node.logger.warning("the state is not kept", metadata: ["plugin": "\(id)", "reason": "\(error.message)"])
    }
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
