/// The metering state as a fold over the journal's records: a pure value, equal after replay to what it was before.
package struct Book: Equatable, Sendable {
  /// A record that cannot follow those before it: the journal is not one that this layer wrote.
  package struct Contradiction: Error, Equatable {
    package var reason: String
  }

  /// What a running request holds.
  package struct Hold: Equatable, Sendable {
    package var key: KeyHash
    package var amount: Amount
  }

  /// What was paid for a request with an `Idempotency-Key`, and when (Unix).
  package struct Payment: Equatable, Sendable {
    package var amount: Amount
    package var milliseconds: UInt64
  }

  /// A batch of charges for the ledger; its number makes settling it twice impossible.
  package struct Batch: Equatable, Sendable {
    package var number: UInt64
    package var charges: [(key: KeyHash, amount: Amount)]

    package static func == (left: Batch, right: Batch) -> Bool {
      left.number == right.number && left.charges.elementsEqual(right.charges) { $0 == $1 }
    }
  }

  /// The most keys in one batch, so that a transaction stays small.
  package static let maximumBatchKeys = 512
  /// How long a payment is remembered for a repeated request.
  package static let paymentLifetimeMilliseconds: UInt64 = 600_000
  /// The most payments that are remembered.
  package static let maximumPayments = 4096
  /// The most closed keys that a rewritten journal keeps for `key list`; the ledger keeps them all.
  package static let maximumClosedKeys = 256

  package private(set) var keys: [KeyHash: KeyEntry] = [:]
  package private(set) var holds: [UInt64: Hold] = [:]
  package private(set) var payments: [[UInt8]: Payment] = [:]
  /// The highest batch number used, and whether that batch still waits for the ledger.
  package private(set) var lastBatch: UInt64 = 0
  package private(set) var isBatchPending = false
  package private(set) var nextReservation: UInt64 = 1

  package init() {}

  /// The batch that waits for the ledger.
  package var pendingBatch: Batch? {
    guard isBatchPending else { return nil }
    let charges = keys.filter { $0.value.pending > .zero }.map { (key: $0.key, amount: $0.value.pending) }
    return Batch(number: lastBatch, charges: charges.sorted { $0.key < $1.key })
  }

  /// Whether there is anything to put into a batch.
  package var hasUnsettled: Bool { keys.values.contains { $0.unsettled > .zero } }

  package mutating func apply(_ record: Record) throws(Contradiction) {
    switch record {
    case .opening(let key, let budget):
      guard keys[key] == nil else { throw Contradiction(reason: "key \(key.id) is opened twice") }
      keys[key] = KeyEntry(phase: .opening, budget: budget)
    case .opened(let key, let budget):
      try change(key) { entry in
        entry.phase = .open
        entry.budget = budget
      }
    case .abandoned(let key): keys[key] = nil
    case .reserve(let id, let key, let amount): try reserve(id, key, amount)
    case .charge(let id, let amount, let tokens): try charge(id, amount, tokens)
    case .release(let id): _ = try end(id)
    case .paid(let request, let amount, let milliseconds):
      payments[request] = amount == .zero ? nil : Payment(amount: amount, milliseconds: milliseconds)
      forgetPayments(at: milliseconds)
    case .seal(let batch): try seal(batch)
    case .settled(let batch): try settle(batch)
    case .ledger(let key, let budget, let charged, let closed):
      var entry = keys[key] ?? KeyEntry(phase: .open, budget: budget)
      entry.budget = budget
      entry.settled = charged
      if closed { entry.close() }
      keys[key] = entry
    case .revoked(let key): try change(key) { $0.phase = .revoked }
    case .closed(let key): try change(key) { $0.close() }
    case .key(let key, let entry): keys[key] = entry
    case .counters(let batch, let isPending, let reservation):
      (lastBatch, isBatchPending, nextReservation) = (batch, isPending, reservation)
    }
  }

  private mutating func change(_ key: KeyHash, _ body: (inout KeyEntry) -> Void) throws(Contradiction) {
    guard var entry = keys[key] else { throw Contradiction(reason: "key \(key.id) was never opened") }
    body(&entry)
    keys[key] = entry
  }

  private mutating func reserve(_ id: UInt64, _ key: KeyHash, _ amount: Amount) throws(Contradiction) {
    guard holds[id] == nil else { throw Contradiction(reason: "reservation \(id) is made twice") }
    try change(key) { $0.reserved += amount }
    holds[id] = Hold(key: key, amount: amount)
    nextReservation = max(nextReservation, id + 1)
  }

  private mutating func end(_ id: UInt64) throws(Contradiction) -> Hold {
    guard let hold = holds.removeValue(forKey: id) else {
      throw Contradiction(reason: "reservation \(id) ends without having begun")
    }
    try change(hold.key) { $0.reserved -= hold.amount }
    return hold
  }

  private mutating func charge(_ id: UInt64, _ amount: Amount, _ tokens: TokenCounts) throws(Contradiction) {
    let hold = try end(id)
    guard amount <= hold.amount else { throw Contradiction(reason: "reservation \(id) is charged more than it held") }
    try change(hold.key) { entry in
      entry.unsettled += amount
      entry.requests += 1
      entry.tokens.prompt += tokens.prompt
      entry.tokens.completion += tokens.completion
    }
  }

  private mutating func seal(_ batch: UInt64) throws(Contradiction) {
    guard !isBatchPending, batch > lastBatch else {
      throw Contradiction(reason: "batch \(batch) follows batch \(lastBatch)")
    }
    let owing = keys.filter { $0.value.unsettled > .zero }.keys.sorted().prefix(Self.maximumBatchKeys)
    for key in owing {
      try change(key) { entry in
        entry.pending = entry.unsettled
        entry.unsettled = .zero
      }
    }
    (lastBatch, isBatchPending) = (batch, true)
  }

  private mutating func settle(_ batch: UInt64) throws(Contradiction) {
    guard isBatchPending, batch == lastBatch else {
      throw Contradiction(reason: "batch \(batch) is settled but was not sealed")
    }
    for key in keys.filter({ $0.value.pending > .zero }).keys {
      try change(key) { entry in
        entry.settled += entry.pending
        entry.pending = .zero
      }
    }
    isBatchPending = false
  }

  private mutating func forgetPayments(at now: UInt64) {
    guard payments.count > Self.maximumPayments else { return }
    payments = payments.filter { $0.value.milliseconds + Self.paymentLifetimeMilliseconds > now }
    while payments.count > Self.maximumPayments {
      // The request breaks ties, so that a replay forgets the same ones.
      let oldest = payments.min { left, right in
        left.value.milliseconds == right.value.milliseconds
          ? left.key.lexicographicallyPrecedes(right.key) : left.value.milliseconds < right.value.milliseconds
      }
      guard let oldest else { return }
      payments[oldest.key] = nil
    }
  }

  /// What a remembered request has paid, if that is recent enough to count.
  package func payment(_ request: [UInt8], at now: UInt64) -> Amount {
    guard let payment = payments[request], payment.milliseconds + Self.paymentLifetimeMilliseconds > now
    else { return .zero }
    return payment.amount
  }

  /// Gives back what requests held that no longer run, and says how many they were and how much.
  package mutating func releaseOrphans() -> (count: Int, amount: Amount) {
    let orphans = holds.values
    for hold in orphans { keys[hold.key]?.reserved -= hold.amount }
    holds = [:]
    return (orphans.count, orphans.reduce(.zero) { $0 + $1.amount })
  }

  /// The shortest journal that folds to this state.
  package func snapshot(at now: UInt64) -> [Record] {
    var records: [Record] = [.counters(batch: lastBatch, isPending: isBatchPending, reservation: nextReservation)]
    let closed = keys.filter { $0.value.phase == .closed }.keys.sorted().dropFirst(Self.maximumClosedKeys)
    for key in keys.keys.sorted() where !closed.contains(key) {
      guard var entry = keys[key] else { continue }
      entry.reserved = .zero
      records.append(.key(key, entry))
    }
    for (id, hold) in holds.sorted(by: { $0.key < $1.key }) {
      records.append(.reserve(id: id, key: hold.key, amount: hold.amount))
    }
    for (request, payment) in payments.sorted(by: { Hex.string($0.key) < Hex.string($1.key) })
    where payment.milliseconds + Self.paymentLifetimeMilliseconds > now {
      records.append(.paid(request: request, amount: payment.amount, milliseconds: payment.milliseconds))
    }
    return records
  }
}

extension KeyEntry {
  /// A closed key holds no money: what it had was given back on the ledger.
  fileprivate mutating func close() {
    phase = .closed
    (pending, unsettled) = (.zero, .zero)
    budget = settled
  }
}
