import Canonical

/// Which proposal: the hash of everything that it says.
package struct ProposalID: Hashable, Sendable, CustomStringConvertible {
  package let digest: Digest

  init(_ digest: Digest) { self.digest = digest }

  /// An id that a caller gave.
  package init(_ bytes: [UInt8]) throws(GovernanceError) {
    guard let digest = Digest(bytes: bytes) else {
      throw GovernanceError(
        .invalidArgument, "invalid_proposal",
        "`proposal` is an id, 64 hexadecimal digits: list them with `symbolon governance proposals`."
      )
    }
    self.digest = digest
  }

  package var description: String { digest.description }
}

/// What is proposed, by whom, and under which rules: the part that never changes and that the id names.
package struct Motion: Equatable, Sendable {
  package let proposer: AccountID
  package let title: String
  package let actions: [Action]
  package let rules: Rules
  /// The block in which it was published.
  package let published: Height

  /// A motion with a title that fits one line.
  package init(
    proposer: AccountID, title: String, actions: [Action], rules: Rules, published: Height
  ) throws(GovernanceError) {
    guard (1...200).contains(title.utf8.count),
      title.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
    else {
      throw GovernanceError(
        .invalidArgument, "invalid_title", "`title` is one line of 1 to 200 bytes that says what would change.")
    }
    self.proposer = proposer
    self.title = title
    self.actions = actions
    self.rules = rules
    self.published = published
  }

  /// SHA-256 of the domain tag and the canonical form.
  package var id: ProposalID {
    var writer = CanonicalWriter()
    writer.raw("symbolon/proposal/v1\0".utf8)
    write(to: &writer)
    return ProposalID(Digest(of: writer.bytes))
  }

  /// The first block in which votes are no longer taken.
  package var closes: Height { published + rules.votingBlocks }

  init(from reader: inout CanonicalReader) throws {
    proposer = try AccountID(try reader.raw(32), argument: "proposer")
    title = try reader.text(limit: 200)
    actions = try reader.list(limit: 16) { try Action(from: &$0) }
    rules = try Rules(from: &reader)
    published = Height(try reader.u64())
  }

  func write(to writer: inout CanonicalWriter) {
    writer.raw(proposer.bytes)
    writer.text(title)
    writer.list(actions) { $1.write(to: &$0) }
    rules.write(to: &writer)
    writer.u64(published.value)
  }
}

/// A motion and what has become of it.
package struct Proposal: Equatable, Sendable {
  package let motion: Motion
  /// Its place in the order of badges and proposals: only badges before it vote.
  package let sequence: Sequence
  /// How many held the badge at publication.
  package let eligible: UInt32
  package var tally = Tally()
  /// Set when the votes settled it before the voting period ended.
  package var settled: Height?
  package var executed: Height?

  package init(motion: Motion, sequence: Sequence, eligible: UInt32) {
    self.motion = motion
    self.sequence = sequence
    self.eligible = eligible
  }

  /// Where a proposal stands at a height; nothing is written when time passes, so no block has to.
  package enum Phase: Equatable, Sendable {
    case open
    case failed(at: Height)
    case timelocked(until: Height)
    case executable(until: Height)
    case executed(at: Height)
    case expired(at: Height)
  }

  package func phase(at height: Height) -> Phase {
    if let executed { return .executed(at: executed) }
    guard settled != nil || height >= motion.closes else { return .open }
    let decided = settled ?? motion.closes
    guard tally.passes(motion.rules, eligible: eligible) else { return .failed(at: decided) }
    let from = decided + motion.rules.timelockBlocks
    let until = from + motion.rules.graceBlocks
    if height < from { return .timelocked(until: from) }
    return height <= until ? .executable(until: until) : .expired(at: until)
  }
}

extension Proposal: Record {
  static var title: String { "The record of a proposal" }

  init(from reader: inout CanonicalReader) throws {
    motion = try Motion(from: &reader)
    sequence = Sequence(try reader.u64())
    eligible = try reader.u32()
    tally = Tally(yes: try reader.u32(), no: try reader.u32(), abstain: try reader.u32())
    settled = try reader.optional { Height(try $0.u64()) }
    executed = try reader.optional { Height(try $0.u64()) }
  }

  func write(to writer: inout CanonicalWriter) {
    motion.write(to: &writer)
    writer.u64(sequence.value)
    writer.u32(eligible)
    writer.u32(tally.yes)
    writer.u32(tally.no)
    writer.u32(tally.abstain)
    writer.optional(settled) { $0.u64($1.value) }
    writer.optional(executed) { $0.u64($1.value) }
  }
}

/// One account's vote, the last one it gave.
struct Vote: Record {
  static var title: String { "The record of a vote" }

  let choice: Choice
  let height: Height

  init(choice: Choice, height: Height) {
    self.choice = choice
    self.height = height
  }

  init(from reader: inout CanonicalReader) throws {
    guard let choice = Choice(rawValue: try reader.u8()) else { throw GovernanceError.corrupt(Self.title) }
    self.choice = choice
    height = Height(try reader.u64())
  }

  func write(to writer: inout CanonicalWriter) {
    writer.u8(choice.rawValue)
    writer.u64(height.value)
  }
}
