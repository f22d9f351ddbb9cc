import Canonical
import LedgerCore
import Synchronization
import Testing

/// What transitions of other layers can and cannot do.
struct LayerTests {
  private let alice: KeyPair
  private static let layer = Namespace("layer")
  private static let other = Namespace("other")

  init() throws { alice = try TestNetwork.key(1) }

  @Test func aRefusedTransitionLeavesNoTraceButItsReceipt() throws {
    let network = try TestNetwork([
      "layer.fail": { context, _ in
        try context.put(Self.layer, [1], [2])
        let pot = try context.open(Self.layer, name: [7])
        try context.move(Self.layer, from: try context.sender(), to: pot, Amount(5))
        try context.emit(Self.layer, topic: "layer.news", payload: "{}")
        throw LedgerError(.failedPrecondition, "changed_my_mind", "No.")
      }
    ])
    try network.run { node in
      let receipt = try node.submit(try network.call("layer.fail", by: network.authority, sequence: 0).bytes)
      #expect(receipt.outcome == Outcome(status: 9, code: "changed_my_mind", message: "No."))
      #expect(try node.store.value(Self.layer, key: [1]) == nil)
      #expect(try node.accountView(network.authority.account).balance == 1_000_000)
      #expect(try node.accountView(AccountID(of: Self.layer, name: [7])).owner == nil)
      #expect(try node.store.block(at: Height(1))?.header.eventRoot == Digest(of: []))
      #expect(try node.transactionView(receipt.transaction).receipt.message == "No.")
    }
  }

  @Test func namespacesAreSeparate() throws {
    let network = try TestNetwork([
      "layer.put": { context, arguments in
        try context.put(Self.layer, [1], arguments)
        return []
      },
      "other.put": { context, arguments in
        #expect(try context.get(Self.other, [1]) == nil)
        try context.put(Self.other, [1], arguments)
        return try context.get(Self.other, [1]) ?? []
      },
      "other.steal": { context, _ in
        try context.put(.ledger, LedgerKey.account(try context.sender()), [0])
        return []
      },
    ])
    try network.run { node in
      _ = try node.submit(try network.call("layer.put", [5], by: alice, sequence: 0).bytes)
      #expect(try node.submit(try network.call("other.put", [6], by: alice, sequence: 1).bytes).outcome.result == [6])
      #expect(try node.store.value(Self.layer, key: [1]) == [5])
      #expect(try node.store.value(Self.other, key: [1]) == [6])
      let theft = try node.submit(try network.call("other.steal", by: alice, sequence: 2).bytes)
      #expect(theft.outcome.code == "reserved_namespace")
    }
  }

  @Test func aLayerMovesItsOwnCreditsAndTheSendersButNobodyElses() throws {
    let target = try TestNetwork.key(9).account
    let network = try TestNetwork([
      "layer.pay": { context, arguments in
        let pot = try context.open(Self.layer, name: Array("pot".utf8))
        try context.move(Self.layer, from: try context.sender(), to: pot, Amount(10))
        try context.move(Self.layer, from: pot, to: target, Amount(4))
        return pot.bytes
      },
      "other.rob": { context, _ in
        try context.move(Self.other, from: AccountID(of: Self.layer, name: Array("pot".utf8)), to: target, Amount(1))
        return []
      },
      // A method of `other` that runs inside a transaction whose signer called `layer`.
      "layer.nested": { context, _ in
        try context.move(Self.other, from: try context.sender(), to: target, Amount(1))
        return []
      },
      "layer.issue": { context, _ in
        try context.move(Self.layer, from: .issuance, to: target, Amount(1))
        return []
      },
    ])
    try network.run { node in
      let me = network.authority
      #expect(try node.submit(try network.call("layer.pay", by: me, sequence: 0).bytes).outcome.succeeded)
      #expect(try node.accountView(target).balance == 4)
      #expect(try node.accountView(AccountID(of: Self.layer, name: Array("pot".utf8))).balance == 6)
      for (index, method) in ["other.rob", "layer.nested", "layer.issue"].enumerated() {
        let receipt = try node.submit(try network.call(method, by: me, sequence: UInt64(index + 1)).bytes)
        #expect(receipt.outcome.code == "not_your_account", "\(method)")
      }
      try node.store.audit()
    }
  }

  @Test func aRangeMergesTheBlocksOwnChanges() throws {
    let network = try TestNetwork([
      "layer.fill": { context, _ in
        for key: UInt8 in [1, 3, 5, 7] { try context.put(Self.layer, [9, key], [key]) }
        try context.put(Self.layer, [10], [0])
        return []
      },
      "layer.list": { context, _ in
        try context.remove(Self.layer, [9, 3])
        try context.put(Self.layer, [9, 4], [44])
        try context.put(Self.layer, [9, 5], [55])
        let all = try context.range(Self.layer, prefix: [9], after: [], limit: 10)
        let rest = try context.range(Self.layer, prefix: [9], after: [9, 4], limit: 1)
        return (all + rest).flatMap(\.value)
      },
    ])
    try network.run { node in
      _ = try node.submit(try network.call("layer.fill", by: alice, sequence: 0).bytes)
      let listed = try node.submit(try network.call("layer.list", by: alice, sequence: 1).bytes).outcome.result
      #expect(listed == [1, 44, 55, 7, 55])
      #expect(
        try node.store.entries(Self.layer, prefix: [9], after: [], limit: 10).map(\.key)
          == [[9, 1], [9, 4], [9, 5], [9, 7]])
    }
  }

  @Test func aHandleIsWorthNothingAfterItsTransaction() throws {
    let leaked = Mutex<TransactionContext?>(nil)
    let network = try TestNetwork([
      "layer.leak": { context, _ in
        leaked.withLock { $0 = context }
        return []
      },
      "layer.use": { context, _ in
        let old = leaked.withLock { $0 }
        try old?.put(Self.layer, [1], [1])
        return []
      },
    ])
    try network.run { node in
      _ = try node.submit(try network.call("layer.leak", by: alice, sequence: 0).bytes)
      let context = try #require(leaked.withLock { $0 })
      #expect(refusal { _ = try context.get(Self.layer, [1]) } == "not_in_transaction")
      #expect(refusal { _ = try node.transaction(context.handle) } == "not_in_transaction")
      #expect(
        try node.submit(try network.call("layer.use", by: alice, sequence: 1).bytes).outcome.code
          == "not_in_transaction")
    }
  }

  @Test func tooMuchWorkIsAResultEvenWhenTheLayerHidesIt() throws {
    var limits = Limits()
    limits.operations = 100
    let network = try TestNetwork(
      [
        "layer.loop": { context, _ in
          for key in 0..<200 { try? context.put(Self.layer, [UInt8(key), 1], [1]) }
          return []
        }
      ], limits: limits)
    try network.run { node in
      let receipt = try node.submit(try network.call("layer.loop", by: alice, sequence: 0).bytes)
      #expect(receipt.outcome.code == "work_exceeded" && receipt.outcome.status == 8)
      #expect(try node.store.entries(Self.layer, prefix: [], after: [], limit: 10).isEmpty)
    }
  }

  @Test func aLayerThatIsUnableDecidesNothing() throws {
    let network = try TestNetwork([
      "layer.gone": { context, _ in
        try context.put(Self.layer, [1], [1])
        throw LedgerError(.unavailable, "layer_unavailable", "The layer crashed.")
      },
      "layer.fine": { _, _ in [] },
    ])
    try network.run { node in
      let gone = try network.call("layer.gone", by: alice, sequence: 0)
      #expect(refusal { _ = try node.submit(gone.bytes) } == "layer_unavailable")
      #expect(node.store.head.header.height == .genesis)
      #expect(try node.submit(try network.call("layer.fine", by: alice, sequence: 0).bytes).outcome.succeeded)
      #expect(try node.store.value(Self.layer, key: [1]) == nil)
    }
  }

  @Test func readersSeeOnlyCommittedState() throws {
    let store = Mutex<Store?>(nil)
    let network = try TestNetwork([
      "layer.put": { context, _ in
        try context.put(Self.layer, [1], [1])
        let outside = try store.withLock { try $0?.value(Self.layer, key: [1]) }
        return outside == nil ? [1] : [0]
      }
    ])
    try network.run { node throws in
      store.withLock { $0 = node.store }
      #expect(try node.submit(try network.call("layer.put", by: alice, sequence: 0).bytes).outcome.result == [1])
      #expect(try node.store.value(Self.layer, key: [1]) == [1])
      store.withLock { $0 = nil }
    }
  }

  @Test func eventsCarryTheirLayersNameAndArriveInOrder() throws {
    let topics = Mutex<[String]>([])
    let network = try TestNetwork([
      "layer.say": { context, _ in
        try context.emit(Self.layer, topic: "layer.first", payload: "{}")
        try context.emit(Self.layer, topic: "other.forged", payload: "{}")
        return []
      }
    ])
    defer { network.remove() }
    let node = try network.open { block in topics.withLock { $0 += block.events.map(\.topic) } }
    _ = try node.submit(try network.call("layer.say", by: alice, sequence: 0).bytes)
    node.stop()
    #expect(topics.withLock { $0 } == ["layer.first", "layer.other.forged"])
  }

  @Test func aTransitionCannotWaitForAnotherTransaction() throws {
    let running = Mutex<LedgerNode?>(nil)
    let network = try TestNetwork([
      "layer.recurse": { _, _ in
        _ = try running.withLock { $0 }?.act(BuiltIn.transfer, arguments: [])
        return []
      }
    ])
    try network.run { node throws in
      running.withLock { $0 = node }
      #expect(
        try node.submit(try network.call("layer.recurse", by: alice, sequence: 0).bytes).outcome.code
          == "in_transaction")
      running.withLock { $0 = nil }
    }
  }
}
