extension Meter {
  /// The next batch for the ledger, durable before it is returned; nil when nothing is owed.
  ///
  /// While a batch waits for the ledger the same one is returned, so that it is settled under one number only.
  package func nextBatch() throws -> Book.Batch? {
    let batch: Book.Batch? = try state.withLock { state in
      if state.book.pendingBatch == nil, state.book.hasUnsettled {
        try record([.seal(batch: state.book.lastBatch + 1)], &state)
      }
      if state.book.pendingBatch != nil { try heal(&state) }
      return state.book.pendingBatch
    }
    if batch != nil { try commit() }
    return batch
  }

  /// Notes that the ledger has taken a batch, and what it now says about the batch's keys.
  package func confirm(_ batch: Book.Batch, _ keys: [KeyHash: LedgerKey]) {
    state.withLock { state in
      guard state.book.pendingBatch?.number == batch.number else { return }
      let facts = keys.sorted { $0.key < $1.key }.map { Record.ledger($0.key, $0.value) }
      recordFact([.settled(batch: batch.number)] + facts, &state)
      rewriteIfLarge(&state)
    }
  }

  /// What is to be done after the journal and the ledger were compared at the start.
  package struct Reconciliation: Equatable, Sendable {
    /// Keys whose rest must be returned: revoked, or opened without anyone having seen the secret.
    package var keysToClose: [KeyHash] = []
    /// What the operator should know, one sentence each.
    package var warnings: [String] = []
  }

  /// Brings the book in line with the ledger, which is right about everything that it knows.
  package func reconcile(_ keys: [KeyHash: LedgerKey], lastBatch: UInt64) throws -> Reconciliation {
    try state.withLock { state in
      var result = Reconciliation()
      try reconcileBatches(lastBatch, &state, &result)
      for (key, entry) in state.book.keys.sorted(by: { $0.key < $1.key }) where keys[key] == nil {
        if entry.phase == .opening { try record([.abandoned(key: key)], &state) }
        guard entry.phase == .open || entry.phase == .revoked else { continue }
        try record([.closed(key: key)], &state)
        result.warnings.append("Key \(key.id) is not on this ledger and was closed: the ledger was replaced.")
      }
      for (key, ledgerKey) in keys.sorted(by: { $0.key < $1.key }) {
        let phase = state.book.keys[key]?.phase
        if ledgerKey.isClosed, phase == nil || phase == .closed { continue }
        if phase == .opening { try record([.opened(key: key, budget: ledgerKey.budget), .revoked(key: key)], &state) }
        try record([.ledger(key, ledgerKey)], &state)
        if state.book.keys[key]?.phase == .revoked { result.keysToClose.append(key) }
      }
      return result
    }
  }

  private func reconcileBatches(_ ledgerBatch: UInt64, _ state: inout State, _ result: inout Reconciliation) throws {
    let book = state.book
    if book.isBatchPending, ledgerBatch >= book.lastBatch { try record([.settled(batch: book.lastBatch)], &state) }
    guard ledgerBatch != book.lastBatch, !(book.isBatchPending && ledgerBatch + 1 == book.lastBatch) else { return }
    if ledgerBatch > book.lastBatch, book.hasUnsettled || book.lastBatch > 0 {
      // An old copy of the journal: its charges may be among those that the ledger has settled since.
      for (key, entry) in state.book.keys where entry.unsettled > .zero {
        var kept = entry
        kept.unsettled = .zero
        try record([.key(key, kept)], &state)
      }
      result.warnings.append(
        "The metering journal is older than the ledger (batch \(book.lastBatch), the ledger has \(ledgerBatch)): its "
          + "unsettled charges were dropped, because the ledger may have them already.")
    }
    // A batch that the ledger has not seen is sealed again under its next number.
    for (key, entry) in state.book.keys where entry.pending > .zero {
      var reopened = entry
      reopened.unsettled += entry.pending
      reopened.pending = .zero
      try record([.key(key, reopened)], &state)
    }
    let reservation = state.book.nextReservation
    try record([.counters(batch: ledgerBatch, isPending: false, reservation: reservation)], &state)
  }
}

extension Record {
  static func ledger(_ key: KeyHash, _ facts: LedgerKey) -> Record {
    .ledger(key: key, budget: facts.budget, charged: facts.charged, closed: facts.isClosed)
  }
}
