import Glibc

/// Settles the meter's charges in batches: at intervals, after so many charges, and when told.
///
/// Its thread is its own; `settle` is called by that thread or by whoever flushes, one at a time.
package final class Settler: Sendable {
  private struct State {
    var isStopping = false
    var isSettling = false
    var thread: pthread_t?
    /// Charges noted since the last time.
    var charges = 0
  }

  private let meter: Meter
  private let ledger: any SettlementLedger
  private let report: @Sendable (Refusal) -> Void
  private let state = Monitor(State())

  package init(
    meter: Meter, ledger: any SettlementLedger, report: @escaping @Sendable (Refusal) -> Void
  ) {
    self.meter = meter
    self.ledger = ledger
    self.report = report
  }

  /// Settles until nothing is owed, or throws why that cannot be done now; the charges are kept.
  package func flush() throws {
    state.wait { state in
      if state.isSettling { return false }
      state.isSettling = true
      return true
    }
    defer {
      state.withLock { $0.isSettling = false }
      state.wakeAll()
    }
    while let batch = try meter.nextBatch() {
      do {
        try ledger.settle(batch)
      } catch {
        // The answer may have been lost on its way: only the ledger knows whether it took the batch.
        guard try ledger.lastBatch() >= batch.number else { throw error }
      }
      meter.confirm(batch, try ledger.keys(batch.charges.map(\.key)))
    }
  }

  /// Starts the thread that settles until `stop`; each time, `tidy` runs on it afterwards.
  package func start(
    everyMilliseconds interval: UInt64, orAfterCharges limit: Int = .max, tidy: @escaping @Sendable () -> Void = {}
  ) {
    let thread = WorkerThread.start { [self] in
      while true {
        state.wait(milliseconds: interval) { $0.isStopping || $0.charges >= limit }
        let isStopping = state.withLock { state in
          state.charges = 0
          return state.isStopping
        }
        if isStopping { break }
        attempt()
        tidy()
      }
    }
    state.withLock { $0.thread = thread }
    if thread == nil {
      report(Refusal(.unavailable, "no_thread", "The system gave no thread for settling: charges wait for a restart."))
    }
  }

  private func attempt() {
    do {
      try flush()
    } catch let refusal as Refusal {
      report(refusal)
    } catch {
      report(Refusal(.internalFault, "settlement_failed", "Charges could not be settled: \(error)"))
    }
  }

  /// Counts a charge towards the number after which is settled.
  package func noteCharge() {
    state.withLock { $0.charges += 1 }
    state.wakeAll()
  }

  /// Whether the thread is to end: what waits for the ledger on its behalf should give up.
  package var isStopping: Bool { state.withLock { $0.isStopping } }

  /// Ends the thread and waits for it, so that what it held is free: the journal's file is closed with its last owner.
  ///
  /// Nothing is settled here: the layer's own transitions no longer run when it stops. The journal keeps the charges and
  /// the next start settles them.
  package func stop() {
    let thread = state.withLock { state in
      state.isStopping = true
      defer { state.thread = nil }
      return state.thread
    }
    state.wakeAll()
    if let thread { WorkerThread.join(thread) }
  }
}
