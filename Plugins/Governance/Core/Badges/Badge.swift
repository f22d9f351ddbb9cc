import Canonical

/// The name of an expertise, for example `expert`.
package struct BadgeName: Hashable, Sendable, CustomStringConvertible {
  package let text: String

  /// The badge whose holders propose and vote.
  package static let expert = BadgeName(known: "expert")

  private init(known text: String) { self.text = text }

  /// Lowercase letters, digits and dashes, 1 to 32, a letter first.
  package init(_ text: String) throws(GovernanceError) {
    let bytes = Array(text.utf8)
    let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard (1...32).contains(bytes.count), let first = bytes.first, letters.contains(first),
      bytes.allSatisfy({ letters.contains($0) || digits.contains($0) || $0 == UInt8(ascii: "-") })
    else {
      throw GovernanceError(
        .invalidArgument, "invalid_badge",
        "A badge is named by 1 to 32 lowercase letters, digits and dashes, a letter first, for example `expert`.")
    }
    self.text = text
  }

  package var description: String { text }
}

/// A badge that somebody holds; it cannot be passed on.
package struct Badge: Equatable, Sendable {
  /// Who gave it; nil when an executed proposal did.
  package let issuer: AccountID?
  package let height: Height
  package let sequence: Sequence
}

extension Badge: Record {
  static var title: String { "The record of a badge" }

  init(from reader: inout CanonicalReader) throws {
    issuer = try reader.optional { try AccountID(try $0.raw(32), argument: "issuer") }
    height = Height(try reader.u64())
    sequence = Sequence(try reader.u64())
  }

  func write(to writer: inout CanonicalWriter) {
    writer.optional(issuer) { $0.raw($1.bytes) }
    writer.u64(height.value)
    writer.u64(sequence.value)
  }
}

/// A badge as people and programs read it.
package struct BadgeView: Codable, Equatable, Sendable {
  package let badge: String
  /// Account in hexadecimal, or `governance`.
  package let issuer: String
  /// The block since which it is held.
  package let height: UInt64
}
