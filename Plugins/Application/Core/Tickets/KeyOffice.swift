/// Opens and closes ticket keys: the steps between the journal and the ledger that a crash may part.
package struct KeyOffice: Sendable {
  private let meter: Meter
  private let settler: Settler
  private let ledger: any TicketLedger
  private let revokeWaitMilliseconds: UInt64

  /// - Parameter revokeWaitMilliseconds: how long a revocation waits for requests that still run.
  package init(
    meter: Meter, settler: Settler, ledger: any TicketLedger, revokeWaitMilliseconds: UInt64 = 30_000
  ) {
    self.meter = meter
    self.settler = settler
    self.ledger = ledger
    self.revokeWaitMilliseconds = revokeWaitMilliseconds
  }

  /// Opens a key; when this returns, and not before, the secret may be shown.
  package func open(_ key: KeyHash, budget: Amount) throws {
    guard budget > .zero else {
      throw Refusal(.invalid, "empty_budget", "A key needs a budget of at least 1 µ-credit.", parameter: "budget")
    }
    try meter.beginOpening(key, budget: budget)
    do {
      try ledger.open(key, budget: budget)
    } catch {
      // The answer may have been lost on its way: only the ledger knows whether it opened the key.
      guard try ledger.keys([key])[key] != nil else {
        meter.abandonOpening(key)
        throw error
      }
    }
    try meter.finishOpening(key, budget: budget)
  }

  /// Revokes a key, settles what it owes and has the ledger return the rest, which it says.
  @discardableResult
  package func revoke(_ key: KeyHash) throws -> Amount {
    guard meter.book.keys[key]?.phase != .closed else {
      throw Refusal(.conflict, "key_closed", "Key \(key.id) was revoked before and its rest returned.")
    }
    try meter.revoke(key, waitMilliseconds: revokeWaitMilliseconds)
    try settler.flush()
    let rest = meter.book.keys[key]?.balance ?? .zero
    do {
      try ledger.close(key)
    } catch {
      guard try ledger.keys([key])[key]?.isClosed == true else { throw error }
    }
    meter.close(key)
    return rest
  }
}
