import ApplicationCore
import Dispatch
import Synchronization
import Testing

/// What threads counted together.
private final class Tally: Sendable {
  let spent = Mutex(Amount.zero)
  let refused = Mutex(0)
}

@Suite struct MeterTests {
  private let price = Price(version: 1, prompt: 1000, completion: 2000)

  @Test func costRoundsUpOnceOnTheSum() {
    let price = Price(version: 1, prompt: 1, completion: 1)
    #expect(price.cost(TokenCounts(prompt: 1, completion: 1)) == Amount(1))
    #expect(price.cost(TokenCounts(prompt: 999, completion: 1)) == Amount(1))
    #expect(price.cost(TokenCounts(prompt: 1000, completion: 1)) == Amount(2))
    #expect(price.cost(TokenCounts(prompt: .max, completion: .max)) == Amount(.max))
    #expect(price.cost(TokenCounts()) == .zero)
  }

  @Test func whatIsAffordableCostsNoMoreThanTheBalance() {
    var random = SeededGenerator(seed: 3)
    for _ in 0..<10_000 {
      let price = Price(
        version: 1, prompt: .random(in: 0...5000, using: &random), completion: .random(in: 1...5000, using: &random))
      let amount = Amount(.random(in: 0...100_000, using: &random))
      let prompt = UInt64.random(in: 0...1000, using: &random)
      guard let tokens = price.affordableCompletion(amount, prompt: prompt), tokens > 0 else { continue }
      #expect(price.cost(TokenCounts(prompt: prompt, completion: tokens)) <= amount)
      #expect(price.cost(TokenCounts(prompt: prompt, completion: tokens + 1)) > amount)
    }
  }

  @Test func aFreePriceNeedsNoBalance() throws {
    let node = try FakeNode(budget: 1)
    let free = Price(version: 1, prompt: 0, completion: 0)
    let demand = Meter.Demand(price: free, promptTokens: 9, completion: 9, leastCompletion: 9)
    #expect(try node.meter.reserve(node.secret.hash, demand).amount == .zero)
  }

  @Test func threadsTogetherNeverOverspend() async throws {
    let node = try FakeNode(budget: 10_000)
    let tally = Tally()
    await withTaskGroup(of: Void.self) { group in
      for worker in 0..<8 {
        group.addTask {
          var random = SeededGenerator(seed: UInt64(worker))
          for _ in 0..<200 {
            let demand = Meter.Demand(price: price, promptTokens: 10, completion: 20, leastCompletion: 20)
            guard let reservation = try? node.meter.reserve(node.secret.hash, demand) else {
              tally.refused.withLock { $0 += 1 }
              continue
            }
            let completion = UInt64.random(in: 0...20, using: &random)
            let amount = node.meter.charge(reservation, TokenCounts(prompt: 10, completion: completion))
            tally.spent.withLock { $0 += amount }
            try? node.meter.commit()
          }
        }
      }
      group.addTask { for _ in 0..<50 { try? node.settler.flush() } }
    }
    try node.settler.flush()
    #expect(node.entry.charged == tally.spent.withLock { $0 })
    #expect(node.entry.charged <= Amount(10_000) && node.entry.reserved == .zero)
    #expect(tally.refused.withLock { $0 } > 0)
    #expect(node.ledger.allKeys[node.secret.hash]?.charged == node.entry.charged)
  }

  @Test(arguments: [(interval: UInt64(1), limit: Int.max), (60_000, 1)])
  func theSettlersThreadSettlesInTimeOrAfterCharges(interval: UInt64, limit: Int) throws {
    let node = try FakeNode()
    node.send()
    let settled = DispatchSemaphore(value: 0)
    node.settler.start(everyMilliseconds: interval, orAfterCharges: limit) { settled.signal() }
    node.settler.noteCharge()
    // The interval's thread may have come round before; it comes again.
    while node.ledger.allKeys[node.secret.hash]?.charged != Amount(16) {
      try #require(settled.wait(timeout: .now() + .seconds(120)) == .success, "the thread never settled")
    }
    node.settler.stop()
  }

  @Test func anUnreachableLedgerKeepsTheCharges() throws {
    let node = try FakeNode()
    node.send()
    struct Away: SettlementLedger {
      struct Gone: Error {}
      func settle(_ batch: Book.Batch) throws { throw Gone() }
      func lastBatch() throws -> UInt64 { 0 }
      func keys(_ keys: [KeyHash]) throws -> [KeyHash: LedgerKey] { [:] }
    }
    #expect(throws: Away.Gone.self) { try Settler(meter: node.meter, ledger: Away()) { _ in }.flush() }
    node.send()
    try node.settler.flush()
    #expect(node.ledger.allKeys[node.secret.hash]?.charged == Amount(32))
  }

  @Test func keysAreFoundByIdPrefixOrSecret() throws {
    let node = try FakeNode()
    let hash = node.secret.hash
    for text in [hash.id, hash.description, hash.description.uppercased(), node.secret.text] {
      #expect(try node.meter.find(text) == hash)
    }
    for text in ["", hash.id.prefix(7) + "", "zzzzzzzzzz"] {
      #expect(throws: Refusal.self) { try node.meter.find(text) }
    }
  }

  @Test func manyKeysAreSettledInSeveralBatches() throws {
    let node = try FakeNode()
    for index in 0..<(Book.maximumBatchKeys + 10) {
      try node.office.open(testKey(index), budget: Amount(100))
      let demand = Meter.Demand(price: price, promptTokens: 1, completion: 1, leastCompletion: 1)
      node.meter.charge(try node.meter.reserve(testKey(index), demand), TokenCounts(prompt: 1, completion: 1))
    }
    try node.settler.flush()
    #expect(try node.ledger.lastBatch() == 2)
    #expect(node.ledger.allKeys.values.filter { $0.charged == Amount(3) }.count == Book.maximumBatchKeys + 10)
  }
}
