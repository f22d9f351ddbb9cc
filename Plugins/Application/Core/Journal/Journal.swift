/// The metering journal: records appended in order, made durable in groups, rewritten when it has grown.
///
/// A value without a lock; the meter holds one around it. After a failed write it is `broken`: nothing more is
/// appended until `rewrite` has put the whole state into a new file, because what a failed write or sync left behind
/// is not known.
struct Journal {
  let store: any JournalStore
  private(set) var size = 0
  private(set) var durableSize = 0
  /// Counts records ever appended, and those of them that are durable.
  private(set) var appended: UInt64 = 0
  private(set) var durable: UInt64 = 0
  private(set) var isBroken = false
  /// Why the journal is broken.
  private(set) var fault: Refusal?

  init(store: any JournalStore) { self.store = store }

  /// Counts a record that could not be written: a later rewrite makes it durable as part of the state.
  mutating func appendUnwritten() { appended += 1 }

  mutating func append(_ records: [Record]) throws(Refusal) {
    if let fault { throw fault }
    var bytes: [UInt8] = []
    for record in records { bytes += Framing.frame(record, durable: durableSize) }
    do {
      try store.append(bytes)
    } catch {
      throw breakDown(error)
    }
    size += bytes.count
    appended += UInt64(records.count)
  }

  /// Notes that a sync that began at these positions has succeeded.
  mutating func synced(count: UInt64, size: Int) {
    durable = max(durable, count)
    durableSize = max(durableSize, size)
  }

  @discardableResult
  mutating func breakDown(_ error: any Error) -> Refusal {
    isBroken = true
    let cause =
      error as? Refusal
      ?? Refusal(.unavailable, "journal_unwritable", "The metering journal cannot be written: \(error)")
    fault = cause
    return cause
  }

  /// Puts the state that the records fold to in the place of the whole journal.
  mutating func rewrite(_ records: [Record]) throws(Refusal) {
    // All of the new file is durable before it takes the journal's place.
    let size = Framing.magic.count + records.reduce(0) { $0 + Framing.headerSize + $1.encoded.count }
    var bytes = Framing.magic
    for record in records { bytes += Framing.frame(record, durable: size) }
    do {
      try store.replace(with: bytes)
    } catch {
      throw breakDown(error)
    }
    (self.size, durableSize) = (bytes.count, bytes.count)
    durable = appended
    (isBroken, fault) = (false, nil)
  }
}
