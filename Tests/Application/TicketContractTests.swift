import ApplicationCore
import Synchronization
import Testing

private let stranger = [UInt8](repeating: 9, count: 32)

private func refusalCode(_ body: () throws -> Void) -> String? {
  do {
    try body()
    return nil
  } catch {
    return (error as? Refusal)?.code
  }
}

private func openedLedger() throws -> MemoryLedger {
  let ledger = MemoryLedger(Power(), funds: 1000)
  try ledger.open(testKey(1), budget: Amount(600))
  return ledger
}

private func charges(_ pairs: [(Int, UInt64)]) -> JSONValue {
  let list = pairs.map { (key: testKey($0.0), amount: Amount($0.1)) }
  return TicketContract.json(list.sorted { $0.key < $1.key })
}

@Suite struct TicketContractTests {
  @Test func openingMovesTheBudget() throws {
    let ledger = try openedLedger()
    #expect(ledger.balance(MemoryLedger.node) == 400)
    #expect(ledger.balance(MemoryLedger.keysAccount) == 600)
    #expect(refusalCode { try ledger.open(testKey(1), budget: Amount(1)) } == "key_exists")
    #expect(refusalCode { try ledger.open(testKey(2), budget: Amount(401)) } == "insufficient_funds")
    #expect(refusalCode { try ledger.open(testKey(2), budget: .zero) } == "empty_budget")
    #expect(ledger.allKeys.count == 1)
  }

  @Test func settlingPaysTheSenderOnceInOrder() throws {
    let ledger = try openedLedger()
    try ledger.transact { try TicketContract.settle($0, batch: 1, charges: charges([(1, 100)])) }
    #expect(ledger.balance(MemoryLedger.node) == 500)
    #expect(
      refusalCode { try ledger.transact { try TicketContract.settle($0, batch: 1, charges: charges([(1, 100)])) } }
        == "batch_settled")
    #expect(
      refusalCode { try ledger.transact { try TicketContract.settle($0, batch: 3, charges: charges([(1, 100)])) } }
        == "batch_out_of_order")
    #expect(ledger.balance(MemoryLedger.node) == 500)
  }

  @Test func chargesBeyondTheBudgetTakeWhatThereIs() throws {
    let ledger = try openedLedger()
    try ledger.transact { try TicketContract.settle($0, batch: 1, charges: charges([(1, 5000)])) }
    #expect(ledger.balance(MemoryLedger.node) == 1000)
    #expect(ledger.allKeys[testKey(1)]?.charged == Amount(600))
  }

  @Test func onlyTheOwnerSettlesAndCloses() throws {
    let ledger = try openedLedger()
    let settled = refusalCode {
      try ledger.transact(sender: stranger) { try TicketContract.settle($0, batch: 1, charges: charges([(1, 1)])) }
    }
    #expect(settled == "not_the_owner")
    let closed = refusalCode {
      try ledger.transact(sender: stranger) { try TicketContract.keyClose($0, key: testKey(1).bytes) }
    }
    #expect(closed == "not_the_owner")
  }

  @Test func withoutASenderNoKeyIsTouched() throws {
    let ledger = try openedLedger()
    let attempts: [(MemoryLedger.Transaction) throws -> Void] = [
      { try TicketContract.keyOpen($0, key: testKey(2).bytes, budget: 1) },
      { try TicketContract.keyClose($0, key: testKey(1).bytes) },
      { try TicketContract.settle($0, batch: 1, charges: charges([(1, 1)])) },
    ]
    for attempt in attempts {
      #expect(refusalCode { try ledger.transact(sender: nil, caller: "governance", attempt) } == "no_sender")
    }
  }

  @Test func closingReturnsTheRestOnce() throws {
    let ledger = try openedLedger()
    try ledger.transact { try TicketContract.settle($0, batch: 1, charges: charges([(1, 100)])) }
    try ledger.close(testKey(1))
    #expect(ledger.balance(MemoryLedger.node) == 1000)
    #expect(ledger.balance(MemoryLedger.keysAccount) == 0)
    #expect(refusalCode { try ledger.close(testKey(1)) } == "key_closed")
    #expect(refusalCode { try ledger.close(testKey(2)) } == "unknown_key")
    #expect(refusalCode { try ledger.open(testKey(1), budget: Amount(1)) } == "key_exists")
  }

  @Test func malformedChargesAreRefused() throws {
    let ledger = try openedLedger()
    let key = JSONValue.string(testKey(1).description)
    let bad: [JSONValue] = [
      .null, [:], [1], [["key": "xy", "amount": 1]], [["key": key, "amount": -1]], [["key": key, "amount": "1"]],
      [["key": key, "amount": 1, "more": 2]], [["key": key, "amount": 1], ["key": key, "amount": 1]],
    ]
    for charges in bad {
      let code = refusalCode { try ledger.transact { try TicketContract.settle($0, batch: 1, charges: charges) } }
      #expect(code == "bad_charges")
    }
  }

  @Test func onlyGovernanceSetsThePrice() throws {
    let ledger = MemoryLedger(Power())
    for caller in [nil, "ledger", "application", "governance.evil"] as [String?] {
      let code = refusalCode {
        try ledger.transact(caller: caller) { try TicketContract.setPrice($0, prompt: 1, completion: 2) }
      }
      #expect(code == "not_governance")
    }
    // An action of governance has no sender.
    try ledger.transact(sender: nil, caller: "governance") {
      try TicketContract.setPrice($0, prompt: 5, completion: 6)
    }
    try ledger.transact(caller: "governance") { try TicketContract.setPrice($0, prompt: 7, completion: 8) }
    let price = try ledger.transact { state in try TicketContract.price { try state.get($0) } }
    #expect(price == Price(version: 2, prompt: 7, completion: 8))
    let code = refusalCode {
      try ledger.transact(caller: "governance") {
        try TicketContract.setPrice($0, prompt: Price.maximum + 1, completion: 0)
      }
    }
    #expect(code == "price_too_high")
  }

  @Test func aLostAnswerSettlesOnce() throws {
    let ledger = MemoryLedger(Power(), funds: 1000)
    let time = FakeTime()
    let meter = try Meter(store: SimulatedDisk(Power()), limits: Meter.Limits(), clock: time.clock)
    let settler = Settler(meter: meter, ledger: ledger) { _ in }
    let office = KeyOffice(meter: meter, settler: settler, ledger: ledger)
    ledger.losesAnswers.withLock { $0 = true }
    try office.open(testKey(1), budget: Amount(500))
    let demand = Meter.Demand(
      price: Price(version: 1, prompt: 0, completion: 1000), promptTokens: 1, completion: 100, leastCompletion: 100)
    meter.charge(try meter.reserve(testKey(1), demand), TokenCounts(prompt: 1, completion: 30))
    try settler.flush()
    try settler.flush()
    #expect(ledger.allKeys[testKey(1)]?.charged == Amount(30))
    #expect(try office.revoke(testKey(1)) == Amount(470))
    #expect(ledger.balance(MemoryLedger.node) == 1000)
  }

  @Test func anOldJournalDropsChargesThatMayBeSettledAlready() throws {
    let ledger = MemoryLedger(Power(), funds: 1000)
    let time = FakeTime()
    let disk = SimulatedDisk(Power())
    let meter = try Meter(store: disk, limits: Meter.Limits(), clock: time.clock)
    let settler = Settler(meter: meter, ledger: ledger) { _ in }
    try KeyOffice(meter: meter, settler: settler, ledger: ledger).open(testKey(1), budget: Amount(500))
    let demand = Meter.Demand(
      price: Price(version: 1, prompt: 0, completion: 1000), promptTokens: 1, completion: 50, leastCompletion: 50)
    meter.charge(try meter.reserve(testKey(1), demand), TokenCounts(prompt: 1, completion: 50))
    let backup = try disk.load()
    try settler.flush()
    let old = try Meter(store: SimulatedDisk(Power(), bytes: backup), limits: Meter.Limits(), clock: time.clock)
    let plan = try old.reconcile(ledger.allKeys, lastBatch: ledger.lastBatch())
    #expect(plan.warnings.count == 1)
    #expect(old.book.keys[testKey(1)]?.charged == Amount(50))
    #expect(old.book.keys[testKey(1)]?.balance == Amount(450))
  }

  @Test func aLostJournalStartsFromTheLedger() throws {
    let ledger = try openedLedger()
    try ledger.transact { try TicketContract.settle($0, batch: 1, charges: charges([(1, 100)])) }
    let meter = try Meter(store: SimulatedDisk(Power()), limits: Meter.Limits(), clock: FakeTime().clock)
    let plan = try meter.reconcile(ledger.allKeys, lastBatch: ledger.lastBatch())
    #expect(plan.warnings.isEmpty && plan.keysToClose.isEmpty)
    #expect(meter.book.keys[testKey(1)]?.balance == Amount(500))
    let demand = Meter.Demand(
      price: Price(version: 1, prompt: 0, completion: 1000), promptTokens: 1, completion: 50, leastCompletion: 50)
    meter.charge(try meter.reserve(testKey(1), demand), TokenCounts(prompt: 1, completion: 50))
    try Settler(meter: meter, ledger: ledger) { _ in }.flush()
    #expect(ledger.allKeys[testKey(1)]?.charged == Amount(150))
  }

  @Test func aReplacedLedgerClosesItsKeysWithAWarning() throws {
    let meter = try Meter(store: SimulatedDisk(Power()), limits: Meter.Limits(), clock: FakeTime().clock)
    let first = MemoryLedger(Power())
    let settler = Settler(meter: meter, ledger: first) { _ in }
    try KeyOffice(meter: meter, settler: settler, ledger: first).open(testKey(1), budget: Amount(5))
    let plan = try meter.reconcile([:], lastBatch: 0)
    #expect(plan.warnings.count == 1)
    #expect(throws: Refusal.self) { try meter.authenticate("key 1") }
  }
}
