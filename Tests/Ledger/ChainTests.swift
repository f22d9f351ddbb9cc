import Canonical
import Foundation
import LedgerCore
import Testing

/// Blocks: chained, signed, the same everywhere; and the histories read from them.
struct ChainTests {
  @Test func theSameBlocksGiveTheSameRootsInTwoDatabasesAndInMemory() throws {
    let seed = UInt64.random(in: 0...(.max))
    var generator = SeededGenerator(seed: seed)
    let transitions: [String: FakeRunner.Transition] = [
      "layer.put": { context, arguments in
        try context.put(Namespace("layer"), [arguments[0]], arguments)
        if arguments[0] % 5 == 0 { throw LedgerError(.aborted, "five", "No fives.") }
        try context.emit(Namespace("layer"), topic: "put", payload: "{\"key\":\(arguments[0])}")
        return [arguments[0]]
      }
    ]
    let network = try TestNetwork(transitions)
    let second = try TestNetwork(transitions)
    defer { second.remove() }
    try network.run { node in
      for sequence in 0..<120 {
        let byte = UInt8.random(in: 0...255, using: &generator)
        let transaction =
          Bool.random(using: &generator)
          ? try network.call("layer.put", [byte, 1], by: network.authority, sequence: UInt64(sequence))
          : try network.transfer(
            UInt64(byte), from: network.authority, to: try TestNetwork.key(Int(byte % 7) + 1).account,
            sequence: UInt64(sequence))
        _ = try node.submit(transaction.bytes)
      }
      let memory = MemoryState()
      memory.apply(try network.machine.genesisBlock())
      let copy = try Store(folder: second.folder, machine: second.machine)
      var height = Height(1)
      while let block = try node.store.block(at: height) {
        memory.apply(try network.machine.apply(block.header, block.transactions, to: memory))
        let executed = try second.machine.apply(block.header, block.transactions, to: copy.state)
        try copy.commit(executed, signature: block.signature, wakeUntil: .genesis)
        height = height.next
      }
      #expect(copy.head.hash == node.store.head.hash, "seed \(seed)")
      #expect(memory.trees().mapValues(\.root) == copy.state.trees().mapValues(\.root), "seed \(seed)")
      try copy.verifyChain(from: .genesis)
    }
  }

  @Test func aBlockWithOneTransactionLessIsFoundOut() throws {
    let network = try TestNetwork()
    try network.run { node in
      let target = try TestNetwork.key(1).account
      _ = try node.submit(try network.transfer(5, from: network.authority, to: target, sequence: 0).bytes)
      let block = try #require(try node.store.block(at: Height(1)))
      let memory = MemoryState()
      memory.apply(try network.machine.genesisBlock())
      #expect(refusal { _ = try network.machine.apply(block.header, [], to: memory) } == "block_mismatch")
    }
  }

  @Test func wakeMakesEmptyBlocksUpToAHeightAlsoAcrossARestart() throws {
    let network = try TestNetwork()
    defer { network.remove() }
    let node = try network.open(blockIntervalMilliseconds: 2)
    try node.wake(until: Height(5))
    while node.store.head.header.height < Height(5) { Thread.sleep(forTimeInterval: 0.005) }
    Thread.sleep(forTimeInterval: 0.05)
    #expect(node.store.head.header.height == Height(5))
    try node.wake(until: Height(40))
    while node.store.head.header.height < Height(7) { Thread.sleep(forTimeInterval: 0.002) }
    node.stop()
    let again = try network.open(blockIntervalMilliseconds: 2)
    while again.store.head.header.height < Height(40) { Thread.sleep(forTimeInterval: 0.005) }
    try again.store.verifyChain(from: .genesis)
    again.stop()
  }

  @Test func timeOnlyMovesForward() throws {
    let network = try TestNetwork()
    try network.run { node in
      var times: [UInt64] = []
      for sequence: UInt64 in 0..<10 {
        _ = try node.submit(
          try network.transfer(1, from: network.authority, to: .issuance, sequence: sequence).bytes)
        times.append(node.store.head.header.timeMilliseconds)
      }
      #expect(times == times.sorted() && Set(times).count == times.count)
    }
  }

  @Test func aHistoryIsReadPageByPageNewestFirstWhileItGrows() throws {
    let network = try TestNetwork(["layer.nothing": { _, _ in [] }])
    try network.run { node in
      let me = network.authority
      let friend = try TestNetwork.key(1).account
      for sequence: UInt64 in 0..<25 {
        _ = try node.submit(try network.transfer(sequence + 1, from: me, to: friend, sequence: sequence).bytes)
      }
      var amounts: [UInt64] = []
      var cursor = ""
      var sequence: UInt64 = 25
      repeat {
        let page = try node.historyView(me.account, cursor: cursor, limit: 4)
        #expect(page.entries.count <= 4)
        amounts += page.entries.map(\.amount)
        cursor = page.next
        // What is added meanwhile does not disturb the pages that follow.
        _ = try node.submit(try network.call("layer.nothing", by: me, sequence: sequence).bytes)
        sequence += 1
      } while !cursor.isEmpty
      #expect(amounts == (1...25).reversed().map(UInt64.init) + [1_000_000])
      let newest = try node.historyView(me.account, cursor: "", limit: 1).entries[0]
      #expect(newest.kind == "call" && newest.method == "layer.nothing" && newest.amount == 0)
      let received = try node.historyView(friend, cursor: "", limit: 200)
      #expect(
        received.entries.count == 25
          && received.entries.allSatisfy { $0.kind == "credit" && $0.counterparty == me.account.description })
      #expect(refusal { _ = try node.historyView(friend, cursor: "", limit: 0) } == "invalid_limit")
      #expect(refusal { _ = try node.historyView(friend, cursor: "", limit: 201) } == "invalid_limit")
      #expect(refusal { _ = try node.historyView(friend, cursor: "x", limit: 1) } == "invalid_cursor")
    }
  }

  @Test func unknownBlocksAndTransactionsAreSaidToBeUnknown() throws {
    try TestNetwork().run { node in
      #expect(refusal { _ = try node.blockView(Height(.max)) } == "unknown_block")
      #expect(refusal { _ = try node.transactionView(.zero) } == "unknown_transaction")
    }
  }
}
