extension ScopedToken {
  /// What the operator is shown: everything but the hash.
  package func json(isExpired: Bool) -> String {
    JSONText.object([
      ("id", JSONText.string(id)), ("name", JSONText.string(name)),
      ("methods", JSONText.array(methods.map { JSONText.string($0) })), ("created", String(created)),
      ("expires", expires.map { String($0) } ?? "null"), ("expired", String(isExpired)),
    ])
  }
}
