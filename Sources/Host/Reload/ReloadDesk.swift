import Synchronization

/// Takes requests for reloads: one transaction at a time a plugin, the newest of those that wait wins.
final class ReloadDesk: @unchecked Sendable {  // Proof: what changes is behind the mutex; the condition is a WaitPoint.
  private struct State {
    var busy: Set<String> = []
    var waiting: [String: ReloadTicket] = [:]
    var tickets: [ReloadTicket] = []
    var probations: [String: Probation] = [:]
    /// What transactions that are about to switch have agreed to be.
    var agreed: [String: PluginDescription] = [:]
    /// What has not returned, by plugin: steps in the host's process that nobody can end.
    var stuck: [String: (generation: Generation, what: String)] = [:]
    var isExclusive = false
    var isClosed = false
  }

  /// How many tickets are remembered with all they tell; of older ones the history knows how they ended.
  static let ticketLimit = 64
  private let state = Mutex(State())
  private let changed = WaitPoint()

  /// Takes a request; `serve` runs on a thread of its own, now or when the plugin is free.
  func submit(
    _ request: ReloadRequest, serve: @escaping @Sendable (ReloadTicket) -> Void
  ) throws(HostError) -> ReloadTicket {
    try checkStuck(request.id)
    let ticket = ReloadTicket(request)
    let (begins, older, isClosed) = state.withLock { state -> (Bool, ReloadTicket?, Bool) in
      guard !state.isClosed else { return (false, nil, true) }
      state.tickets.append(ticket)
      if state.tickets.count > Self.ticketLimit { state.tickets.removeFirst() }
      if !state.isExclusive, state.busy.insert(request.id).inserted { return (true, nil, false) }
      let older = state.waiting.updateValue(ticket, forKey: request.id)
      return (false, older, false)
    }
    guard !isClosed else { throw .unavailable("stopping", "The node stops: nothing is reloaded any more.") }
    older?.supersede(by: ticket)
    if begins { work(ticket, serve) }
    return ticket
  }

  /// Serves a ticket and then whatever waits for the same plugin.
  private func work(_ first: ReloadTicket, _ serve: @escaping @Sendable (ReloadTicket) -> Void) {
    Thread.detach(named: "reload") { [self] in
      var ticket = first
      while true {
        serve(ticket)
        guard let next = leave(first.request.id) else { return }
        ticket = next
      }
    }
  }

  /// Gives a plugin free, or keeps it for the request that waits.
  private func leave(_ id: String) -> ReloadTicket? {
    let next = state.withLock { state -> ReloadTicket? in
      if !state.isExclusive, !state.isClosed, let next = state.waiting.removeValue(forKey: id) { return next }
      state.busy.remove(id)
      return nil
    }
    if next == nil { changed.wake() }
    return next
  }

  /// Runs `body` when the plugin is free now; false when it is not.
  func ifFree(_ id: String, serve: @escaping @Sendable (ReloadTicket) -> Void, _ body: () -> Void) -> Bool {
    let taken = state.withLock { !$0.isExclusive && !$0.isClosed && $0.busy.insert(id).inserted }
    guard taken else { return false }
    body()
    if let next = leave(id) { work(next, serve) }
    return true
  }

  /// Runs `body` while no transaction runs; requests that come meanwhile wait.
  func exclusively<Value>(
    serve: @escaping @Sendable (ReloadTicket) -> Void, _ body: () throws(HostError) -> Value
  ) throws(HostError) -> Value {
    let taken = changed.wait(seconds: 60) {
      state.withLock { state in
        guard !state.isExclusive else { return false }
        state.isExclusive = true
        return true
      }
    }
    guard taken else { throw .refused("still_busy", "Another change has not ended yet: try again.") }
    defer { endExclusive(serve) }
    guard changed.wait(seconds: 60, until: { state.withLock { $0.busy.isEmpty } }) else {
      throw .refused("still_busy", "A reload has not ended yet (`symbolon plugin reload-status` shows it): try again.")
    }
    return try body()
  }

  /// Runs `body` when no transaction runs now, and lets none begin meanwhile; false when one does.
  func ifIdle(serve: @escaping @Sendable (ReloadTicket) -> Void, _ body: () -> Void) -> Bool {
    let taken = state.withLock { state in
      guard !state.isExclusive, !state.isClosed, state.busy.isEmpty else { return false }
      state.isExclusive = true
      return true
    }
    guard taken else { return false }
    body()
    endExclusive(serve)
    return true
  }

  private func endExclusive(_ serve: @escaping @Sendable (ReloadTicket) -> Void) {
    let next = state.withLock { state -> [ReloadTicket] in
      state.isExclusive = false
      guard !state.isClosed else { return [] }
      let next = Array(state.waiting.values)
      state.waiting = [:]
      for ticket in next { state.busy.insert(ticket.request.id) }
      return next
    }
    changed.wake()
    for ticket in next { work(ticket, serve) }
  }

  /// Ends all watching and takes no more requests; gives back the generations that were kept warm.
  func close() -> [Probation] {
    state.withLock { $0.isClosed = true }
    _ = changed.wait(seconds: 10) { state.withLock { $0.busy.isEmpty } }
    return state.withLock { state in
      defer { state.probations = [:] }
      return Array(state.probations.values)
    }
  }

  var isClosed: Bool { state.withLock { $0.isClosed } }

  func ticket(_ number: String) -> ReloadTicket? {
    state.withLock { state in state.tickets.last { $0.number == number } }
  }

  // MARK: Probations

  func probation(_ id: String) -> Probation? { state.withLock { $0.probations[id] } }

  func begin(_ probation: Probation, of id: String) { state.withLock { $0.probations[id] = probation } }

  /// Forgets a probation, unless another has taken its place.
  func end(_ probation: Probation, of id: String) {
    state.withLock { if $0.probations[id] === probation { $0.probations[id] = nil } }
  }

  // MARK: Steps that hang

  func setStuck(_ generation: Generation, _ what: String) {
    state.withLock { $0.stuck[generation.id] = (generation, what) }
  }

  func clearStuck(_ id: String) { state.withLock { $0.stuck[id] = nil } }

  /// True when a step of this generation has not returned: no other may begin.
  func isStuck(_ generation: Generation) -> Bool {
    state.withLock { $0.stuck[generation.id]?.generation === generation }
  }

  /// Nothing is begun with a plugin whose code holds a thread of the host for ever.
  func checkStuck(_ id: String) throws(HostError) {
    guard let what = state.withLock({ $0.stuck[id]?.what }) else { return }
    throw .unavailable(
      "plugin_busy",
      "`\(id)` is busy with \(what): restart the node to get rid of it (`symbolon stop`). What serves goes on serving.")
  }

  // MARK: Agreements

  /// Checks a new description against what runs and what others are about to switch to.
  func agree(_ new: PluginDescription, running: [PluginDescription]) throws(HostError) {
    try state.withLock { state throws(HostError) in
      var all = Dictionary(uniqueKeysWithValues: running.map { ($0.id, $0) })
      all.merge(state.agreed) { $1 }
      all[new.id] = new
      _ = try LoadOrder.arrange(Array(all.values))
      state.agreed[new.id] = new
    }
  }

  func forgetAgreement(_ id: String) { state.withLock { $0.agreed[id] = nil } }
}
