/// Opens and closes ticket keys: the steps between the journal and the ledger that a crash may part.
package final class KeyOffice: Sendable {
  private let meter: Meter
  private let settler: Settler
  private let ledger: any TicketLedger
  private let revokeWaitMilliseconds: UInt64
  /// Keys that a thread is revoking now.
  private let closing = Monitor<Set<KeyHash>>([])

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
    let isFirst = closing.withLock { $0.insert(key).inserted }
    guard isFirst else {
      throw Refusal(.conflict, "key_closing", "Key \(key.id) is being revoked already; wait for that.")
    }
    defer { closing.withLock { _ = $0.remove(key) } }
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

  /// Finishes what a crash or a failure interrupted: closes keys that are revoked and have no request running.
  package func closeRevoked(_ report: (KeyHash, any Error) -> Void) {
    for (key, entry) in meter.book.keys where entry.phase == .revoked && entry.reserved == .zero {
      guard !closing.withLock({ $0.contains(key) }) else { continue }
      do {
        try revoke(key)
      } catch {
        report(key, error)
      }
    }
  }
}
