extension Meter {
  /// Notes durably that a key is about to be opened on the ledger.
  package func beginOpening(_ key: KeyHash, budget: Amount) throws {
    try state.withLock { try record([.opening(key: key, budget: budget)], &$0) }
    try commit()
  }

  /// Notes durably that the key is on the ledger; only then may its secret be shown.
  package func finishOpening(_ key: KeyHash, budget: Amount) throws {
    try state.withLock { try record([.opened(key: key, budget: budget)], &$0) }
    try commit()
  }

  /// Forgets a key that the ledger refused.
  package func abandonOpening(_ key: KeyHash) { state.withLock { recordFact([.abandoned(key: key)], &$0) } }

  /// Refuses new requests with the key, durably, and waits until those that run have ended.
  package func revoke(_ key: KeyHash, waitMilliseconds: UInt64) throws {
    let phase = state.withLock { $0.book.keys[key]?.phase }
    if phase == .open { try state.withLock { try record([.revoked(key: key)], &$0) } }
    try commit()
    let isIdle = state.wait(milliseconds: waitMilliseconds) { $0.book.keys[key]?.reserved == .zero }
    guard isIdle else {
      throw Refusal(
        .unavailable, "key_still_in_use",
        "The key is revoked, but a request with it still runs; its rest is returned when you revoke it again.")
    }
  }

  /// Notes that the ledger has returned the rest of the key's budget.
  package func close(_ key: KeyHash) {
    state.withLock { recordFact([.closed(key: key)], &$0) }
    try? commit()
  }

  /// Finds a key by its id, the beginning of its hash (8 digits or more), or its secret.
  package func find(_ text: String) throws -> KeyHash {
    let hash = text.hasPrefix(TicketSecret.prefix) ? KeyHash(secret: text).description : text.lowercased()
    let matches = state.withLock { state in
      hash.utf8.count < 8 ? [] : state.book.keys.keys.filter { $0.description.hasPrefix(hash) }
    }
    guard let key = matches.first else {
      throw Refusal(.notFound, "unknown_key", "No key \(hash.prefix(16)): list them with `symbolon key list`.")
    }
    guard matches.count == 1 else {
      throw Refusal(.invalid, "ambiguous_key", "\(matches.count) keys begin with \(hash): give more digits.")
    }
    return key
  }

  package func show(_ key: KeyHash) -> JSONValue {
    state.withLock { $0.book.keys[key]?.json(key) ?? .null }
  }

  package func list() -> JSONValue {
    state.withLock { state in
      .array(state.book.keys.sorted { $0.key < $1.key }.map { $0.value.json($0.key) })
    }
  }
}
