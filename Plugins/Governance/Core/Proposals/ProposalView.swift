import Canonical

/// A proposal as people read it: where it stands, what it would do, what comes next.
package struct ProposalView: Equatable, Sendable {
  package let id: ProposalID
  package let proposal: Proposal
  package let height: Height
  private let phase: Proposal.Phase

  package static let states = ["open", "failed", "timelocked", "executable", "executed", "expired"]

  init(_ id: ProposalID, _ proposal: Proposal, at height: Height) {
    self.id = id
    self.proposal = proposal
    self.height = height
    phase = proposal.phase(at: height)
  }

  /// One of `states`.
  package var state: String {
    switch phase {
    case .open: "open"
    case .failed: "failed"
    case .timelocked: "timelocked"
    case .executable: "executable"
    case .executed: "executed"
    case .expired: "expired"
    }
  }

  /// One sentence: what can be done, and until when.
  package var next: String {
    let motion = proposal.motion
    switch phase {
    case .open:
      return "Vote before block \(motion.closes), in \(height.blocks(until: motion.closes)) blocks: "
        + "`symbolon governance vote --proposal \(id) --choice yes|no|abstain`."
    case .failed:
      let quorum = Tally.quorum(motion.rules, eligible: proposal.eligible)
      let tally = proposal.tally
      return tally.cast < quorum
        ? "\(tally.cast) of \(proposal.eligible) voted and \(quorum) were needed."
        : "\(tally.yes) said yes, \(tally.no) no; more than \(motion.rules.thresholdMilli) ‰ yes were needed."
    case .timelocked(let until):
      return "It can be executed from block \(until), in \(height.blocks(until: until)) blocks."
    case .executable(let until):
      return "Anybody executes it until block \(until): `symbolon governance execute --proposal \(id)`."
    case .executed(let at): return "It took effect in block \(at)."
    case .expired(let at): return "Nobody executed it until block \(at): propose it again."
    }
  }

  /// How many blocks until the state changes by itself; nil when it does not.
  private var blocksLeft: UInt64? {
    switch phase {
    case .open: height.blocks(until: proposal.motion.closes)
    case .timelocked(let until), .executable(let until): height.blocks(until: until)
    case .failed, .executed, .expired: nil
    }
  }

  /// Everything, for `proposal`.
  package var json: StrictJSON {
    let motion = proposal.motion
    let tally = proposal.tally
    var members: [String: StrictJSON] = [
      "proposal": .string(id.description), "title": .string(motion.title),
      "proposer": .string(motion.proposer.description), "state": .string(state), "next": .string(next),
      "published": .integer(Int128(motion.published.value)), "closes": .integer(Int128(motion.closes.value)),
      "height": .integer(Int128(height.value)), "eligible": .integer(Int128(proposal.eligible)),
      "quorum": .integer(Int128(Tally.quorum(motion.rules, eligible: proposal.eligible))),
      "rules": motion.rules.json,
      "tally": .object([
        "yes": .integer(Int128(tally.yes)), "no": .integer(Int128(tally.no)),
        "abstain": .integer(Int128(tally.abstain)),
      ]),
      "actions": .array(motion.actions.map(Self.json)),
    ]
    if let blocksLeft { members["blocks_left"] = .integer(Int128(blocksLeft)) }
    if let settled = proposal.settled { members["decided"] = .integer(Int128(settled.value)) }
    if let executed = proposal.executed { members["executed"] = .integer(Int128(executed.value)) }
    return .object(members)
  }

  private static func json(_ action: Action) -> StrictJSON {
    let arguments = try? StrictJSON(action.arguments, limit: Action.argumentsLimit)
    return .object(["method": .string(action.method), "arguments": arguments ?? .null])
  }
}

/// A part of the list of proposals.
package struct ProposalPage: Sendable {
  package var entries: [ProposalView]
  /// Hand it back as `cursor` for the next part; empty when there is none.
  package var next: String

  package var json: StrictJSON { .object(["entries": .array(entries.map(\.json)), "next": .string(next)]) }

  /// The key behind which a page begins.
  static func key(_ cursor: String) throws(GovernanceError) -> [UInt8] {
    if cursor.isEmpty { return [] }
    let digits = cursor.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue.map(UInt8.init) }
    guard digits.count == cursor.utf8.count, digits.count == 18 else {
      throw GovernanceError(
        .invalidArgument, "invalid_cursor", "`cursor` is the `next` of the page before; leave it out to begin.")
    }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}
