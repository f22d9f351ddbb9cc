import Canonical
import DataCore
import Testing

@Test func aDatasetIsNominatedCheckedReviewedAndAccepted() throws {
  let ledger = MemoryLedger(experts: 3)
  let id = try ledger.nominate()
  #expect(try ledger.state(of: id) == "nominated")
  try ledger.attest(1, id)
  for (number, score) in [(1, 80), (2, 91), (3, 40)] as [(UInt8, UInt32)] { try ledger.review(number, id, score) }
  try ledger.vote(1, id, .accept)
  #expect(try ledger.state(of: id) == "nominated")
  try ledger.vote(2, id, .accept)
  #expect(try ledger.state(of: id) == "accepted")
  #expect(code { try ledger.vote(3, id, .refuse) } == "already_decided")
  let view = try #require(try Curation(ledger).show(id).object)
  #expect(view["reviews"]?.object?["median"]?.unsigned == 80)
  #expect(view["checked_by"]?.array == [.string(account(1).description)])
  #expect(view["manifest"]?.object?["licence"]?.string == "CC-BY-4.0")
}

@Test func outsidersNeitherVouchReviewNorVote() throws {
  let ledger = MemoryLedger(experts: 1)
  let id = try ledger.nominate()
  #expect(code { try ledger.attest(9, id) } == "badge_required")
  #expect(code { try ledger.review(9, id, 1) } == "badge_required")
  #expect(code { try ledger.vote(9, id, .refuse) } == "badge_required")
}

@Test func withoutGovernanceAVoteIsRefusedWithASentence() throws {
  let ledger = MemoryLedger()
  ledger.experts = nil
  let id = try ledger.nominate()
  #expect(code { try ledger.vote(1, id, .refuse) } == "no_governance")
  #expect(code { try ledger.review(1, id, 1) } == "no_governance")
  #expect(code { try ledger.attest(0, id) } == nil, "the authority needs no badge")
}

@Test func aBadgeGivenAfterTheNominationDoesNotVote() throws {
  let ledger = MemoryLedger(experts: 1)
  let id = try ledger.nominate()
  ledger.experts?[account(7)] = Height(11)
  ledger.now = 12
  #expect(code { try ledger.vote(7, id, .refuse) } == "badge_too_late")
  #expect(code { try ledger.review(7, id, 50) } == nil)
}

@Test func nothingIsAcceptedBeforeSomebodyVouchedForItsFiles() throws {
  let ledger = MemoryLedger(experts: 1)
  let id = try ledger.nominate()
  #expect(code { try ledger.vote(1, id, .accept) } == "not_checked")
  #expect(code { try ledger.vote(1, id, .refuse) } == nil)
  #expect(try ledger.state(of: id) == "refused")
}

@Test func anAttestationOfDifferingFilesIsRefused() throws {
  let ledger = MemoryLedger(experts: 1)
  let id = try ledger.nominate()
  #expect(code { try ledger.attest(1, id, #"{"dataset":"\#(id)","files":1,"files_ok":0}"#) } == "files_differ")
  #expect(code { try ledger.attest(1, id, #"{"dataset":"\#(id)","files":2,"files_ok":2}"#) } == "files_differ")
  #expect(code { try ledger.attest(1, id, #"{"dataset":"00","files":1,"files_ok":1}"#) } == "wrong_report")
  #expect(code { try ledger.attest(1, id, "[]") } == "wrong_report")
  #expect(code { try ledger.attest(1, id, "{") } == "invalid_report")
}

@Test func anAccountVouchesVotesAndReviewsOnce() throws {
  let ledger = MemoryLedger(experts: 5)
  let id = try ledger.nominate()
  try ledger.attest(1, id)
  try ledger.attest(1, id)
  try ledger.vote(1, id, .accept)
  try ledger.vote(1, id, .refuse)
  try ledger.review(1, id, 10)
  try ledger.review(1, id, 20)
  let view = try #require(try Curation(ledger).show(id).object)
  #expect(view["attestations"]?.unsigned == 1)
  #expect(view["tally"] == .object(["accept": .integer(0), "refuse": .integer(1)]))
  #expect(view["reviews"]?.object?["count"]?.unsigned == 1 && view["reviews"]?.object?["median"]?.unsigned == 20)
}

@Test func aNominationThatTooFewVotedOnLapsesAndMayComeAgain() throws {
  let ledger = MemoryLedger(experts: 5)
  let id = try ledger.nominate()
  try ledger.vote(1, id, .refuse)
  #expect(code { _ = try ledger.nominate() } == "dataset_exists")
  ledger.now = 210
  #expect(try ledger.state(of: id) == "lapsed")
  #expect(try ledger.nominate() == id)
  #expect(try ledger.state(of: id) == "nominated")
  let view = try #require(try Curation(ledger).show(id).object)
  #expect(view["tally"] == .object(["accept": .integer(0), "refuse": .integer(0)]))
  #expect(try Curation(ledger).list(state: "", cursor: "", limit: 9).object?["entries"]?.array?.count == 1)
}

@Test func withAQuorumTheEndDecidesAndATieRefuses() throws {
  let ledger = MemoryLedger(experts: 5)
  let accepted = try ledger.nominate()
  try ledger.attest(0, accepted)
  try ledger.vote(1, accepted, .accept)
  try ledger.vote(2, accepted, .accept)
  let tied = try ledger.nominate(50, manifest(name: "Tied"))
  try ledger.attest(0, tied)
  try ledger.vote(1, tied, .accept)
  try ledger.vote(2, tied, .refuse)
  #expect(try ledger.state(of: accepted) == "nominated")
  ledger.now = 210
  #expect(try ledger.state(of: accepted) == "accepted")
  #expect(try ledger.state(of: tied) == "refused")
}

@Test func aTallySettlesExactlyWhenNoSilentHeadCanChangeIt() throws {
  for eligible in 1...9 as ClosedRange<UInt32> {
    for accept in 0...eligible {
      for refuse in 0...(eligible - accept) {
        for quorumMilli in [0, 334, 400, 501, 800] as [UInt32] {
          let rules = try Rules(votingBlocks: 1, quorumMilli: quorumMilli)
          let silent = eligible - accept - refuse
          var outcomes: Set<Bool?> = []
          for more in 0...silent {
            for less in 0...(silent - more) {
              let tally = Tally(accept: accept + more, refuse: refuse + less)
              let reached = tally.cast > 0 && tally.cast * 1000 >= UInt64(eligible) * UInt64(quorumMilli)
              outcomes.insert(reached ? tally.accept > tally.refuse : nil)
            }
          }
          let settled = Tally(accept: accept, refuse: refuse).isSettled(rules, eligible: eligible)
          #expect(settled == (outcomes.count == 1), "\(accept) \(refuse) of \(eligible), quorum \(quorumMilli)")
        }
      }
    }
  }
}

@Test func onlyAnExecutedProposalSetsRules() throws {
  let ledger = MemoryLedger()
  #expect(code { try ledger.transact(ledger.root) { try Curation(ledger).set(.initial) } } == "only_by_proposal")
  let rules = try Rules(votingBlocks: 5, quorumMilli: 100)
  try ledger.transact(nil, caller: "governance") { try Curation(ledger).set(rules) }
  #expect(try Curation(ledger).rules() == rules)
}

@Test func scoresAndHashesOutOfBoundsAreRefused() throws {
  let ledger = MemoryLedger(experts: 1)
  let id = try ledger.nominate()
  #expect(code { try ledger.review(1, id, 101) } == "invalid_score")
  let short = [UInt8](repeating: 0, count: 31)
  #expect(
    code { try ledger.transact(account(1)) { try Curation(ledger).review(id, score: 1, textHash: short) } }
      == "invalid_text_hash")
}

@Test func theListShowsTheNewestFirstInPages() throws {
  let ledger = MemoryLedger(experts: 1)
  let ids = try (1...5).map { try ledger.nominate(50, manifest(name: "Number \($0)")) }
  try ledger.vote(1, ids[1], .refuse)
  var seen: [String] = []
  var cursor = ""
  repeat {
    let page = try #require(try Curation(ledger).list(state: "", cursor: cursor, limit: 2).object)
    seen += page["entries"]?.array?.compactMap { $0.object?["dataset"]?.string } ?? []
    cursor = page["next"]?.string ?? ""
  } while !cursor.isEmpty
  #expect(seen == ids.reversed().map(\.description))
  let refused = try Curation(ledger).list(state: "refused", cursor: "", limit: 2).object?["entries"]?.array
  #expect(refused?.first?.object?["dataset"]?.string == ids[1].description && refused?.count == 1)
  #expect(code { _ = try Curation(ledger).list(state: "x", cursor: "", limit: 2) } == "invalid_state")
  #expect(code { _ = try Curation(ledger).list(state: "", cursor: "é", limit: 2) } == "invalid_cursor")
}
