import Host
import Testing

/// A node with one plugin, as far as a reload can change it; it complains about what must never happen.
private struct World {
  enum Instance { case none, made, running }
  var old = Instance.running
  var new = Instance.none
  var target = "old"
  var durable = "old"
  var gateClosed = false
  var complaints: [String] = []

  mutating func perform(_ action: ReloadMachine.Action) {
    switch action {
    case .stage, .verify, .describe, .load, .watch: break
    case .make: require(Self.set(&new, .none, .made), "made twice")
    case .closeGate: gateClosed = true
    case .openGate: gateClosed = false
    case .drainOld, .drainNew: require(gateClosed, "drains with an open gate")
    case .exportState: require(old == .running && gateClosed, "exports without the old one at rest")
    case .importState: require(new == .made, "imports into what is not made")
    case .stopOld: require(Self.set(&old, .running, .made), "stops an old one that does not run")
    case .startNew: require(Self.set(&new, .made, .running), "starts what is not made")
    case .compareState: require(new == .running, "compares what does not run")
    case .commit: durable = "new"
    case .switchToNew:
      require(durable == "new" && new == .running, "switches to what is not durable or does not run")
      target = "new"
    case .stopNew: require(Self.set(&new, .running, .made), "stops a new one that does not run")
    case .destroyNew: require(Self.set(&new, .made, .none), "destroys what runs")
    case .restartOld, .restartOldForCalls: require(Self.set(&old, .made, .running), "restarts what runs")
    case .handBack: require(new == .running && gateClosed, "hands back while calls run")
    case .commitOld: durable = "old"
    case .switchToOld:
      require(old == .running, "goes back to what does not run")
      target = "old"
    case .retireNew: (new, target) = (.none, target)
    case .makePermanent: require(target == "new", "makes permanent what does not serve")
    case .retireOld: old = .none
    case .takeOut: target = "none"
    }
    if !gateClosed, target == "old" { require(old == .running, "calls reach a stopped old one after \(action)") }
    if !gateClosed, target == "new" { require(new == .running, "calls reach a stopped new one after \(action)") }
  }

  private mutating func require(_ holds: Bool, _ complaint: String) { if !holds { complaints.append(complaint) } }

  /// False when it was not in the state that the step begins with.
  private static func set(_ what: inout Instance, _ from: Instance, _ to: Instance) -> Bool {
    defer { what = to }
    return what == from
  }
}

@Suite struct ReloadMachineTests {
  typealias Action = ReloadMachine.Action
  static let handovers = [
    ReloadMachine.Handover(isExclusive: false, movesState: false),
    ReloadMachine.Handover(isExclusive: true, movesState: false),
    ReloadMachine.Handover(isExclusive: false, movesState: true),
    ReloadMachine.Handover(isExclusive: true, movesState: true),
  ]
  static let failure = HostError.refused("no_luck", "It does not work out today.")

  /// Runs to the probation or the end; the action at which `failing` is true fails.
  private func run(
    _ machine: inout ReloadMachine, _ world: inout World, _ first: Action?, _ handover: ReloadMachine.Handover,
    failing: (Action) -> Bool = { _ in false }
  ) -> [Action] {
    var (actions, next): ([Action], Action?) = ([], first)
    while let action = next {
      actions.append(action)
      let fails = failing(action)
      if !fails { world.perform(action) }
      next =
        fails
        ? machine.handle(.failed(action, Self.failure))
        : machine.handle(action == .describe ? .described(handover) : .succeeded(action))
    }
    return actions
  }

  @Test(arguments: handovers) func anUndisturbedReloadBecomesPermanent(_ handover: ReloadMachine.Handover) {
    var (machine, world) = (ReloadMachine(), World())
    _ = run(&machine, &world, machine.begin(), handover)
    #expect(machine.state == .probation && world.target == "new" && !world.gateClosed)
    _ = run(&machine, &world, machine.handle(.settled), handover)
    #expect(machine.state == .permanent && machine.hasEnded && world.old == .none && world.complaints == [])
  }

  @Test(arguments: handovers) func everyFailureBeforeTheSwitchLeavesTheOldOne(_ handover: ReloadMachine.Handover) {
    let all: [Action] = [
      .stage, .verify, .describe, .load, .make, .closeGate, .drainOld, .exportState, .importState, .stopOld, .startNew,
      .compareState, .commit,
    ]
    for bad in all {
      var (machine, world) = (ReloadMachine(), World())
      let actions = run(&machine, &world, machine.begin(), handover) { $0 == bad }
      guard actions.contains(bad) else { continue }
      #expect(machine.state == .rejected && machine.reason == Self.failure && machine.hasEnded, "\(bad)")
      #expect(world.target == "old" && world.durable == "old" && world.old == .running && world.new == .none, "\(bad)")
      #expect(!world.gateClosed && world.complaints == [], "\(bad): \(world.complaints)")
    }
  }

  @Test(arguments: handovers) func troubleInProbationLeadsBack(_ handover: ReloadMachine.Handover) {
    var (machine, world) = (ReloadMachine(), World())
    _ = run(&machine, &world, machine.begin(), handover)
    let actions = run(&machine, &world, machine.handle(.trouble(Self.failure)), handover) { $0 == .handBack }
    #expect(machine.state == .rolledBack && machine.reason == Self.failure)
    #expect(actions.contains(.handBack) == (handover.isExclusive || handover.movesState))
    #expect(world.target == "old" && world.durable == "old" && world.new == .none && world.complaints == [])
  }

  @Test func aRollbackThatCallsHoldUpGoesOnWatching() {
    var (machine, world) = (ReloadMachine(), World())
    let handover = Self.handovers[1]
    _ = run(&machine, &world, machine.begin(), handover)
    _ = run(&machine, &world, machine.handle(.trouble(Self.failure)), handover) { $0 == .drainNew }
    #expect(machine.state == .probation && world.target == "new" && !world.gateClosed && world.complaints == [])
    _ = run(&machine, &world, machine.handle(.settled), handover)
    #expect(machine.state == .permanent)
  }

  @Test func aDryRunOpensNothing() {
    var (machine, world) = (ReloadMachine(), World())
    var handover = Self.handovers[3]
    handover.isDryRun = true
    #expect(run(&machine, &world, machine.begin(), handover) == [.stage, .verify, .describe])
    #expect(machine.hasEnded && machine.state == .described)
  }

  @Test func noOrderOfEventsBreaksIt() {
    let seed = UInt64.random(in: 0...UInt64.max)
    var random = SplitMix64(state: seed)
    for _ in 0..<20_000 {
      var (machine, world) = (ReloadMachine(), World())
      let handover = Self.handovers[Int(random.next() % 4)]
      var next = machine.begin()
      for _ in 0..<60 {
        let action = next ?? .watch
        let fails = random.next() % 16 == 0
        switch random.next() % 8 {
        case 0: next = machine.handle(.settled) ?? next
        case 1: next = machine.handle(.trouble(Self.failure)) ?? next
        case 2 where action != machine.pending: next = machine.handle(.succeeded(action)) ?? next
        default:
          guard let pending = machine.pending else { continue }
          // Only what can fail does: ending and switching are assignments.
          let canFail = ![
            .closeGate, .openGate, .takeOut, .stopOld, .retireNew, .retireOld, .switchToNew, .switchToOld, .watch,
            .destroyNew, .stopNew,
          ]
          .contains(pending)
          if fails, canFail {
            next = machine.handle(.failed(pending, Self.failure))
          } else {
            world.perform(pending)
            next = machine.handle(pending == .describe ? .described(handover) : .succeeded(pending))
          }
        }
      }
      guard world.complaints.isEmpty, !machine.hasEnded || !world.gateClosed else {
        Issue.record("seed \(seed): \(world.complaints), gate \(world.gateClosed ? "closed" : "open")")
        return
      }
    }
  }
}

/// A small seeded generator, so that a failure can be repeated.
struct SplitMix64 {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return value ^ (value >> 31)
  }
}
