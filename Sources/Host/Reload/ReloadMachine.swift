/// The order of a reload as a pure value: events go in, the next action comes out, and the driver performs it.
///
/// Before `commit` every failure undoes what was done and leaves the old one serving; after it, until the probation is
/// over, trouble leads back to the old one. Events that do not fit are ignored, so no order of them can break this.
package struct ReloadMachine: Equatable, Sendable {
  /// How the new one takes over from the old one; known once the library is described.
  package struct Handover: Equatable, Sendable {
    /// Calls wait, and the old one is stopped before the new one starts.
    package var isExclusive: Bool
    /// The old one's state goes to the new one.
    package var movesState: Bool
    /// Nothing is opened: what would happen is told.
    package var isDryRun = false

    package init(isExclusive: Bool, movesState: Bool, isDryRun: Bool = false) {
      (self.isExclusive, self.movesState, self.isDryRun) = (isExclusive, movesState, isDryRun)
    }
  }

  /// One thing that the driver does.
  package enum Action: Equatable, Sendable {
    case stage, verify, describe, load, make
    case closeGate, drainOld, exportState, importState, stopOld, startNew, compareState
    /// Makes durable that the new one runs after a restart.
    case commit
    case switchToNew, openGate
    /// Before the switch: takes back what was done.
    case stopNew, destroyNew, restartOld
    /// Begins the probation.
    case watch
    /// After the switch: back to the old one.
    case drainNew, handBack, restartOldForCalls, commitOld, switchToOld, retireNew
    /// The end of the probation.
    case makePermanent, retireOld
    /// Neither can run.
    case takeOut
  }

  package enum Event: Equatable, Sendable {
    case succeeded(Action)
    case described(Handover)
    case failed(Action, HostError)
    /// In probation: a crash, too many errors, or the operator.
    case trouble(HostError)
    /// In probation: its time is over.
    case settled
  }

  package private(set) var state = ReloadState.staged
  /// Why it ended, when it did not end well.
  package private(set) var reason: HostError?
  /// The action whose outcome is awaited; nil in probation and at the end.
  package private(set) var pending: Action?
  private var queue: [Action] = []
  private var phase = Phase.advancing
  private var undo: [Action] = []
  private var handover = Handover(isExclusive: false, movesState: false)

  private enum Phase { case advancing, undoing, watching, returning, settling, ended }

  package init() {}

  /// True when nothing more will happen.
  package var hasEnded: Bool { phase == .ended }

  /// The first action.
  package mutating func begin() -> Action? {
    guard phase == .advancing, pending == nil, queue.isEmpty, undo.isEmpty else { return nil }
    queue = [.stage, .verify, .describe]
    return next()
  }

  /// What happened; gives back what to do next, nil when there is nothing to do now.
  package mutating func handle(_ event: Event) -> Action? {
    switch event {
    case .succeeded(let action):
      guard action == pending, action != .describe else { return nil }
      didSucceed(action)
      return next()
    case .described(let handover):
      guard pending == .describe else { return nil }
      plan(handover)
      return next()
    case .failed(let action, let reason):
      guard action == pending else { return nil }
      didFail(action, reason)
      return next()
    case .trouble(let reason):
      guard phase == .watching else { return nil }
      self.reason = reason
      phase = .returning
      queue =
        handover.isExclusive
        ? [
          .closeGate, .drainNew, .handBack, .stopNew, .restartOldForCalls, .commitOld, .switchToOld, .openGate,
          .retireNew,
        ]
        : [.commitOld, .switchToOld, .retireNew]
      return next()
    case .settled:
      guard phase == .watching else { return nil }
      phase = .settling
      queue = [.makePermanent, .retireOld]
      return next()
    }
  }

  // MARK: Steps

  private mutating func plan(_ handover: Handover) {
    self.handover = handover
    // State that moves must not be written by two at once, so its plugin is treated as exclusive.
    self.handover.isExclusive = handover.isExclusive || handover.movesState
    state = .described
    guard !handover.isDryRun else {
      phase = .ended
      return
    }
    queue = [.load, .make]
    if self.handover.isExclusive { queue += [.closeGate, .drainOld] }
    if handover.movesState { queue += [.exportState, .importState] }
    if self.handover.isExclusive { queue.append(.stopOld) }
    queue.append(.startNew)
    if handover.movesState { queue.append(.compareState) }
    queue += [.commit, .switchToNew]
    if self.handover.isExclusive { queue.append(.openGate) }
    queue.append(.watch)
  }

  private mutating func next() -> Action? {
    pending = queue.isEmpty ? nil : queue.removeFirst()
    if pending == nil { finish() }
    switch pending {
    case .closeGate where phase == .advancing: state = .draining
    case .exportState: state = .migrating
    case .stopOld, .startNew: if phase == .advancing { state = .shadow }
    default: break
    }
    return pending
  }

  private mutating func finish() {
    switch phase {
    case .undoing: (phase, state) = (.ended, .rejected)
    case .returning: (phase, state) = (.ended, .rolledBack)
    case .settling: (phase, state) = (.ended, .permanent)
    case .advancing, .watching, .ended: break
    }
  }

  private mutating func didSucceed(_ action: Action) {
    guard phase == .advancing else { return }
    switch action {
    case .verify: state = .verified
    case .load: state = .loaded
    case .make: (state, undo) = (.ready, [.destroyNew] + undo)
    case .closeGate: undo.append(.openGate)
    // The old one runs again before calls reach it.
    case .stopOld: undo.insert(.restartOld, at: 1)
    case .startNew: undo.insert(.stopNew, at: 0)
    case .switchToNew: (state, undo) = (.probation, [])
    case .watch: phase = .watching
    default: break
    }
  }

  private mutating func didFail(_ action: Action, _ reason: HostError) {
    switch (phase, action) {
    case (.advancing, _):
      self.reason = reason
      phase = .undoing
      queue = undo
    case (.returning, .drainNew):
      // Calls hold the new one: it goes on serving, and is watched again.
      self.reason = reason
      phase = .advancing
      queue = [.openGate, .watch]
    case (.undoing, .restartOld), (.returning, .restartOldForCalls):
      self.reason = reason
      queue = queue.filter { $0 == .openGate || $0 == .retireNew }
      queue.insert(.takeOut, at: 0)
    default: break
    }
  }
}
