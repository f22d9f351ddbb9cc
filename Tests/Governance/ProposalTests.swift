import Canonical
import GovernanceCore
import Testing

@Test func aProposalPassesIsHeldBackAndTakesEffect() throws {
  let ledger = try MemoryLedger.withExperts(3)
  let id = try ledger.propose(1)
  #expect(try ledger.state(of: id) == "open")
  try ledger.vote(1, id, .yes)
  #expect(try ledger.state(of: id) == "open")
  ledger.now = 11
  try ledger.vote(2, id, .yes)
  #expect(try ledger.state(of: id) == "timelocked")
  #expect(code { try ledger.execute(id) } == "not_executable")
  ledger.now = 12
  #expect(code { try ledger.execute(id) } == "not_executable")
  #expect(ledger.noted == nil)
  ledger.now = 13
  #expect(try ledger.state(of: id) == "executable")
  try ledger.execute(id)
  #expect(ledger.noted == #"{"a":1,"b":2}"#)
  #expect(try ledger.state(of: id) == "executed")
  #expect(code { try ledger.execute(id) } == "not_executable")
  #expect(ledger.wakes.contains(Height(13)))
}

@Test func anOutsiderNeitherProposesNorVotes() throws {
  let ledger = try MemoryLedger.withExperts(2)
  #expect(code { _ = try ledger.propose(9) } == "badge_required")
  let id = try ledger.propose(1)
  #expect(code { try ledger.vote(9, id, .yes) } == "badge_required")
}

@Test func aBadgeGivenAfterPublicationDoesNotVote() throws {
  let ledger = try MemoryLedger.withExperts(2)
  let id = try ledger.propose(1)
  // In the very same block: the order of transactions counts, not the height.
  try ledger.transact(ledger.root) { try Badges(ledger).grant(.expert, to: account(7)) }
  #expect(code { try ledger.vote(7, id, .yes) } == "badge_too_late")
  #expect(code { try ledger.vote(7, try ledger.propose(7), .yes) } == nil)
}

@Test func aBadgeRevokedAndGivenBackDoesNotVoteOnAnOlderProposal() throws {
  let ledger = try MemoryLedger.withExperts(2)
  let id = try ledger.propose(1)
  try ledger.transact(ledger.root) { try Badges(ledger).revoke(.expert, from: account(2)) }
  #expect(code { try ledger.vote(2, id, .no) } == "badge_required")
  try ledger.transact(ledger.root) { try Badges(ledger).grant(.expert, to: account(2)) }
  #expect(code { try ledger.vote(2, id, .no) } == "badge_too_late")
}

@Test func aSecondVoteReplacesTheFirst() throws {
  let ledger = try MemoryLedger.withExperts(5)
  let id = try ledger.propose(1)
  try ledger.vote(1, id, .no)
  try ledger.vote(1, id, .abstain)
  try ledger.vote(1, id, .yes)
  #expect(try Proposals(ledger).show(id).proposal.tally == Tally(yes: 1))
  #expect(try Proposals(ledger).vote(of: account(1), on: id) == .yes)
}

@Test func theVoteEndsAtItsHeight() throws {
  let ledger = try MemoryLedger.withExperts(3)
  let id = try ledger.propose(1)
  try ledger.vote(1, id, .yes)
  ledger.now = 109
  #expect(try ledger.state(of: id) == "open")
  ledger.now = 110
  #expect(try ledger.state(of: id) == "failed")
  #expect(code { try ledger.vote(2, id, .yes) } == "voting_closed")
}

@Test func withAQuorumTheEndOfTheVoteDecides() throws {
  let ledger = try MemoryLedger.withExperts(5)
  let id = try ledger.propose(1)
  try ledger.vote(1, id, .yes)
  try ledger.vote(2, id, .yes)
  ledger.now = 111
  #expect(try ledger.state(of: id) == "timelocked")
  ledger.now = 112
  try ledger.execute(id)
  #expect(ledger.noted != nil)
}

@Test func nobodyExecutesAfterTheGracePeriod() throws {
  let ledger = try MemoryLedger.withExperts(1)
  let id = try ledger.propose(1)
  try ledger.vote(1, id, .yes)
  ledger.now = 10 + 2 + 10_000
  #expect(try ledger.state(of: id) == "executable")
  ledger.now += 1
  #expect(try ledger.state(of: id) == "expired")
  #expect(code { try ledger.execute(id) } == "not_executable")
}

@Test func aFailingActionLeavesNoEffect() throws {
  let ledger = try MemoryLedger.withExperts(1)
  let id = try ledger.propose(1, "Half", #"[{"method":"test.note"},{"method":"test.fail","arguments":{}}]"#)
  try ledger.vote(1, id, .yes)
  ledger.now = 12
  let before = ledger.entries
  #expect(code { try ledger.execute(id) } == "test_failure")
  #expect(ledger.entries == before)
  #expect(try ledger.state(of: id) == "executable")
}

@Test func anActionCannotExecuteItsOwnProposalAgain() throws {
  let ledger = try MemoryLedger.withExperts(1)
  var runs = 0
  var own: ProposalID?
  ledger.methods["test.again"] = { ledger, _ in
    runs += 1
    if let own { try Proposals(ledger).execute(own, host: ledger) }
  }
  let id = try ledger.propose(1, "Again", #"[{"method":"test.again"}]"#)
  own = id
  try ledger.vote(1, id, .yes)
  ledger.now = 12
  #expect(code { try ledger.execute(id) } == "not_executable")
  #expect(runs == 1)
}

@Test func theIdNamesEverythingThatIsProposed() throws {
  let actions = try Action.list(json: MemoryLedger.note)
  func id(
    _ proposer: UInt8, _ title: String, _ actions: [Action], _ rules: Rules = .initial, _ height: UInt64 = 5
  ) throws -> ProposalID {
    try Motion(proposer: account(proposer), title: title, actions: actions, rules: rules, published: Height(height)).id
  }
  let changed = try Action.list(json: #"[{"method":"test.note","arguments":{"b":2,"a":2}}]"#)
  let rules = try Rules(votingBlocks: 1, timelockBlocks: 2, graceBlocks: 10, quorumMilli: 400, thresholdMilli: 500)
  let ids = [
    try id(1, "t", actions), try id(2, "t", actions), try id(1, "u", actions), try id(1, "t", changed),
    try id(1, "t", actions + actions),
    try id(1, "t", actions, rules), try id(1, "t", actions, .initial, 6),
  ]
  #expect(Set(ids).count == ids.count)
  // Computed with Python's hashlib and struct: the canonical form may not change.
  #expect(ids[0].description == "1ead84d87062e83faa6415d0164d03bf25d9a16a2c762c291397900dae126e1c")
}

@Test func whitespaceAndKeyOrderDoNotChangeTheId() throws {
  let spaced = try Action.list(json: "[ { \"arguments\" : { \"a\" : 1, \"b\" : 2 } , \"method\" : \"test.note\" } ]")
  #expect(spaced == (try Action.list(json: MemoryLedger.note)))
}

@Test(arguments: [
  "", "{}", "[]", "[1]", #"[{"method":1}]"#, #"[{"method":"note"}]"#, #"[{"method":"a.b","arguments":[]}]"#,
  #"[{"method":"a.b","argument":{}}]"#, #"[{"method":"a.b","arguments":{"x":1.5}}]"#, #"[{"method":"A.b"}]"#,
  #"[{"method":"governance.vote"}]"#, "[" + String(repeating: #"{"method":"a.b"},"#, count: 16) + #"{"method":"a.b"}]"#,
  #"[{"method":"a.b","arguments":{"x":""# + String(repeating: "x", count: 9000) + #""}}]"#,
])
func malformedActionsAreRefused(_ json: String) {
  #expect(["invalid_action", "invalid_actions"].contains(code { _ = try Action.list(json: json) }))
}

@Test func anActionThatNobodyOffersIsRefusedAtOnce() throws {
  let ledger = try MemoryLedger.withExperts(1)
  #expect(code { _ = try ledger.propose(1, "t", #"[{"method":"nobody.here"}]"#) } == "unknown_method")
  #expect(try Proposals(ledger).list(state: "", cursor: "", limit: 10).entries.isEmpty)
}

@Test(arguments: ["", "two\nlines", String(repeating: "x", count: 201)])
func anOddTitleIsRefused(_ title: String) throws {
  let ledger = try MemoryLedger.withExperts(1)
  #expect(code { _ = try ledger.propose(1, title) } == "invalid_title")
}

@Test func theListShowsTheNewestFirstInPages() throws {
  let ledger = try MemoryLedger.withExperts(3)
  let ids = try (1...7).map { try ledger.propose(1, "Number \($0)") }
  try ledger.vote(1, ids[2], .no)
  try ledger.vote(2, ids[2], .no)
  var seen: [ProposalID] = []
  var cursor = ""
  repeat {
    let page = try Proposals(ledger).list(state: "", cursor: cursor, limit: 3)
    seen += page.entries.map(\.id)
    cursor = page.next
  } while !cursor.isEmpty
  #expect(seen == ids.reversed())
  #expect(try Proposals(ledger).list(state: "failed", cursor: "", limit: 3).entries.map(\.id) == [ids[2]])
  #expect(code { _ = try Proposals(ledger).list(state: "lost", cursor: "", limit: 3) } == "invalid_state")
  #expect(code { _ = try Proposals(ledger).list(state: "", cursor: "zz", limit: 3) } == "invalid_cursor")
}

@Test func aViewIsJSONThatSaysWhatComesNext() throws {
  let ledger = try MemoryLedger.withExperts(3)
  let id = try ledger.propose(1)
  let json = try Proposals(ledger).show(id).json
  let members = try #require(try StrictJSON(json.text, limit: 1 << 20).object)
  #expect(members["state"]?.string == "open")
  #expect(members["blocks_left"]?.unsigned == 100)
  #expect(members["quorum"]?.unsigned == 2)
  #expect(members["next"]?.string?.contains("symbolon governance vote --proposal \(id)") == true)
  #expect(members["actions"]?.array?.first?.object?["arguments"] == .object(["a": .integer(1), "b": .integer(2)]))
}
