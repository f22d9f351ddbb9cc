import Canonical
import GovernanceCore
import Testing

@Test func onlyAnExecutedProposalSetsParametersAndRules() throws {
  let ledger = MemoryLedger()
  let values = try InferenceDefaults(temperatureMilli: 1, maxTokens: 1, systemPrompt: "")
  for caller in ["ledger", "application", "data", nil] as [String?] {
    #expect(
      code { try ledger.transact(ledger.root, caller: caller) { try Parameters(ledger).set(values) } }
        == "only_by_proposal")
    #expect(
      code { try ledger.transact(ledger.root, caller: caller) { try Parameters(ledger).set(Rules.initial) } }
        == "only_by_proposal")
  }
  #expect(ledger.entries.isEmpty)
}

@Test func aVoteChangesTheParametersInForce() throws {
  let ledger = try MemoryLedger.withExperts(1)
  let before = try Parameters(ledger).show()
  #expect(before == ParametersView(.initial, since: Height(0)))
  let id = try ledger.propose(1, "One word", #"[{"method":"governance.set_inference_defaults"}]"#)
  try ledger.vote(1, id, .yes)
  ledger.now = 12
  try ledger.execute(id)
  let after = try Parameters(ledger).show()
  #expect(after.system_prompt == "Answer in one word." && after.temperature == 0.1 && after.max_tokens == 64)
  #expect(after.height == 12 && after.hash != before.hash)
  #expect(ledger.events.contains { $0.topic == "governance.parameters" && $0.payload.contains(after.hash) })
}

@Test func theHashOfTheParametersDoesNotChange() throws {
  // SHA-256 of the domain tag, u32 temperature, u32 maximum, u32 length and text, computed with Python's hashlib.
  #expect(
    InferenceDefaults.initial.hash.description == "bf4c9e73b3f00e4d6ff099b4a6db1a1cd4211571b02685f368552cd237f80549")
  let other = try InferenceDefaults(temperatureMilli: 2000, maxTokens: 32768, systemPrompt: "Sei kurz. 简短。")
  #expect(other.hash.description == "3e045d0f8045a71db78c2bbf03e82c7468880d9cc78ba3d8bf406728dd689c11")
}

@Test func parametersOutOfBoundsAreRefused() {
  #expect(
    code { _ = try InferenceDefaults(temperatureMilli: 2001, maxTokens: 1, systemPrompt: "") } == "invalid_temperature")
  #expect(
    code { _ = try InferenceDefaults(temperatureMilli: 0, maxTokens: 0, systemPrompt: "") } == "invalid_max_tokens")
  #expect(
    code { _ = try InferenceDefaults(temperatureMilli: 0, maxTokens: 32769, systemPrompt: "") } == "invalid_max_tokens")
  let long = String(repeating: "é", count: 2049)
  #expect(
    code { _ = try InferenceDefaults(temperatureMilli: 0, maxTokens: 1, systemPrompt: long) }
      == "system_prompt_too_long")
}

@Test func rulesThatWouldLockEverybodyOutAreRefused() {
  func rules(_ voting: UInt64 = 1, _ grace: UInt64 = 10, _ quorum: UInt32 = 400, _ threshold: UInt32 = 500) throws {
    _ = try Rules(
      votingBlocks: voting, timelockBlocks: 0, graceBlocks: grace, quorumMilli: quorum, thresholdMilli: threshold)
  }
  #expect(code { try rules() } == nil)
  #expect(code { try rules(0) } == "invalid_rules")
  #expect(code { try rules(1, 9) } == "invalid_rules")
  #expect(code { try rules(1, 10, 801) } == "invalid_rules")
  #expect(code { try rules(1, 10, 400, 801) } == "invalid_rules")
  #expect(code { try rules(1, 10, 400, 499) } == "invalid_rules")
}

@Test func anOpenProposalKeepsTheRulesItWasPublishedUnder() throws {
  let ledger = try MemoryLedger.withExperts(3)
  let id = try ledger.propose(1)
  let short = try Rules(votingBlocks: 1, timelockBlocks: 0, graceBlocks: 10, quorumMilli: 400, thresholdMilli: 500)
  try ledger.transact(nil, caller: "governance") { try Parameters(ledger).set(short) }
  ledger.now = 20
  #expect(try ledger.state(of: id) == "open")
  let later = try ledger.propose(1, "Under the new rules")
  ledger.now = 21
  #expect(try ledger.state(of: later) == "failed")
}
