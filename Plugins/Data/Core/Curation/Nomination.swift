import Canonical

/// What a voter says about a dataset.
package enum Choice: UInt8, CaseIterable, Sendable {
  case accept = 1
  case refuse = 2

  /// The word, and only the word.
  package init(_ text: String) throws(DataError) {
    switch text {
    case "accept": self = .accept
    case "refuse": self = .refuse
    default:
      throw DataError(
        .invalidArgument, "invalid_choice", "`choice` is accept or refuse; `\(text.prefix(40))` is neither.")
    }
  }
}

/// Heads by choice: one account, one head.
package struct Tally: Equatable, Sendable {
  package var accept: UInt32 = 0
  package var refuse: UInt32 = 0

  package init(accept: UInt32 = 0, refuse: UInt32 = 0) {
    self.accept = accept
    self.refuse = refuse
  }

  package var cast: UInt64 { UInt64(accept) + UInt64(refuse) }

  package mutating func add(_ choice: Choice) {
    if choice == .accept { accept += 1 } else { refuse += 1 }
  }

  package mutating func remove(_ choice: Choice) {
    if choice == .accept { accept -= accept > 0 ? 1 : 0 } else { refuse -= refuse > 0 ? 1 : 0 }
  }

  /// How many heads of `eligible` must vote: the share, rounded up, and at least one.
  package static func quorum(_ rules: Rules, eligible: UInt32) -> UInt64 {
    max(1, (UInt64(eligible) * UInt64(rules.quorumMilli) + 999) / 1000)
  }

  /// Accepted or refused by these votes, final as they are; nil below the quorum.
  ///
  /// A tie refuses.
  package func decision(_ rules: Rules, eligible: UInt32) -> Bool? {
    cast >= Self.quorum(rules, eligible: eligible) ? accept > refuse : nil
  }

  /// True as soon as those who have not voted can no longer change the decision.
  package func isSettled(_ rules: Rules, eligible: UInt32) -> Bool {
    guard let accepted = decision(rules, eligible: eligible) else { return false }
    let silent = cast >= UInt64(eligible) ? 0 : UInt64(eligible) - cast
    return accepted ? UInt64(accept) > UInt64(refuse) + silent : UInt64(accept) + silent <= UInt64(refuse)
  }
}

/// A dataset that was put forward, and what has become of it.
package struct Nomination: Equatable, Sendable {
  package let nominator: AccountID
  package let height: Height
  package let sequence: UInt64
  /// 1 for the first; a lapsed nomination may be put forward again.
  package let round: UInt32
  /// How many held a badge at nomination; 0 when the governance layer was not there.
  package let eligible: UInt32
  package let rules: Rules
  /// How many accounts vouch that the files are as the manifest says.
  package var attestations: UInt32 = 0
  package var tally = Tally()
  /// Set when the votes settled it before the end.
  package var settled: Height?

  package init(
    nominator: AccountID, height: Height, sequence: UInt64, round: UInt32, eligible: UInt32, rules: Rules
  ) {
    self.nominator = nominator
    self.height = height
    self.sequence = sequence
    self.round = round
    self.eligible = eligible
    self.rules = rules
  }

  /// The first block in which reviews and votes are no longer taken.
  package var closes: Height { height + rules.votingBlocks }

  /// Where a nomination stands; nothing is written when time passes, so no block has to.
  package enum Phase: String, CaseIterable, Sendable {
    case nominated, accepted, refused, lapsed
  }

  package func phase(at now: Height) -> Phase {
    guard settled != nil || now >= closes else { return .nominated }
    switch tally.decision(rules, eligible: eligible) {
    case true?: return .accepted
    case false?: return .refused
    case nil: return .lapsed
    }
  }
}

extension Nomination: Record {
  static var title: String { "The record of a nomination" }

  init(from reader: inout CanonicalReader) throws {
    nominator = try AccountID(try reader.raw(32))
    height = Height(try reader.u64())
    sequence = try reader.u64()
    round = try reader.u32()
    eligible = try reader.u32()
    rules = try Rules(from: &reader)
    attestations = try reader.u32()
    tally = Tally(accept: try reader.u32(), refuse: try reader.u32())
    settled = try reader.optional { Height(try $0.u64()) }
  }

  func write(to writer: inout CanonicalWriter) {
    writer.raw(nominator.bytes)
    writer.u64(height.value)
    writer.u64(sequence)
    writer.u32(round)
    writer.u32(eligible)
    rules.write(to: &writer)
    writer.u32(attestations)
    writer.u32(tally.accept)
    writer.u32(tally.refuse)
    writer.optional(settled) { $0.u64($1.value) }
  }
}

/// One account's vote, the last one it gave.
struct Vote: Record {
  static var title: String { "The record of a vote" }
  let choice: Choice

  init(_ choice: Choice) { self.choice = choice }

  init(from reader: inout CanonicalReader) throws {
    guard let choice = Choice(rawValue: try reader.u8()) else { throw DataError.corrupt(Self.title) }
    self.choice = choice
  }

  func write(to writer: inout CanonicalWriter) { writer.u8(choice.rawValue) }
}

/// One account's word that it compared the files with the manifest.
struct Attestation: Record {
  static var title: String { "The record of an attestation" }
  let files: UInt32
  let height: Height

  init(files: UInt32, height: Height) {
    self.files = files
    self.height = height
  }

  init(from reader: inout CanonicalReader) throws {
    files = try reader.u32()
    height = Height(try reader.u64())
  }

  func write(to writer: inout CanonicalWriter) {
    writer.u32(files)
    writer.u64(height.value)
  }
}

/// One expert's opinion; its text is kept elsewhere and named by its hash.
struct Review: Record {
  static var title: String { "The record of a review" }
  let score: UInt32
  let text: Digest
  let height: Height

  init(score: UInt32, text: Digest, height: Height) {
    self.score = score
    self.text = text
    self.height = height
  }

  init(from reader: inout CanonicalReader) throws {
    score = try reader.u32()
    guard let text = Digest(bytes: try reader.raw(32)) else { throw DataError.corrupt(Self.title) }
    self.text = text
    height = Height(try reader.u64())
  }

  func write(to writer: inout CanonicalWriter) {
    writer.u32(score)
    writer.raw(text.bytes)
    writer.u64(height.value)
  }
}
