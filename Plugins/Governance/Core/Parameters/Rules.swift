import Canonical

/// How proposals are decided; part of each proposal, so that a later change of rules does not touch it.
package struct Rules: Equatable, Sendable {
  /// A proposal takes votes for this many blocks.
  package let votingBlocks: UInt64
  /// This many blocks lie between decision and execution, so that people see what comes.
  package let timelockBlocks: UInt64
  /// Afterwards it may be executed for this many blocks.
  package let graceBlocks: UInt64
  /// Thousandths of the badge holders that must vote, abstentions included.
  package let quorumMilli: UInt32
  /// Yes must be more than this many thousandths of yes and no.
  package let thresholdMilli: UInt32

  /// What holds until the rules are changed by a proposal.
  package static let initial = Rules(known: 100, 2, 10_000, 400, 500)

  private init(known voting: UInt64, _ timelock: UInt64, _ grace: UInt64, _ quorum: UInt32, _ threshold: UInt32) {
    votingBlocks = voting
    timelockBlocks = timelock
    graceBlocks = grace
    quorumMilli = quorum
    thresholdMilli = threshold
  }

  /// Rules within bounds under which the holders can always decide again: nobody locks themselves out.
  package init(
    votingBlocks: UInt64, timelockBlocks: UInt64, graceBlocks: UInt64, quorumMilli: UInt32, thresholdMilli: UInt32
  ) throws(GovernanceError) {
    func check(_ name: String, _ value: UInt64, _ bounds: ClosedRange<UInt64>) throws(GovernanceError) {
      guard bounds.contains(value) else {
        throw GovernanceError(
          .invalidArgument, "invalid_rules",
          "`\(name)` is \(bounds.lowerBound) to \(bounds.upperBound); \(value) was given.")
      }
    }
    try check("voting_blocks", votingBlocks, 1...1_000_000)
    try check("timelock_blocks", timelockBlocks, 0...1_000_000)
    try check("grace_blocks", graceBlocks, 10...1_000_000)
    try check("quorum_milli", UInt64(quorumMilli), 0...800)
    try check("threshold_milli", UInt64(thresholdMilli), 500...800)
    self.init(known: votingBlocks, timelockBlocks, graceBlocks, quorumMilli, thresholdMilli)
  }

  /// As event payloads and people read them.
  package var json: StrictJSON {
    .object([
      "voting_blocks": .integer(Int128(votingBlocks)), "timelock_blocks": .integer(Int128(timelockBlocks)),
      "grace_blocks": .integer(Int128(graceBlocks)), "quorum_milli": .integer(Int128(quorumMilli)),
      "threshold_milli": .integer(Int128(thresholdMilli)),
    ])
  }
}

extension Rules: Record {
  static var title: String { "The record of the rules" }

  init(from reader: inout CanonicalReader) throws {
    try self.init(
      votingBlocks: try reader.u64(), timelockBlocks: try reader.u64(), graceBlocks: try reader.u64(),
      quorumMilli: try reader.u32(), thresholdMilli: try reader.u32())
  }

  func write(to writer: inout CanonicalWriter) {
    writer.u64(votingBlocks)
    writer.u64(timelockBlocks)
    writer.u64(graceBlocks)
    writer.u32(quorumMilli)
    writer.u32(thresholdMilli)
  }
}
