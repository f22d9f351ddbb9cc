import GovernanceCore
import Testing

@Test func onlyTheAuthorityGivesBadges() throws {
  let ledger = MemoryLedger()
  #expect(
    code { try ledger.transact(account(5)) { try Badges(ledger).grant(.expert, to: account(5)) } }
      == "not_the_authority")
  #expect(try Badges(ledger).badge(.expert, of: account(5)) == nil)
  try ledger.transact(ledger.root) { try Badges(ledger).grant(.expert, to: account(5)) }
  let badge = try Badges(ledger).badge(.expert, of: account(5))
  #expect(badge?.issuer == ledger.root)
  #expect(badge?.height == Height(1))
}

@Test func anExecutedProposalGivesBadges() throws {
  let ledger = MemoryLedger()
  try ledger.transact(nil, caller: "governance") { try Badges(ledger).grant(.expert, to: account(5)) }
  let badges = try Badges(ledger).list(of: account(5))
  #expect(badges.map(\.badge) == ["expert"] && badges.map(\.issuer) == ["governance"] && badges.map(\.height) == [1])
}

@Test func aCallWithoutASignatureGivesNoBadge() {
  let ledger = MemoryLedger()
  #expect(code { try ledger.transact(nil) { try Badges(ledger).grant(.expert, to: account(5)) } } == "no_sender")
}

@Test func aBadgeIsHeldOnceAndRevokedOnce() throws {
  let ledger = try MemoryLedger.withExperts(1)
  let badges = Badges(ledger)
  #expect(code { try ledger.transact(ledger.root) { try badges.grant(.expert, to: account(1)) } } == "badge_held")
  try ledger.transact(ledger.root) { try badges.revoke(.expert, from: account(1)) }
  #expect(try badges.heads(.expert) == 0)
  #expect(
    code { try ledger.transact(ledger.root) { try badges.revoke(.expert, from: account(1)) } } == "badge_not_held")
}

@Test func anElectorateCountsEachAccountOnce() throws {
  let ledger = try MemoryLedger.withExperts(3)
  let dataExpert = try BadgeName("data-expert")
  for number in [3, 4] as [UInt8] {
    try ledger.transact(ledger.root) { try Badges(ledger).grant(dataExpert, to: account(number)) }
  }
  #expect(try Badges(ledger).electorate([.expert]) == 3)
  #expect(try Badges(ledger).electorate([.expert, dataExpert]) == 4)
}

@Test func holdersOfABadgeAreNotHoldersOfALongerName() throws {
  let ledger = MemoryLedger()
  let (short, long) = (try BadgeName("a"), try BadgeName("ab"))
  try ledger.transact(ledger.root) { try Badges(ledger).grant(long, to: account(1)) }
  #expect(try Badges(ledger).electorate([short, try BadgeName("zz")]) == 0)
  #expect(try Badges(ledger).badge(short, of: account(1)) == nil)
}

@Test(arguments: ["", "Expert", "9a", "-a", "a b", "é", "a_b", String(repeating: "a", count: 33)])
func anOddBadgeNameIsRefused(_ name: String) {
  #expect(code { _ = try BadgeName(name) } == "invalid_badge")
}

@Test func anotherLayerCannotUseTheSignatureItWasGiven() throws {
  let ledger = try MemoryLedger.withExperts(1)
  let badges = Badges(ledger)
  #expect(
    code { try ledger.transact(ledger.root, caller: "stranger") { try badges.grant(.expert, to: account(9)) } }
      == "not_signed_for_this")
  let id = try ledger.propose(1)
  #expect(
    code { try ledger.transact(account(1), caller: "stranger") { try Proposals(ledger).vote(id, .yes) } }
      == "not_signed_for_this")
}
