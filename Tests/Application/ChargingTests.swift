import ApplicationCore
import Synchronization
import Testing

@Suite struct ChargingTests {
  private let streamed = chatBody(#","stream":true"#)

  @Test(arguments: 0...8)
  func aClientThatLeavesAStreamPaysForWhatItGot(messages: Int) throws {
    let node = try FakeNode()
    // Messages: head, role, three words, finish, DONE.
    node.send("POST", "/v1/chat/completions", streamed, client: FakeClient(leavesAfter: messages))
    let words = max(0, min(3, messages - 2))
    #expect(node.entry.charged == Amount(words == 0 ? 0 : UInt64(10 + 2 * words)))
    #expect(node.entry.reserved == .zero)
    #expect(node.entry.requests == (words == 0 ? 0 : 1))
  }

  @Test(arguments: 0...1)
  func aClientThatLeavesAWholeAnswerPaysNothing(messages: Int) throws {
    let node = try FakeNode()
    node.send(client: FakeClient(leavesAfter: messages))
    #expect(node.entry.charged == .zero && node.entry.reserved == .zero)
  }

  @Test func aClientThatLeavesWhileItIsAnsweredStopsTheEngine() throws {
    let node = try FakeNode()
    let words = Mutex(0)
    let surroundings = FakeSurroundings()
    surroundings.script.withLock { script in
      script.words = Array(repeating: "x", count: 40)
      script.onWord = { index in
        words.withLock { $0 = index + 1 }
        if index == 4 { surroundings.script.withLock { $0.isCancelled = true } }
      }
    }
    node.send(to: surroundings)
    #expect(words.withLock { $0 } == 5)
    #expect(node.entry.charged == .zero && node.entry.reserved == .zero)
  }

  @Test func aFailureInAStreamIsAnEventAndPaysForWhatCame() throws {
    let node = try FakeNode()
    let client = node.send(
      "POST", "/v1/chat/completions", streamed, to: FakeSurroundings { $0.failureAfterWords = 2 })
    #expect(client.status == 200)
    #expect(client.events.last?["error"]?["code"] == "engine_broke")
    #expect(!client.body.contains("[DONE]"))
    #expect(node.entry.charged == Amount(14))
  }

  @Test func aFailureOfAWholeAnswerPaysNothing() throws {
    let node = try FakeNode()
    node.send(to: FakeSurroundings { $0.failureAfterWords = 2 })
    #expect(node.entry.charged == .zero && node.entry.reserved == .zero)
  }

  @Test func anAnswerWithoutTokensIsFree() throws {
    let node = try FakeNode()
    let client = node.send(to: FakeSurroundings { $0.words = [] })
    #expect(client.status == 200 && client[header: "x-symbolon-charged"] == "0")
    #expect(node.entry.charged == .zero)
  }

  @Test func theReserveIsHeldWhileTheAnswerIsMade() throws {
    let node = try FakeNode(budget: 1000)
    let held = Mutex(Amount.zero)
    node.send(to: FakeSurroundings { $0.onWord = { _ in held.withLock { $0 = node.entry.reserved } } })
    #expect(held.withLock { $0 } == Amount(110))
    #expect(node.entry.balance == Amount(984))
  }

  @Test func aRequestKeepsThePriceItBeganWith() throws {
    let node = try FakeNode()
    let surroundings = FakeSurroundings()
    surroundings.script.withLock { script in
      script.onWord = { _ in surroundings.script.withLock { $0.price = Price(version: 2, prompt: 0, completion: 1) } }
    }
    #expect(node.send(to: surroundings)[header: "x-symbolon-charged"] == "16")
    #expect(node.send(to: surroundings)[header: "x-symbolon-charged"] == "1")
  }

  @Test func aRevokedKeyIsStoppedAndItsRestReturned() throws {
    let node = try FakeNode(budget: 1000)
    let surroundings = FakeSurroundings()
    surroundings.script.withLock { $0.onWord = { if $0 == 1 { _ = try? node.office.revoke(node.secret.hash) } } }
    let client = node.send("POST", "/v1/chat/completions", streamed, to: surroundings)
    #expect(client.events.last?["error"]?["code"] == "invalid_api_key")
    #expect(try node.office.revoke(node.secret.hash) == Amount(988))
    #expect(node.ledger.balance(MemoryLedger.node) == 1_000_000_000)
    #expect(node.send().status == 401)
  }

  @Test func anInterruptedRevocationIsFinishedLater() throws {
    let node = try FakeNode(budget: 1000)
    let demand = Meter.Demand(
      price: Price(version: 1, prompt: 0, completion: 1000), promptTokens: 1, completion: 9, leastCompletion: 9)
    let reservation = try node.meter.reserve(node.secret.hash, demand)
    #expect { try node.office.revoke(node.secret.hash) } throws: { ($0 as? Refusal)?.code == "key_still_in_use" }
    node.office.closeRevoked { key, error in Issue.record("\(key): \(error)") }
    #expect(node.entry.phase == .revoked)
    node.meter.charge(reservation, TokenCounts(prompt: 1, completion: 4))
    node.office.closeRevoked { key, error in Issue.record("\(key): \(error)") }
    #expect(node.entry.phase == .closed)
    #expect(node.ledger.balance(MemoryLedger.node) == 1_000_000_000)
    #expect(node.ledger.balance(MemoryLedger.keysAccount) == 0)
  }

  @Test func aFullDiskIs503() throws {
    let node = try FakeNode()
    node.disk.state.withLock { $0.isFull = true }
    let client = node.send()
    #expect(client.status == 503 && client[header: "retry-after"] != nil)
    node.disk.state.withLock { $0.isFull = false }
    node.time.advance(2000)
    #expect(node.send().status == 200)
  }

  // MARK: Idempotency-Key

  private func send(
    _ node: FakeNode, _ body: String = chatBody(), key: String = "retry-1",
    to surroundings: FakeSurroundings = FakeSurroundings(), client: FakeClient = FakeClient()
  ) -> FakeClient {
    node.send(
      "POST", "/v1/chat/completions", body,
      headers: [("Authorization", "Bearer " + node.secret.text), ("Idempotency-Key", key)], to: surroundings,
      client: client)
  }

  @Test func aRepeatedRequestIsAnsweredFromMemoryAndNotCharged() throws {
    let node = try FakeNode()
    let surroundings = FakeSurroundings()
    let first = send(node, to: surroundings)
    let second = send(node, to: surroundings)
    #expect(second.body == first.body && second[header: "x-symbolon-charged"] == "0")
    #expect(second[header: "idempotent-replayed"] == "true")
    #expect(surroundings.asked.withLock { $0.count } == 1)
    #expect(node.entry.charged == Amount(16))
    #expect(send(node, key: "retry-2").status == 200)
    #expect(node.entry.charged == Amount(32))
  }

  @Test func anotherBodyUnderTheSameKeyIsRefused() throws {
    let node = try FakeNode()
    _ = send(node)
    let other = send(node, chatBody(#","seed":1"#))
    #expect(other.status == 400 && other.error?["code"] == "idempotency_key_reused")
  }

  @Test func theSameRequestAtTheSameTimeIs409() throws {
    let node = try FakeNode()
    let inner = FakeClient()
    let outer = send(node, to: FakeSurroundings { $0.onWord = { if $0 == 0 { _ = send(node, client: inner) } } })
    #expect(inner.status == 409 && outer.status == 200)
    #expect(node.entry.charged == Amount(16))
  }

  @Test func aFailedRequestMayBeRepeated() throws {
    let node = try FakeNode()
    #expect(send(node, to: FakeSurroundings { $0.failureAfterWords = 1 }).status == 500)
    #expect(send(node).status == 200)
    #expect(node.entry.charged == Amount(16))
  }

  @Test func aRepeatAfterARestartPaysNothingMore() throws {
    let node = try FakeNode()
    _ = send(node)
    let meter = try Meter(
      store: SimulatedDisk(Power(), bytes: try node.disk.load()), limits: Meter.Limits(), clock: node.time.clock)
    let gateway = Gateway(meter: meter, clock: node.time.clock, random: { .init(repeating: 2, count: $0) }) { _ in }
    let request = HTTPRequest(
      verb: "POST", path: "/v1/chat/completions",
      headers: [("authorization", "Bearer " + node.secret.text), ("idempotency-key", "retry-1")],
      body: Array(chatBody().utf8))
    let client = FakeClient()
    gateway.handle(request, FakeSurroundings(), client)
    #expect(client.status == 200 && client[header: "x-symbolon-charged"] == "0")
    #expect(meter.book.keys[node.secret.hash]?.charged == Amount(16))
    node.time.advance(Book.paymentLifetimeMilliseconds)
    gateway.handle(request, FakeSurroundings(), FakeClient())
    #expect(meter.book.keys[node.secret.hash]?.charged == Amount(32))
  }

  @Test func aBrokenStreamIsCreditedOnce() throws {
    let node = try FakeNode()
    _ = send(node, streamed, client: FakeClient(leavesAfter: 4))
    #expect(node.entry.charged == Amount(14))
    _ = send(node, streamed)
    #expect(node.entry.charged == Amount(16))
    _ = send(node, streamed)
    #expect(node.entry.charged == Amount(32))
  }

  @Test func nothingSaidIsWrittenAnywhere() throws {
    let node = try FakeNode()
    let canary = "canary-7f3a"
    let body = #"{"model":"tiny","messages":[{"role":"user","content":"\#(canary)"}]}"#
    let client = send(node, body, key: canary, to: FakeSurroundings { $0.words = [canary] })
    #expect(client.body.contains(canary))
    try node.settler.flush()
    let journal = String(decoding: try node.disk.load(), as: UTF8.self)
    #expect(!journal.contains(canary) && !journal.contains(node.secret.text))
    let ledger = node.ledger.contents.withLock { contents in
      contents.values.map { String(decoding: $0.key + $0.value, as: UTF8.self) }.joined()
    }
    #expect(!ledger.contains(canary) && !ledger.contains(node.secret.text))
  }
}
