/// Gives, takes and looks up badges.
package struct Badges<State: LedgerState> {
  let state: State

  package init(_ state: State) { self.state = state }

  /// Gives a badge; the genesis authority or an executed proposal may.
  package func grant(_ name: BadgeName, to holder: AccountID) throws {
    let issuer = try requireIssuer()
    guard try state.get(Key.badge(name, of: holder)) == nil else {
      throw GovernanceError(
        .alreadyExists, "badge_held", "Account \(holder) holds the badge `\(name)` already: nothing is left to do.")
    }
    let badge = Badge(issuer: issuer, height: try state.height(), sequence: try state.nextSequence())
    try state.put(badge, at: Key.badge(name, of: holder))
    try state.put(Key.holder(holder, of: name), [1])
    try state.setCounter(Key.heads(of: name), to: try heads(name) + 1)
    try announce("granted", name, holder)
  }

  /// Takes a badge away; votes already cast with it stay counted.
  package func revoke(_ name: BadgeName, from holder: AccountID) throws {
    _ = try requireIssuer()
    guard try state.get(Key.badge(name, of: holder)) != nil else { throw notHeld(name, holder) }
    try state.remove(Key.badge(name, of: holder))
    try state.remove(Key.holder(holder, of: name))
    let heads = try heads(name)
    try state.setCounter(Key.heads(of: name), to: heads > 0 ? heads - 1 : 0)
    try announce("revoked", name, holder)
  }

  /// The badge, when it is held.
  package func badge(_ name: BadgeName, of holder: AccountID) throws -> Badge? {
    try state.record(Badge.self, at: Key.badge(name, of: holder))
  }

  /// How many hold a badge.
  package func heads(_ name: BadgeName) throws -> UInt64 { try state.counter(Key.heads(of: name)) }

  /// How many accounts hold at least one of the badges, each counted once; looks at `limit` holders of each at most.
  package func electorate(_ names: [BadgeName], limit: Int = 4096) throws -> UInt32 {
    if names.count == 1 { return UInt32(clamping: try heads(names[0])) }
    var accounts: Set<[UInt8]> = []
    for name in names {
      let prefix = Key.holders(of: name)
      for entry in try state.range(prefix: prefix, after: [], limit: limit) {
        accounts.insert(Array(entry.key.dropFirst(prefix.count)))
      }
    }
    return UInt32(clamping: accounts.count)
  }

  /// All badges of an account, by name.
  package func list(of holder: AccountID) throws -> [BadgeView] {
    let prefix = Key.badges(of: holder)
    return try state.range(prefix: prefix, after: [], limit: 256).map { entry in
      let badge = try Badge(entry.value)
      return BadgeView(
        badge: String(decoding: entry.key.dropFirst(prefix.count), as: UTF8.self),
        issuer: badge.issuer?.description ?? "governance", height: badge.height.value)
    }
  }

  private func requireIssuer() throws -> AccountID? {
    if state.caller == "governance" { return nil }
    let sender = try state.requireSender()
    let authority = try state.authority()
    guard sender == authority else {
      throw GovernanceError(
        .permissionDenied, "not_the_authority",
        "Badges are given and taken by the genesis authority \(authority) or by an executed proposal; this "
          + "transaction was signed by \(sender).")
    }
    return sender
  }

  private func announce(_ what: String, _ name: BadgeName, _ holder: AccountID) throws {
    try state.emit("governance.badges", #"{"badge":"\#(name)","event":"\#(what)","holder":"\#(holder)"}"#)
  }

  private func notHeld(_ name: BadgeName, _ holder: AccountID) -> GovernanceError {
    GovernanceError(
      .notFound, "badge_not_held",
      "Account \(holder) does not hold the badge `\(name)`: see `symbolon governance badges --holder \(holder)`.")
  }
}
