import LedgerCore
import Testing

/// What the ledger refuses, and what it records as refused.
struct RuleTests {
  private let alice: KeyPair
  private let bob: KeyPair

  init() throws {
    alice = try TestNetwork.key(1)
    bob = try TestNetwork.key(2)
  }

  @Test func genesisGivesTheWholeSupplyToTheAuthority() throws {
    let network = try TestNetwork(supply: 77)
    try network.run { node in
      #expect(try node.accountView(network.authority.account).balance == 77)
      #expect(try node.accountView(.issuance).balance == 0)
      #expect(node.headView().height == 0)
      try node.store.audit()
    }
  }

  @Test func aTransferMovesCreditsAndUsesASequence() throws {
    let network = try TestNetwork()
    try network.run { node in
      let receipt = try node.submit(
        try network.transfer(10, from: network.authority, to: alice.account, sequence: 0).bytes)
      #expect(receipt.outcome == Outcome() && receipt.height == Height(1) && receipt.index == 0)
      #expect(try node.accountView(alice.account).balance == 10)
      #expect(try node.accountView(network.authority.account).sequence == 1)
    }
  }

  @Test func submittingACommittedTransactionAgainReturnsTheFirstReceipt() throws {
    let network = try TestNetwork()
    try network.run { node in
      let transaction = try network.transfer(10, from: network.authority, to: alice.account, sequence: 0)
      let first = try node.submit(transaction.bytes)
      #expect(try node.submit(transaction.bytes) == first)
      #expect(try node.accountView(alice.account).balance == 10)
      #expect(node.store.head.header.height == Height(1))
    }
  }

  @Test func aUsedSequenceWithOtherContentIsStale() throws {
    let network = try TestNetwork()
    try network.run { node in
      _ = try node.submit(try network.transfer(10, from: network.authority, to: alice.account, sequence: 0).bytes)
      let replay = try network.transfer(11, from: network.authority, to: alice.account, sequence: 0)
      #expect(refusal { _ = try node.submit(replay.bytes) } == "stale_sequence")
    }
  }

  @Test func aSequenceAheadLeavesAGap() throws {
    let network = try TestNetwork()
    try network.run { node in
      let early = try network.transfer(10, from: network.authority, to: alice.account, sequence: 1)
      #expect(refusal { _ = try node.submit(early.bytes) } == "sequence_gap")
      #expect(node.store.head.header.height == .genesis)
    }
  }

  @Test func aTransactionOfAnotherChainIsRefused() throws {
    let other = try TestNetwork(network: "other")
    let network = try TestNetwork()
    try network.run { node in
      let foreign = try other.transfer(10, from: network.authority, to: alice.account, sequence: 0)
      #expect(refusal { _ = try node.submit(foreign.bytes) } == "wrong_chain")
    }
  }

  @Test func aBadSignatureIsRefused() throws {
    let network = try TestNetwork()
    try network.run { node in
      var bytes = try network.transfer(10, from: network.authority, to: alice.account, sequence: 0).bytes
      bytes[bytes.count - 1] ^= 1
      #expect(refusal { _ = try node.submit(bytes) } == "bad_signature")
    }
  }

  @Test func anExpiredTransactionIsRefusedAndATooLongOneToo() throws {
    let network = try TestNetwork()
    try network.run { node in
      _ = try node.submit(try network.transfer(1, from: network.authority, to: alice.account, sequence: 0).bytes)
      let last = try network.transfer(1, from: network.authority, to: alice.account, sequence: 1, validUntil: 2)
      _ = try node.submit(last.bytes)
      let late = try network.transfer(1, from: network.authority, to: alice.account, sequence: 2, validUntil: 2)
      #expect(refusal { _ = try node.submit(late.bytes) } == "expired")
      let long = try network.transfer(1, from: network.authority, to: alice.account, sequence: 2, validUntil: 99_999)
      #expect(refusal { _ = try node.submit(long.bytes) } == "validity_too_long")
    }
  }

  @Test func anOverdraftIsRecordedAndUsesTheSequence() throws {
    let network = try TestNetwork()
    try network.run { node in
      let receipt = try node.submit(try network.transfer(1, from: alice, to: bob.account, sequence: 0).bytes)
      #expect(receipt.outcome.code == "insufficient_funds" && receipt.outcome.status == 9)
      #expect(try node.accountView(alice.account).sequence == 1)
      #expect(try node.accountView(bob.account).balance == 0)
    }
  }

  @Test func wrongTransferArgumentsAreRecordedAsInvalid() throws {
    let network = try TestNetwork()
    try network.run { node in
      let me = network.authority
      var codes: [String] = []
      codes.append(try node.submit(try network.call(BuiltIn.transfer, [1], by: me, sequence: 0).bytes).outcome.code)
      codes.append(
        try node.submit(try network.transfer(0, from: me, to: bob.account, sequence: 1).bytes).outcome.code)
      codes.append(try node.submit(try network.transfer(1, from: me, to: me.account, sequence: 2).bytes).outcome.code)
      codes.append(
        try node.submit(try network.transfer(.max, from: me, to: bob.account, sequence: 3).bytes).outcome.code)
      #expect(codes == ["invalid_arguments", "zero_amount", "same_account", "insufficient_funds"])
    }
  }

  @Test func onlyTransitionsThatExistCanBeInATransaction() throws {
    let network = try TestNetwork()
    try network.run { node in
      let read = try network.call("layer.read", by: alice, sequence: 0)
      #expect(refusal { _ = try node.submit(read.bytes) } == "not_a_transition")
      let missing = try network.call("nobody.here", by: alice, sequence: 0)
      #expect(refusal { _ = try node.submit(missing.bytes) } == "unknown_method")
      #expect(try node.accountView(alice.account).sequence == 0)
    }
  }

  @Test func lanesHaveSequencesOfTheirOwn() throws {
    let network = try TestNetwork(["layer.nothing": { _, _ in [] }])
    try network.run { node in
      for lane: UInt32 in [0, 1, 2] {
        for sequence: UInt64 in [0, 1] {
          _ = try node.submit(
            try network.call("layer.nothing", by: alice, sequence: sequence, lane: lane).bytes)
        }
      }
      let again = try network.call("layer.nothing", [1], by: alice, sequence: 1, lane: 2)
      #expect(refusal { _ = try node.submit(again.bytes) } == "stale_sequence")
    }
  }

  @Test func actSignsWithTheNodesKeyFromManyThreads() async throws {
    let network = try TestNetwork()
    defer { network.remove() }
    let node = try network.open()
    let target = alice.account
    try await withThrowingTaskGroup(of: UInt32.self) { group in
      for _ in 0..<8 {
        group.addTask {
          try node.act(BuiltIn.transfer, arguments: BuiltIn.transferArguments(to: target, Amount(1))).outcome.status
        }
      }
      for try await status in group { #expect(status == 0) }
    }
    #expect(try node.accountView(target).balance == 8)
    node.stop()
  }
}
