import Logging
import Synchronization

/// Performs what a `ReloadMachine` asks for, up to the probation, on one thread and outside of all locks.
final class ReloadTransaction: @unchecked Sendable {
  // Proof: used by one thread at a time: one that the desk's waits for until the probation begins, and the probation's
  // afterwards; a thread whose step was given up touches it no more.
  let node: Node
  let ticket: ReloadTicket
  let layer: Layer
  var machine = ReloadMachine()
  /// What served before; nil when the plugin does not run.
  let old: Generation?
  var new: Generation?
  /// A fresh instance of the old code that took the state back.
  var returned: Generation?
  private var isAnnounced = false
  /// The old instance that gave its place to a fresh one, to be ended when calls run again.
  var laggard: Generation?
  /// The state that went back.
  var handedBack: [UInt8]?
  /// The hash of the file that plugins.conf names, for the choice at a restart.
  var configured = ""
  /// The same before this transaction.
  let configuredBefore: String
  var transfer: StateTransfer?
  private var plugin: Configuration.Plugin
  private var entry: LibraryStore.Entry?
  private var description: PluginDescription?
  private var snapshot: [UInt8] = []
  /// Not zero while calls wait: nothing waits for the disk meanwhile.
  private(set) var gateClosedAt: UInt64 = 0
  /// Generations of which a step has not returned.
  var stuck: [Generation] = []
  /// While its actions are performed.
  var watch: StepWatch?

  init(_ node: Node, _ ticket: ReloadTicket) throws(HostError) {
    let id = ticket.request.id
    try node.desk.checkStuck(id)
    self.node = node
    self.ticket = ticket
    guard let plugin = node.configuration.plugins.first(where: { $0.id == id }), plugin.enabled else {
      let known = node.configuration.plugins.map(\.id)
      let hint = Spelling.nearest(to: id, in: known).map { " Did you mean `\($0)`?" } ?? ""
      throw .notFound("no_plugin", "No plugin `\(id)` runs here: `symbolon plugin list` shows what does.\(hint)")
    }
    self.plugin = plugin
    if let library = ticket.request.library { self.plugin.library = library }
    layer = node.place(id)
    old = layer.generation
    configuredBefore = node.history.serving(id)?.configured ?? ""
  }

  var id: String { layer.id }
  private var request: ReloadRequest { ticket.request }

  /// Runs to the probation, or to the end when it does not get there.
  func run() {
    perform(machine.begin())
    if let old { ticket.add(["draining_calls": .integer(Int64(old.running))]) }
    guard machine.hasEnded else { return }
    node.loading.remove(id)
    if machine.state == .rejected, let entry, let reason = machine.reason { recordRejection(entry, reason) }
    node.pruneSoon()
    ticket.end(machine.state, machine.reason)
  }

  /// Performs an action and all that follow from it, on this thread.
  func follow(_ first: ReloadMachine.Action?) {
    var next = first
    while let action = next {
      let event: ReloadMachine.Event
      do throws(HostError) {
        event = try perform(action)
      } catch {
        event = .failed(action, error)
      }
      next = advance(action, event)
    }
  }

  /// Tells the machine and the ticket what happened.
  func advance(_ action: ReloadMachine.Action, _ event: ReloadMachine.Event) -> ReloadMachine.Action? {
    let next = machine.handle(event)
    // The switch is told when all of it has happened; the end by whoever asked for the run.
    if !machine.hasEnded, !machine.state.serves || machine.pending == nil { ticket.advance(machine.state) }
    return next
  }

  private func perform(_ action: ReloadMachine.Action) throws(HostError) -> ReloadMachine.Event {
    switch action {
    case .stage: try stage()
    case .verify: try verify()
    case .describe: return .described(try describe())
    case .load: try load()
    case .make:
      try new.map { new throws(HostError) in
        try named("cannot be made") { () throws(HostError) in
          try perform(.create, of: new) { (new) throws(HostError) in try new.create() }
        }
      }
    case .closeGate: closeGate()
    case .drainOld: try drain(old)
    case .exportState: try exportState()
    case .importState: try importState()
    case .stopOld: try old.map { old throws(HostError) in try perform(.stop, of: old) { $0.stop() } }
    case .startNew:
      try new.map { new throws(HostError) in
        try named("cannot start") { () throws(HostError) in
          try perform(.start, of: new) { (new) throws(HostError) in try new.start() }
        }
      }
      if let worker = new?.home as? WorkerHome, let before = old?.home as? WorkerHome { worker.prepare(like: before) }
    case .compareState: try compareState()
    case .commit: try commit()
    case .switchToNew: switchTo(new)
    case .openGate: openGate()
    case .stopNew:
      if let new, !isStuck(new) { try perform(.stop, of: new) { $0.stop() } }
    case .destroyNew: end(new)
    case .restartOld: try restart()
    case .watch: beginProbation()
    default: try performReturn(action)
    }
    return .succeeded(action)
  }

  // MARK: Before the old one is touched

  private func stage() throws(HostError) {
    let staged = try node.stage(plugin)
    configured = staged.sha256
    entry = staged
    if request.library != nil {
      // The way back to the configured library stays open as long as its file does not change.
      configured = (try? node.configuredHash(id)) ?? ""
    } else if request.keepsOverride {
      entry = node.selectLibrary(id, configured: staged)
    }
  }

  private func verify() throws(HostError) {
    guard let entry else { return }
    if let reason = node.history.quarantined(entry.sha256) {
      guard request.isPardon else {
        throw .refused(
          "quarantined",
          "This library of `\(id)` is quarantined: \(reason) Build another one, or lift it with --lift-quarantine.")
      }
      try node.history.record(
        id, PluginHistory.Event(sha256: entry.sha256, path: entry.path, to: .pardoned, by: request.by))
    }
    let settings = node.configuration.plugins.first { $0.id == id }?.settings
    guard let old, entry.sha256 == old.entry.sha256, settings == old.host.settings, !request.keepsOverride else {
      return
    }
    throw .refused(
      "same_library", "`\(id)` already runs this very library with these settings: build or name another one.")
  }

  private func describe() throws(HostError) -> ReloadMachine.Handover {
    guard let entry else { throw .system("no_library", "There is no library.") }
    let new = try node.describe(entry, plugin)
    description = new
    ticket.add(["to_version": .string(new.version), "library_sha256": .string(entry.sha256)])
    if !request.isChecked {
      let others = node.runningLayers.compactMap { $0.generation?.description }.filter { $0.id != id }
      _ = try LoadOrder.arrange(others + [new])
    }
    if let old, !request.abandonsState {
      transfer = try StateTransfer(from: old.description, to: new, oneWay: request.isOneWay)
    }
    if let old {
      ticket.add([
        "from_version": .string(old.description.version), "from_generation": .unsigned(old.number),
        "state_version": transfer.map { .unsigned(UInt64($0.version)) } ?? .null,
      ])
    }
    return ReloadMachine.Handover(
      isExclusive: old != nil && (new.isExclusive || old?.description.isExclusive == true),
      movesState: transfer != nil, isDryRun: request.isDryRun)
  }

  private func load() throws(HostError) {
    guard let entry else { return }
    let candidate: Candidate
    if let old, old.entry.sha256 == entry.sha256, old.home.kind == plugin.home ?? old.home.kind {
      candidate = try old.again
    } else {
      try node.loading.set(id, sha256: entry.sha256)
      candidate = try node.openCandidate(entry, plugin, grant: request.isGrant)
    }
    let made = try node.makeGeneration(candidate)
    new = made
    ticket.add(["to_generation": .unsigned(made.number), "home": .string(made.home.kind.rawValue)])
  }

  private func named(_ what: String, _ body: () throws(HostError) -> Void) throws(HostError) {
    do throws(HostError) { try body() } catch {
      throw HostError(Int(error.status), error.code, "The layer `\(id)` \(what): \(error.message)")
    }
  }

  // MARK: While calls wait

  func closeGate() {
    if machine.state.serves { prepareReturn() }
    layer.closeGate(patience: plugin.reload.drainMs)
    gateClosedAt = MonotonicClock.nanoseconds
  }

  func openGate() {
    layer.openGate()
    let pause = Double(MonotonicClock.nanoseconds - gateClosedAt) / 1e6
    gateClosedAt = 0
    ticket.add(["pause_ms": .number((pause * 100).rounded() / 100)])
  }

  func drain(_ generation: Generation?) throws(HostError) {
    guard let generation, !layer.drain(generation, milliseconds: plugin.reload.drainMs) else { return }
    throw .refused(
      "still_busy",
      "Calls in `\(id)` did not end within \(plugin.reload.drainMs) ms (\(generation.callsInside)): nothing was "
        + "changed. Try again, or raise `drain_ms` in [plugin.\(id).reload].")
  }

  private func exportState() throws(HostError) {
    guard let old, let transfer else { return }
    try named("cannot give its state") { () throws(HostError) in
      let version = transfer.version
      snapshot = try perform(.exportState, of: old) { (old) throws(HostError) in
        try old.home.exportState(version: version)
      }
    }
  }

  private func importState() throws(HostError) {
    guard let new, let transfer else { return }
    try named("cannot take the state") { () throws(HostError) in
      let (version, state) = (transfer.version, snapshot)
      try perform(.importState, of: new) { (new) throws(HostError) in
        try new.home.importState(version: version, state)
      }
    }
  }

  private func compareState() throws(HostError) {
    guard let new, let transfer else { return }
    var again: [UInt8] = []
    try named("cannot give back the state that it took") { () throws(HostError) in
      let version = transfer.version
      again = try perform(.exportState, of: new) { (new) throws(HostError) in
        try new.home.exportState(version: version)
      }
    }
    guard again == snapshot else {
      throw .refused(
        "state_differs",
        "Version \(new.description.version) of `\(id)` gives back another state than it took (version "
          + "\(transfer.version), \(snapshot.count) bytes in, \(again.count) out): its import_state or export_state is "
          + "wrong.")
    }
  }

  private func commit() throws(HostError) {
    guard let new else { return }
    if request.isGrant { try node.grantBook.grant(id, Grants.requested(by: new.description)) }
    let running = node.runningLayers.compactMap { $0.generation?.description }
    if !request.isChecked { try node.desk.agree(new.description, running: running) }
    // Without the marker the next start takes the new one without asking.
    node.loading.remove(id)
    do throws(HostError) {
      // Written now, which a kill of this process does not undo; on the disk when calls run again.
      try node.history.record(id, event(new, from: .shadow, to: .probation, reason: ""), synced: gateClosedAt == 0)
    } catch {
      node.desk.forgetAgreement(id)
      throw error
    }
  }

  func switchTo(_ generation: Generation?) {
    guard let generation else { return }
    layer.publish(generation)
    node.didStart(id)
    node.allow(id)
    node.desk.forgetAgreement(id)
    if gateClosedAt == 0 { announce(generation) }
  }

  /// Tells others who serves now; not while calls wait.
  func announce(_ generation: Generation) {
    isAnnounced = true
    node.catalogChanged()
    let news = JSONValue.object([
      "plugin": .string(id), "generation": .unsigned(generation.number),
      "version": .string(generation.description.version),
    ])
    _ = node.events.publish("host.reloaded", Array(news.text.utf8))
    node.logger.info(
      "layer reloaded",
      metadata: [
        "plugin": "\(id)", "from": "\(old?.description.version ?? "none")", "to": "\(generation.description.version)",
        "generation": "\(generation.number)", "ticket": "\(ticket.number)",
      ])
  }

  /// Keeps the state that was handed over; written when calls run again, because the disk may take its time.
  private func keepSnapshot() {
    guard let transfer, !snapshot.isEmpty else { return }
    do throws(HostError) {
      let file = try StateSnapshot(snapshot, of: id, version: transfer.version, data: node.data)
      ticket.add([
        "snapshot": .string(file.path), "snapshot_sha256": .string(file.sha256),
        "snapshot_bytes": .integer(Int64(file.size)),
      ])
    } catch {
      node.logger.warning("the state is not kept", metadata: ["plugin": "\(id)", "reason": "\(error.message)"])
    }
    snapshot = []
  }

  private func beginProbation() {
    if isGated {
      syncHistory()
      if let new, !isAnnounced { announce(new) }
    }
    // A rollback that calls held up comes back here.
    end(returned)
    returned = nil
    keepSnapshot()
    if let new { Probation(new, self).begin(plugin.reload) }
  }

  /// The old one runs again: the same instance, or a fresh one when it cannot be started twice.
  private func restart() throws(HostError) {
    guard let old, !isStuck(old) else { return }
    do throws(HostError) {
      try perform(.start, of: old) { (old) throws(HostError) in try old.start() }
    } catch {
      guard !isStuck(old) else { throw error }
      let (node, fresh) = (node, try node.makeGeneration(try old.again))
      try perform(.start, of: fresh) { (fresh) throws(HostError) in try node.begin(fresh) }
      layer.publish(fresh)
    }
  }

  /// What was written while calls waited reaches the disk; if it cannot, the node goes on with what serves.
  func syncHistory() {
    do throws(HostError) { try node.history.sync(id) } catch {
      node.logger.error("the history is not on the disk", metadata: ["plugin": "\(id)", "reason": "\(error.message)"])
    }
  }

  // MARK: History

  func event(
    _ generation: Generation, from: ReloadState?, to: ReloadState, reason: String
  ) -> PluginHistory.Event {
    var event = PluginHistory.Event(
      sha256: generation.entry.sha256, path: generation.entry.path, version: generation.description.version,
      generation: generation.number, from: from, to: to, reason: reason, ticket: ticket.number, by: request.by)
    event.configured = configured
    return event
  }

  private func recordRejection(_ entry: LibraryStore.Entry, _ reason: HostError) {
    let rejection = PluginHistory.Event(
      sha256: entry.sha256, path: entry.path, version: description?.version ?? "", generation: new?.number ?? 0,
      from: nil, to: .rejected, reason: "\(reason.code): \(reason.message)", ticket: ticket.number, by: request.by)
    // What never served changes nothing at a restart: a history that cannot be written loses this line only.
    try? node.history.record(id, rejection)
    node.logger.warning(
      "reload rejected", metadata: ["plugin": "\(id)", "code": "\(reason.code)", "reason": "\(reason.message)"])
  }
}
