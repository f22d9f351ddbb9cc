import GovernanceCore
import Testing

/// The outcomes that remain possible when each silent head may still say anything or stay away.
private func possible(_ tally: Tally, silent: UInt32, _ rules: Rules, eligible: UInt32) -> Set<Bool> {
  var outcomes: Set<Bool> = []
  for yes in 0...silent {
    for no in 0...(silent - yes) {
      for abstain in 0...(silent - yes - no) {
        let final = Tally(yes: tally.yes + yes, no: tally.no + no, abstain: tally.abstain + abstain)
        outcomes.insert(passes(final, rules, eligible: eligible))
      }
    }
  }
  return outcomes
}

/// The rule in other words than the code's: a second opinion.
private func passes(_ tally: Tally, _ rules: Rules, eligible: UInt32) -> Bool {
  let voted = Int(tally.yes + tally.no + tally.abstain)
  guard voted > 0, voted * 1000 >= Int(eligible) * Int(rules.quorumMilli) else { return false }
  return Int(tally.yes) * (1000 - Int(rules.thresholdMilli)) > Int(tally.no) * Int(rules.thresholdMilli)
}

@Test func aTallySettlesExactlyWhenNothingElseIsPossible() throws {
  let seed = UInt64.random(in: .min ... .max)
  print("tally seed \(seed)")
  var random = Seeded(state: seed)
  for _ in 0..<3_000 {
    let eligible = UInt32.random(in: 1...14, using: &random)
    let cast = UInt32.random(in: 0...eligible, using: &random)
    let yes = UInt32.random(in: 0...cast, using: &random)
    let no = UInt32.random(in: 0...(cast - yes), using: &random)
    let tally = Tally(yes: yes, no: no, abstain: cast - yes - no)
    let rules = try Rules(
      votingBlocks: 1, timelockBlocks: 0, graceBlocks: 10, quorumMilli: UInt32.random(in: 0...800, using: &random),
      thresholdMilli: UInt32.random(in: 500...800, using: &random))
    let outcomes = possible(tally, silent: eligible - cast, rules, eligible: eligible)
    let expected = outcomes.count == 1 ? outcomes.first : nil
    #expect(tally.settled(rules, eligible: eligible) == expected, "seed \(seed) \(tally) of \(eligible) \(rules)")
    #expect(tally.passes(rules, eligible: eligible) == passes(tally, rules, eligible: eligible), "seed \(seed)")
  }
}

@Test func anyOrderOfVotesAndChangesGivesTheCountOfLastVotes() throws {
  let seed = UInt64.random(in: .min ... .max)
  print("votes seed \(seed)")
  var random = Seeded(state: seed)
  for _ in 0..<60 {
    let heads = UInt8.random(in: 1...20, using: &random)
    let ledger = try MemoryLedger.withExperts(heads)
    let id = try ledger.propose(1)
    var last: [UInt8: Choice] = [:]
    for _ in 0..<40 {
      let voter = UInt8.random(in: 1...heads, using: &random)
      let choice = Choice.allCases.randomElement(using: &random) ?? .yes
      guard try ledger.state(of: id) == "open" else { break }
      try ledger.vote(voter, id, choice)
      last[voter] = choice
    }
    func count(_ choice: Choice) -> UInt32 { UInt32(last.values.filter { $0 == choice }.count) }
    let tally = try Proposals(ledger).show(id).proposal.tally
    #expect(tally == Tally(yes: count(.yes), no: count(.no), abstain: count(.abstain)), "seed \(seed)")
  }
}

@Test func anAbstentionCountsForTheQuorumOnly() throws {
  let rules = Rules.initial
  #expect(!Tally(yes: 1).passes(rules, eligible: 10))
  #expect(Tally(yes: 1, abstain: 3).passes(rules, eligible: 10))
  #expect(!Tally(yes: 2, no: 2).passes(rules, eligible: 10))
}
