import Canonical

/// Publishes, votes on and executes proposals.
package struct Proposals<State: LedgerState> {
  let state: State

  package init(_ state: State) { self.state = state }

  /// Publishes a proposal; a holder of the badge `expert` may.
  package func propose(title: String, actions json: String, host: some ActionHost) throws -> ProposalID {
    let proposer = try state.requireSender()
    guard try Badges(state).badge(.expert, of: proposer) != nil else {
      throw GovernanceError(
        .permissionDenied, "badge_required",
        "Only holders of the badge `expert` propose, and account \(proposer) does not: ask the genesis authority "
          + "for it (`symbolon governance badge_grant`).")
    }
    let actions = try Action.list(json: json)
    for action in actions { try host.check(action) }
    let motion = try Motion(
      proposer: proposer, title: title, actions: actions, rules: try Parameters(state).rules(),
      published: try state.height())
    let id = motion.id
    guard try state.get(Key.proposal(id)) == nil else {
      throw GovernanceError(
        .alreadyExists, "proposal_exists", "You published the same proposal in this block; its id is \(id).")
    }
    let eligible = UInt32(clamping: try Badges(state).heads(.expert))
    let proposal = Proposal(motion: motion, sequence: try state.nextSequence(), eligible: eligible)
    try state.put(proposal, at: Key.proposal(id))
    try state.put(Key.agenda(proposal.sequence), id.digest.bytes)
    try announce(id, "open")
    try state.wake(motion.closes + motion.rules.timelockBlocks)
    return id
  }

  /// Counts a vote, or replaces the one that the account gave before.
  package func vote(_ id: ProposalID, _ choice: Choice) throws {
    let voter = try state.requireSender()
    var proposal = try find(id)
    let height = try state.height()
    guard case .open = proposal.phase(at: height) else {
      let view = ProposalView(id, proposal, at: height)
      throw GovernanceError(
        .failedPrecondition, "voting_closed", "The vote on \(id) is over: the proposal is \(view.state). \(view.next)")
    }
    try requireVoter(voter, proposal)
    let key = Key.vote(on: id, by: voter)
    if let previous = try state.record(Vote.self, at: key) { proposal.tally.remove(previous.choice) }
    proposal.tally.add(choice)
    try state.put(Vote(choice: choice, height: height), at: key)
    if let passed = proposal.tally.settled(proposal.motion.rules, eligible: proposal.eligible) {
      proposal.settled = height
      try announce(id, passed ? "passed" : "failed")
      if passed { try state.wake(height + proposal.motion.rules.timelockBlocks) }
    }
    try state.put(proposal, at: Key.proposal(id))
  }

  /// Makes the calls of a proposal that passed and whose timelock is over; anybody may.
  ///
  /// Either all of them take effect or none: a failing one fails the transaction, and the proposal stays executable.
  package func execute(_ id: ProposalID, host: some ActionHost) throws {
    var proposal = try find(id)
    let height = try state.height()
    guard case .executable = proposal.phase(at: height) else {
      let view = ProposalView(id, proposal, at: height)
      throw GovernanceError(
        .failedPrecondition, "not_executable", "Proposal \(id) is \(view.state), not executable. \(view.next)")
    }
    guard proposal.motion.id == id else { throw GovernanceError.corrupt("The content of proposal \(id)") }
    // Before the calls, so that none of them can execute the proposal a second time.
    proposal.executed = height
    try state.put(proposal, at: Key.proposal(id))
    for action in proposal.motion.actions { try host.run(action) }
    try announce(id, "executed")
  }

  /// One proposal with everything that it would do.
  package func show(_ id: ProposalID) throws -> ProposalView {
    ProposalView(id, try find(id), at: try state.height())
  }

  /// Proposals, the newest first, in one state or in all.
  package func list(state wanted: String, cursor: String, limit: UInt32) throws -> ProposalPage {
    guard wanted.isEmpty || ProposalView.states.contains(wanted) else {
      throw GovernanceError(
        .invalidArgument, "invalid_state",
        "`state` is one of \(ProposalView.states.joined(separator: ", ")), or empty for all.")
    }
    var after = try ProposalPage.key(cursor)
    let height = try state.height()
    let limit = Int(min(max(limit, 1), 200))
    var page = ProposalPage(entries: [], next: "")
    var examined = 0
    while true {
      let batch = try state.range(prefix: Key.agenda, after: after, limit: limit)
      for entry in batch {
        after = entry.key
        examined += 1
        let id = try ProposalID(entry.value)
        let view = ProposalView(id, try find(id), at: height)
        if wanted.isEmpty || view.state == wanted { page.entries.append(view) }
        if page.entries.count == limit || examined >= 2000 {
          page.next = hexadecimal(after)
          return page
        }
      }
      if batch.count < limit { return page }
    }
  }

  /// How an account voted; nil when it did not.
  package func vote(of voter: AccountID, on id: ProposalID) throws -> Choice? {
    try state.record(Vote.self, at: Key.vote(on: id, by: voter))?.choice
  }

  private func find(_ id: ProposalID) throws -> Proposal {
    guard let proposal = try state.record(Proposal.self, at: Key.proposal(id)) else {
      throw GovernanceError(
        .notFound, "unknown_proposal", "There is no proposal \(id): list them with `symbolon governance proposals`.")
    }
    return proposal
  }

  /// The badge must have been held when the proposal was published, without a break.
  private func requireVoter(_ voter: AccountID, _ proposal: Proposal) throws {
    guard let badge = try Badges(state).badge(.expert, of: voter) else {
      throw GovernanceError(
        .permissionDenied, "badge_required",
        "Only holders of the badge `expert` vote, and account \(voter) does not hold it.")
    }
    guard badge.sequence < proposal.sequence else {
      throw GovernanceError(
        .permissionDenied, "badge_too_late",
        "Account \(voter) got the badge `expert` in block \(badge.height), after the proposal was published in block "
          + "\(proposal.motion.published): it votes on later proposals only.")
    }
  }

  private func announce(_ id: ProposalID, _ event: String) throws {
    try state.emit("governance.proposals", #"{"event":"\#(event)","proposal":"\#(id)"}"#)
  }
}
