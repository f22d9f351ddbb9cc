/// What the signer of a library is to this node, from the least to the most trusted.
package enum KeyRole: String, CaseIterable, Comparable, Sendable {
  /// Nobody, or somebody unknown.
  case anyone
  /// A key that the operator made or accepted for this node.
  case local
  /// Somebody who publishes plugins.
  case vendor
  /// Whoever built the host.
  case core

  package static func < (a: KeyRole, b: KeyRole) -> Bool { a.rank < b.rank }

  private var rank: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
