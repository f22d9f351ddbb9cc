import Canonical

/// Puts datasets forward, reviews them and votes on them.
package struct Curation<State: LedgerState> {
  let state: State

  package init(_ state: State) { self.state = state }

  /// Whoever holds one of these reviews and votes.
  package static var badges: [String] { ["data-expert", "expert"] }

  /// Puts a dataset forward; any account may.
  ///
  /// One whose vote lapsed may be put forward again.
  package func nominate(manifest json: String) throws -> DatasetID {
    let nominator = try state.requireSender()
    let manifest = try Manifest(json: json)
    let id = manifest.id
    let height = try state.height()
    let previous = try state.record(Nomination.self, at: Key.nomination(id))
    if let previous, previous.phase(at: height) != .lapsed {
      throw DataError(
        .alreadyExists, "dataset_exists",
        "This dataset is \(previous.phase(at: height)) already: `symbolon data show --dataset \(id)`. A new version "
          + "is a new manifest.")
    }
    let nomination = Nomination(
      nominator: nominator, height: height, sequence: try previous?.sequence ?? state.nextSequence(),
      round: (previous?.round ?? 0) + 1, eligible: try state.electorate(Self.badges) ?? 0, rules: try rules())
    try state.put(manifest, at: Key.manifest(id))
    try state.put(nomination, at: Key.nomination(id))
    try state.put(Key.catalogue(nomination.sequence), id.digest.bytes)
    try announce(id, "nominated")
    try state.wake(nomination.closes)
    return id
  }

  /// Records that the sender compared all files with the manifest; the authority and badge holders may.
  package func attest(_ id: DatasetID, report json: String) throws {
    let witness = try state.requireSender()
    var (nomination, height) = try open(id)
    if try state.authority() != witness { _ = try requireBadge(witness, to: "vouch for files") }
    let files = try Manifest(try state.get(Key.manifest(id)) ?? []).files.count
    let report: StrictJSON
    do {
      report = try StrictJSON(json, limit: Manifest.limit)
    } catch {
      throw DataError(.invalidArgument, "invalid_report", "`report` is what `symbolon data check` prints. \(error)")
    }
    let members = report.object ?? [:]
    guard members["dataset"]?.string == id.description else {
      throw DataError(
        .invalidArgument, "wrong_report",
        "The report is about another dataset than \(id): check this one with `symbolon data check`.")
    }
    guard members["files"]?.unsigned == UInt64(files), members["files_ok"]?.unsigned == UInt64(files) else {
      let found = members["files_ok"]?.unsigned.map(String.init) ?? "an unknown number"
      throw DataError(
        .failedPrecondition, "files_differ",
        "The report finds \(found) of \(files) files as the manifest says; only a complete dataset is vouched for.")
    }
    let key = Key.part(.attestation, of: id, round: nomination.round, by: witness)
    if try state.get(key) == nil { nomination.attestations += 1 }
    try state.put(Attestation(files: UInt32(files), height: height), at: key)
    try state.put(nomination, at: Key.nomination(id))
    try announce(id, "attested")
  }

  /// Records an expert's score and the hash of its written reasons; a later one replaces it.
  package func review(_ id: DatasetID, score: UInt32, textHash: [UInt8]) throws {
    let reviewer = try state.requireSender()
    let (nomination, height) = try open(id)
    _ = try requireBadge(reviewer, to: "review")
    guard score <= 100 else {
      throw DataError(.invalidArgument, "invalid_score", "`score` is 0 to 100; \(score) was given.")
    }
    guard let text = Digest(bytes: textHash) else {
      throw DataError(
        .invalidArgument, "invalid_text_hash",
        "`text_hash` is the SHA-256 of the written review: 64 hexadecimal digits, as `sha256sum` prints.")
    }
    let key = Key.part(.review, of: id, round: nomination.round, by: reviewer)
    try state.put(Review(score: score, text: text, height: height), at: key)
    try announce(id, "reviewed")
  }

  /// Counts a vote, or replaces the one that the account gave before.
  package func vote(_ id: DatasetID, _ choice: Choice) throws {
    let voter = try state.requireSender()
    var (nomination, height) = try open(id)
    let since = try requireBadge(voter, to: "vote")
    guard since <= nomination.height else {
      throw DataError(
        .permissionDenied, "badge_too_late",
        "Account \(voter) got its badge in block \(since), after the nomination in block \(nomination.height): it "
          + "votes on later nominations only.")
    }
    guard choice == .refuse || nomination.attestations > 0 else {
      throw DataError(
        .failedPrecondition, "not_checked",
        "Nobody has vouched yet for the files of \(id): check them with `symbolon data check`, "
          + "then `symbolon data attest`.")
    }
    let key = Key.part(.vote, of: id, round: nomination.round, by: voter)
    if let previous = try state.record(Vote.self, at: key) { nomination.tally.remove(previous.choice) }
    nomination.tally.add(choice)
    try state.put(Vote(choice), at: key)
    if nomination.tally.isSettled(nomination.rules, eligible: nomination.eligible) {
      nomination.settled = height
      try announce(id, nomination.phase(at: height).rawValue)
    }
    try state.put(nomination, at: Key.nomination(id))
  }

  /// Sets how later nominations are decided; only an executed proposal may.
  package func set(_ rules: Rules) throws {
    guard state.caller == "governance" else {
      throw DataError(
        .permissionDenied, "only_by_proposal",
        "`data.set_rules` is done only by an executed proposal: see `symbolon governance propose --help`.")
    }
    try state.put(rules, at: Key.rules)
  }

  /// How a nomination that is made now will be decided.
  package func rules() throws -> Rules { try state.record(Rules.self, at: Key.rules) ?? .initial }

  /// The nomination, while reviews and votes are taken.
  private func open(_ id: DatasetID) throws -> (Nomination, Height) {
    let nomination = try find(id)
    let height = try state.height()
    let phase = nomination.phase(at: height)
    guard phase == .nominated else {
      throw DataError(
        .failedPrecondition, "already_decided",
        "The dataset \(id) is \(phase.rawValue): it takes no more reviews and votes.")
    }
    return (nomination, height)
  }

  func find(_ id: DatasetID) throws -> Nomination {
    guard let nomination = try state.record(Nomination.self, at: Key.nomination(id)) else {
      throw DataError(.notFound, "unknown_dataset", "There is no dataset \(id): list them with `symbolon data list`.")
    }
    return nomination
  }

  private func requireBadge(_ account: AccountID, to what: String) throws -> Height {
    guard let since = try state.badgeHeld(by: account, anyOf: Self.badges) else {
      throw DataError(
        .permissionDenied, "badge_required",
        "Only holders of the badge `data-expert` or `expert` \(what), and account \(account) holds neither.")
    }
    return since
  }

  private func announce(_ id: DatasetID, _ event: String) throws {
    try state.emit("data.datasets", #"{"dataset":"\#(id)","event":"\#(event)"}"#)
  }
}
