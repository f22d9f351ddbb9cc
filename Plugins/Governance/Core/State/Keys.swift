import Canonical

/// Where things lie in the layer's namespace; the first byte tells kinds apart.
enum Key {
  /// The last `Sequence` given out.
  static let sequence = Array("s".utf8)
  static let rules = Array("r".utf8)
  static let inferenceDefaults = Array("i".utf8)

  static func badges(of holder: AccountID) -> [UInt8] { [UInt8(ascii: "b")] + holder.bytes }

  static func badge(_ name: BadgeName, of holder: AccountID) -> [UInt8] { badges(of: holder) + Array(name.text.utf8) }

  /// All who hold a badge: the index from which an electorate is counted.
  static func holders(of name: BadgeName) -> [UInt8] {
    var writer = CanonicalWriter()
    writer.u8(UInt8(ascii: "h"))
    writer.name(name.text)
    return writer.bytes
  }

  static func holder(_ holder: AccountID, of name: BadgeName) -> [UInt8] { holders(of: name) + holder.bytes }

  static func heads(of name: BadgeName) -> [UInt8] { [UInt8(ascii: "c")] + Array(name.text.utf8) }

  static func proposal(_ id: ProposalID) -> [UInt8] { [UInt8(ascii: "p")] + id.digest.bytes }

  static let agenda = Array("n".utf8)

  /// Proposals by publication, the newest first.
  static func agenda(_ sequence: Sequence) -> [UInt8] {
    var writer = CanonicalWriter()
    writer.raw(agenda)
    writer.u64(.max - sequence.value)
    return writer.bytes
  }

  static func votes(on id: ProposalID) -> [UInt8] { [UInt8(ascii: "v")] + id.digest.bytes }

  static func vote(on id: ProposalID, by voter: AccountID) -> [UInt8] { votes(on: id) + voter.bytes }
}
