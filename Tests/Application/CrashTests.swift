import ApplicationCore
import Synchronization
import Testing

/// A node that lives through crashes, and an account of what the world outside has seen.
private struct Survivor {
  var random: SeededGenerator
  var power = Power()
  var disk: SimulatedDisk
  var ledger: MemoryLedger
  let time = FakeTime()
  var meter: Meter
  var settler: Settler
  var office: KeyOffice
  /// Keys whose secret someone has been given.
  var known: [KeyHash: Amount] = [:]
  /// Cost of what was delivered, and the part of it whose charge was acknowledged as durable.
  var delivered: [KeyHash: Amount] = [:]
  var acknowledged: [KeyHash: Amount] = [:]
  var revoked: Set<KeyHash> = []
  var running: [Meter.Reservation] = []
  var nextKey = 0
  let price = Price(version: 1, prompt: 700, completion: 1900)

  static let funds: UInt64 = 10_000_000

  init(seed: UInt64) throws {
    random = SeededGenerator(seed: seed)
    disk = SimulatedDisk(power)
    ledger = MemoryLedger(power, funds: Self.funds)
    meter = try Meter(store: disk, limits: Self.limits, clock: time.clock)
    settler = Settler(meter: meter, ledger: ledger) { _ in }
    office = KeyOffice(meter: meter, settler: settler, ledger: ledger, revokeWaitMilliseconds: 0)
  }

  static let limits = Meter.Limits(maximumJournalBytes: 600)

  /// One random thing that happens to a node.
  mutating func step() {
    time.advance(UInt64.random(in: 1...400, using: &random))
    switch Int.random(in: 0..<12, using: &random) {
    case 0: createKey()
    case 1...4: begin()
    case 5...8: end()
    case 9: try? settler.flush()
    case 10: if let key = known.keys.sorted().randomElement(using: &random) { revoke(key) }
    default: try? meter.commit()
    }
  }

  private mutating func createKey() {
    nextKey += 1
    let key = testKey(nextKey)
    let budget = Amount(UInt64.random(in: 1...2000, using: &random))
    if (try? office.open(key, budget: budget)) != nil { known[key] = budget }
  }

  private mutating func revoke(_ key: KeyHash) {
    if (try? office.revoke(key)) != nil { revoked.insert(key) }
  }

  private mutating func begin() {
    guard let key = known.keys.sorted().randomElement(using: &random) else { return }
    let completion = UInt64.random(in: 1...200, using: &random)
    let demand = Meter.Demand(
      price: price, promptTokens: UInt64.random(in: 1...100, using: &random), completion: completion,
      leastCompletion: Bool.random(using: &random) ? 1 : completion)
    if let reservation = try? meter.reserve(key, demand) { running.append(reservation) }
  }

  private mutating func end() {
    guard let index = running.indices.randomElement(using: &random) else { return }
    let reservation = running.remove(at: index)
    let tokens = TokenCounts(
      prompt: reservation.promptTokens, completion: UInt64.random(in: 0...reservation.maximumCompletion, using: &random)
    )
    let charged = meter.charge(reservation, tokens)
    delivered[reservation.key, default: .zero] += charged
    if (try? meter.commit()) != nil { acknowledged[reservation.key] = delivered[reservation.key] }
  }

  /// Loses the power, finds what the disk kept and starts again.
  mutating func crashAndRestart() throws {
    let kept = disk.survivors(&random)
    power = Power()
    disk = SimulatedDisk(power, bytes: kept)
    let contents = ledger.contents.withLock { $0 }
    ledger = MemoryLedger(power)
    ledger.contents.withLock { $0 = contents }
    running = []
    meter = try Meter(store: disk, limits: Self.limits, clock: time.clock)
    settler = Settler(meter: meter, ledger: ledger) { _ in }
    office = KeyOffice(meter: meter, settler: settler, ledger: ledger, revokeWaitMilliseconds: 0)
    let plan = try meter.reconcile(ledger.allKeys, lastBatch: ledger.lastBatch())
    #expect(plan.warnings.isEmpty)
    for key in plan.keysToClose { try office.revoke(key) }
    // What was not acknowledged may be lost, never more.
    let (book, ledgerKeys) = (meter.book, ledger.allKeys)
    for key in known.keys { delivered[key] = book.keys[key]?.charged ?? ledgerKeys[key]?.charged ?? .zero }
  }

  /// The invariants, at any moment between two steps with the power on.
  func check(_ comment: Comment) {
    let book = meter.book
    let ledgerKeys = ledger.allKeys
    let open = ledgerKeys.values.filter { !$0.isClosed }
    let unspent = open.reduce(Amount.zero) { $0 + ($1.budget - $1.charged) }
    #expect(ledger.balance(MemoryLedger.keysAccount) == unspent.micro, comment)
    #expect(
      ledger.balance(MemoryLedger.node) + ledger.balance(MemoryLedger.keysAccount) == Self.funds, comment)
    for (key, entry) in book.keys where entry.phase != .closed && entry.phase != .opening {
      #expect(entry.balance.micro + entry.reserved.micro + entry.charged.micro == entry.budget.micro, comment)
      #expect(entry.settled == ledgerKeys[key]?.charged, comment)
    }
  }

  /// What a restart must have kept and given back.
  func checkAfterRestart(_ before: Survivor, _ comment: Comment) {
    check(comment)
    let book = meter.book
    let ledgerKeys = ledger.allKeys
    for (key, budget) in known {
      guard let entry = book.keys[key] else {
        // Only the newest closed keys are kept in the journal.
        #expect(ledgerKeys[key]?.isClosed == true, "a key that was shown to someone is gone: \(comment)")
        continue
      }
      #expect(entry.reserved == .zero, comment)
      #expect(entry.charged <= before.delivered[key] ?? .zero, "charged what was not delivered: \(comment)")
      #expect(entry.charged >= before.acknowledged[key] ?? .zero, "lost an acknowledged charge: \(comment)")
      if entry.phase != .closed { #expect(entry.budget == budget, comment) }
      if revoked.contains(key) { #expect(ledgerKeys[key]?.isClosed == true, comment) }
    }
    for (key, entry) in ledgerKeys where known[key] == nil {
      // The power went between the last record and the answer: the key is listed, and the operator can revoke it.
      let isListed = book.keys[key]?.phase == .open
      #expect(entry.isClosed || isListed, "a key that nobody was given still holds money: \(comment)")
    }
  }
}

@Suite struct CrashTests {
  /// Runs a story once for its length, then again for every effect with the power cut there.
  @Test(arguments: 0..<40) func noCrashLosesOrInventsMoney(story: Int) throws {
    let base = UInt64(20_261_122)
    let seed = base + UInt64(story)
    var rehearsal = try Survivor(seed: seed)
    for _ in 0..<150 { rehearsal.step() }
    rehearsal.check("seed \(seed), no crash")
    let effects = rehearsal.power.effects
    for cut in 0..<effects {
      var node = try Survivor(seed: seed)
      // The journal's first rewrite happened before; what is left is counted from here.
      node.power.cut(after: cut)
      for _ in 0..<150 { node.step() }
      let before = node
      try node.crashAndRestart()
      let comment: Comment = "seed \(seed), power cut after \(cut) effects"
      node.checkAfterRestart(before, comment)
      for _ in 0..<10 { node.step() }
      try node.settler.flush()
      node.check(comment)
      for (key, entry) in node.meter.book.keys where entry.phase == .open {
        #expect(entry.pending == .zero && entry.unsettled == .zero, comment)
        #expect(node.ledger.allKeys[key]?.charged == entry.charged, comment)
      }
    }
    if story == 0 { print("crash tests: seeds \(base)…\(base + 39), every effect of each, \(effects) in the first") }
  }

  /// Keeps crashing, several times in one life.
  @Test func manyCrashesInOneLife() throws {
    let seed: UInt64 = 7
    var node = try Survivor(seed: seed)
    for round in 0..<400 {
      node.power.cut(after: Int.random(in: 0..<60, using: &node.random))
      for _ in 0..<25 { node.step() }
      let before = node
      try node.crashAndRestart()
      node.checkAfterRestart(before, "seed \(seed), crash \(round)")
    }
    print("crash tests: 400 crashes in one life, seed \(seed)")
  }

  @Test func aJournalCutAtAnyByteStartsAndChargesNoMoreThanWasDelivered() throws {
    let power = Power()
    let disk = SimulatedDisk(power)
    let ledger = MemoryLedger(power)
    let time = FakeTime()
    let meter = try Meter(store: disk, limits: Meter.Limits(), clock: time.clock)
    let office = KeyOffice(
      meter: meter, settler: Settler(meter: meter, ledger: ledger) { _ in }, ledger: ledger)
    try office.open(testKey(1), budget: Amount(1000))
    let price = Price(version: 1, prompt: 1000, completion: 1000)
    for _ in 0..<4 {
      let demand = Meter.Demand(price: price, promptTokens: 10, completion: 20, leastCompletion: 20)
      let reservation = try meter.reserve(testKey(1), demand)
      meter.charge(reservation, TokenCounts(prompt: 10, completion: 5))
    }
    let whole = try disk.load()
    for length in 0...whole.count {
      let cut = SimulatedDisk(Power(), bytes: Array(whole.prefix(length)))
      let again = try Meter(store: cut, limits: Meter.Limits(), clock: time.clock)
      let plan = try again.reconcile(ledger.allKeys, lastBatch: 0)
      let entry = try #require(again.book.keys[testKey(1)])
      #expect(entry.charged <= Amount(60))
      #expect(entry.reserved == .zero)
      #expect(plan.warnings.isEmpty)
    }
  }
}
