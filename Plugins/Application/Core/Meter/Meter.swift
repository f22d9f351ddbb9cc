/// Keeps what every ticket key may spend and has spent, in memory and in the journal.
///
/// Money moves on the ledger only when a key is opened or closed and when a batch of charges is settled; between these
/// the meter holds, charges and releases. Any thread may call; no call holds the lock while it waits for the disk.
package final class Meter: Sendable {
  /// What bounds the meter.
  package struct Limits: Sendable {
    package var rate: RateLimit
    /// The journal is rewritten after a settlement when it is larger than this.
    package var maximumJournalBytes: Int

    package init(rate: RateLimit = RateLimit(), maximumJournalBytes: Int = 1 << 20) {
      self.rate = rate
      self.maximumJournalBytes = maximumJournalBytes
    }
  }

  /// The two clocks, replaceable in tests.
  package struct Clock: Sendable {
    package var unixMilliseconds: @Sendable () -> UInt64
    package var monotonicMilliseconds: @Sendable () -> UInt64

    package init(unix: @escaping @Sendable () -> UInt64, monotonic: @escaping @Sendable () -> UInt64) {
      unixMilliseconds = unix
      monotonicMilliseconds = monotonic
    }
  }

  /// What was found in the journal at the start.
  package struct Recovery: Equatable, Sendable {
    package var tornBytes = 0
    package var orphans = 0
    package var returned = Amount.zero
  }

  struct State {
    var book: Book
    var journal: Journal
    var buckets: [KeyHash: RateBucket] = [:]
    var isSyncing = false
    var healedAt: UInt64?
  }

  let state: Monitor<State>
  let limits: Limits
  let clock: Clock
  private let store: any JournalStore
  package let recovery: Recovery

  /// Reads the journal and gives back what a crash left reserved.
  package init(store: any JournalStore, limits: Limits, clock: Clock) throws {
    let reading = try Framing.read(store.load())
    var book = Book()
    for record in reading.records {
      do {
        try book.apply(record)
      } catch {
        throw Refusal(
          .dataLoss, "journal_contradicts_itself",
          "The metering journal contradicts itself (\(error.reason)). Restore it from a backup, or move it "
            + "away: the node then starts from the ledger and the charges not yet settled are lost.")
      }
    }
    let orphans = book.releaseOrphans()
    recovery = Recovery(tornBytes: reading.tornBytes, orphans: orphans.count, returned: orphans.amount)
    var journal = Journal(store: store)
    // A full disk does not keep the node from starting: requests are refused until the rewrite succeeds.
    try? journal.rewrite(book.snapshot(at: clock.unixMilliseconds()))
    (self.store, self.limits, self.clock) = (store, limits, clock)
    state = Monitor(State(book: book, journal: journal))
  }

  /// The whole metering state at this moment.
  package var book: Book { state.withLock { $0.book } }

  /// Why nothing can be metered now, if so.
  package var fault: Refusal? { state.withLock { $0.journal.fault } }

  package var journalBytes: Int { state.withLock { $0.journal.size } }
}

extension Meter {
  /// Appends records and folds them in, or refuses and changes nothing.
  func record(_ records: [Record], _ state: inout State) throws {
    try heal(&state)
    try state.journal.append(records)
    fold(records, &state)
  }

  /// Folds in what has already happened, even if the journal cannot take it now: the next rewrite will contain it.
  func recordFact(_ records: [Record], _ state: inout State) {
    do {
      try state.journal.append(records)
    } catch {
      state.journal.appendUnwritten()
    }
    fold(records, &state)
  }

  private func fold(_ records: [Record], _ state: inout State) {
    for record in records {
      do {
        try state.book.apply(record)
      } catch {
        preconditionFailure("the meter made a record that contradicts its own book: \(error.reason)")
      }
    }
  }

  /// Rewrites a journal that failed, at most once a second; throws while it stays broken.
  func heal(_ state: inout State) throws {
    guard let fault = state.journal.fault else { return }
    let now = clock.monotonicMilliseconds()
    if state.isSyncing { throw fault }
    if let healedAt = state.healedAt, now < healedAt + 1000 { throw fault }
    state.healedAt = now
    try state.journal.rewrite(state.book.snapshot(at: clock.unixMilliseconds()))
    state.healedAt = nil
    self.state.wakeAll()
  }

  /// Makes the journal short again when it has grown.
  func rewriteIfLarge(_ state: inout State) {
    guard !state.isSyncing, !state.journal.isBroken, state.journal.size > limits.maximumJournalBytes else { return }
    try? state.journal.rewrite(state.book.snapshot(at: clock.unixMilliseconds()))
    self.state.wakeAll()
  }

  /// Returns when everything recorded before the call is durable, or throws why it is not.
  ///
  /// The first thread that comes syncs for all that came before it; those that come meanwhile wait and share the next.
  package func commit() throws {
    let position = state.withLock { $0.journal.appended }
    while true {
      var target: (count: UInt64, size: Int)?
      try state.wait { state in
        if state.journal.durable >= position { return true }
        if let fault = state.journal.fault { throw fault }
        if state.isSyncing { return false }
        state.isSyncing = true
        target = (state.journal.appended, state.journal.size)
        return true
      }
      guard let target else { return }
      let result = Result { try store.sync() }
      state.withLock { state in
        state.isSyncing = false
        switch result {
        case .success:
          // An append that failed meanwhile may have left its records unwritten: they are not durable.
          if !state.journal.isBroken { state.journal.synced(count: target.count, size: target.size) }
        case .failure(let error): state.journal.breakDown(error)
        }
      }
      state.wakeAll()
    }
  }
}
