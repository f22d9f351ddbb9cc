import Canonical

/// How nominations are decided; part of each nomination, so that a later change of rules does not touch it.
package struct Rules: Equatable, Sendable {
  /// A nomination takes reviews and votes for this many blocks.
  package let votingBlocks: UInt64
  /// Thousandths of the badge holders that must vote.
  package let quorumMilli: UInt32

  /// What holds until a proposal changes it.
  package static let initial = Rules(known: 200, 400)

  private init(known votingBlocks: UInt64, _ quorumMilli: UInt32) {
    self.votingBlocks = votingBlocks
    self.quorumMilli = quorumMilli
  }

  /// Rules under which a decision stays possible.
  package init(votingBlocks: UInt64, quorumMilli: UInt32) throws(DataError) {
    guard (1...1_000_000).contains(votingBlocks), quorumMilli <= 800 else {
      throw DataError(
        .invalidArgument, "invalid_rules",
        "`voting_blocks` is 1 to 1000000 and `quorum_milli` 0 to 800; \(votingBlocks) and \(quorumMilli) were given.")
    }
    self.init(known: votingBlocks, quorumMilli)
  }
}

extension Rules: Record {
  static var title: String { "The record of the rules" }

  init(from reader: inout CanonicalReader) throws {
    try self.init(votingBlocks: try reader.u64(), quorumMilli: try reader.u32())
  }

  func write(to writer: inout CanonicalWriter) {
    writer.u64(votingBlocks)
    writer.u32(quorumMilli)
  }
}
