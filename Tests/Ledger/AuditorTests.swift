import LedgerCore
import Testing

/// Random traffic against a second, tiny model of balances that shares no code with the ledger.
struct AuditorTests {
  /// What an account should have, by the rules in one screen.
  private struct Model {
    var balances: [Int: UInt64]
    var sequences: [Int: UInt64] = [:]

    /// Whether the ledger must take the transfer, and with which code it ends.
    mutating func transfer(_ from: Int, _ to: Int, _ amount: UInt64, sequence: UInt64) -> String {
      let next = sequences[from, default: 0]
      if sequence < next { return "stale_sequence" }
      if sequence > next { return "sequence_gap" }
      sequences[from] = next + 1
      if amount == 0 { return "zero_amount" }
      if from == to { return "same_account" }
      if balances[from, default: 0] < amount { return "insufficient_funds" }
      balances[from, default: 0] -= amount
      balances[to, default: 0] += amount
      return ""
    }
  }

  @Test(arguments: 0..<4) func balancesAreThoseOfAnIndependentModel(run: Int) throws {
    let seed = UInt64.random(in: 0...(.max))
    var generator = SeededGenerator(seed: seed)
    let keys = try (0..<6).map(TestNetwork.key)
    let network = try TestNetwork(supply: 10_000)
    var model = Model(balances: [0: 10_000])
    try network.run { node in
      var codes: Set<String> = []
      for _ in 0..<250 {
        let (from, to) = (Int.random(in: 0..<6, using: &generator), Int.random(in: 0..<6, using: &generator))
        let amounts = [0, 1, UInt64.random(in: 1...3000, using: &generator), model.balances[from, default: 0], .max]
        let amount = amounts[Int.random(in: 0..<5, using: &generator)]
        let next = model.sequences[from, default: 0]
        let slip = Int.random(in: 0..<12, using: &generator)
        let sequence = slip == 0 ? next + 1 : slip == 1 && next > 0 ? next - 1 : next
        let transaction = try network.transfer(
          amount, from: keys[from], to: keys[to].account, sequence: sequence, validUntil: 5000)
        let expected = model.transfer(from, to, amount, sequence: sequence)
        var code = ""
        do {
          code = try node.submit(transaction.bytes).outcome.code
        } catch let error as LedgerError {
          code = error.code
        }
        // A stale transaction that happens to repeat an earlier one, byte for byte, gets the earlier receipt.
        let isRepeat = try expected == "stale_sequence" && node.store.transaction(transaction.id) != nil
        #expect(code == expected || isRepeat, "seed \(seed)")
        codes.insert(expected)
      }
      for (index, key) in keys.enumerated() {
        #expect(try node.accountView(key.account).balance == model.balances[index, default: 0], "seed \(seed)")
        #expect(try node.accountView(key.account).sequence == model.sequences[index, default: 0], "seed \(seed)")
      }
      #expect(codes.count >= 5, "seed \(seed) reached only \(codes)")
      try node.store.audit()
      try node.store.verifyChain(from: .genesis)
    }
  }
}
