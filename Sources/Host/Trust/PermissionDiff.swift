/// What one version of a plugin asks for that another did not, and the other way round.
package struct PermissionDiff: Equatable, Sendable {
  /// Asked for by the new one and not covered by the old one's; sorted.
  package let added: [Permission]
  /// Held by the old one and of no use to the new one; sorted.
  package let removed: [Permission]

  package init(_ old: [Permission], _ new: [Permission]) {
    added = Set(new.filter { asked in !old.contains { $0.includes(asked) } }).sorted()
    removed = Set(old.filter { held in !new.contains { $0.includes(held) || held.includes($0) } }).sorted()
  }

  package var asksForMore: Bool { !added.isEmpty }

  /// One line a permission, `+` and `-` before them.
  package var lines: [String] { added.map { "+ \($0)" } + removed.map { "- \($0)" } }
}
