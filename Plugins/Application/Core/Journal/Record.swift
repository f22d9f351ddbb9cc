import Canonical

/// One line of the metering journal.
///
/// A record holds keys by their hash, amounts and counts; never a prompt, an answer or a secret.
package enum Record: Equatable, Sendable {
  /// A key is about to be opened on the ledger. Without a later `opened` nobody ever saw its secret.
  case opening(key: KeyHash, budget: Amount)
  case opened(key: KeyHash, budget: Amount)
  /// The key could not be opened.
  case abandoned(key: KeyHash)
  case reserve(id: UInt64, key: KeyHash, amount: Amount)
  /// The reservation ends, and this much of it is owed for what was delivered.
  case charge(id: UInt64, amount: Amount, tokens: TokenCounts)
  /// The reservation ends, and nothing is owed.
  case release(id: UInt64)
  /// What a request with an `Idempotency-Key` paid; `request` is a hash.
  case paid(request: [UInt8], amount: Amount, milliseconds: UInt64)
  /// All charges up to here form this batch, which is about to be settled on the ledger.
  case seal(batch: UInt64)
  case settled(batch: UInt64)
  /// The ledger's word on a key after it was read there.
  case ledger(key: KeyHash, budget: Amount, charged: Amount, closed: Bool)
  case revoked(key: KeyHash)
  case closed(key: KeyHash)
  /// The whole state of a key, at the head of a rewritten journal.
  case key(KeyHash, KeyEntry)
  /// The counters, at the head of a rewritten journal.
  case counters(batch: UInt64, isPending: Bool, reservation: UInt64)
}

extension Record {
  /// The record's bytes: a tag and fixed fields.
  package var encoded: [UInt8] {
    var writer = CanonicalWriter()
    switch self {
    case .opening(let key, let budget): writer.record(1, key, [budget.micro])
    case .opened(let key, let budget): writer.record(2, key, [budget.micro])
    case .abandoned(let key): writer.record(3, key)
    case .reserve(let id, let key, let amount): writer.record(4, key, [amount.micro, id])
    case .charge(let id, let amount, let tokens):
      writer.record(5, nil, [id, amount.micro, tokens.prompt, tokens.completion])
    case .release(let id): writer.record(6, nil, [id])
    case .paid(let request, let amount, let milliseconds):
      writer.record(7, nil, [amount.micro, milliseconds])
      writer.raw(request)
    case .seal(let batch): writer.record(8, nil, [batch])
    case .settled(let batch): writer.record(9, nil, [batch])
    case .ledger(let key, let budget, let charged, let closed):
      writer.record(10, key, [budget.micro, charged.micro])
      writer.bool(closed)
    case .revoked(let key): writer.record(11, key)
    case .closed(let key): writer.record(12, key)
    case .key(let key, let entry):
      writer.record(13, key, [entry.budget.micro])
      writer.u8(entry.phase.rawValue)
      for number in entry.storedNumbers { writer.u64(number) }
    case .counters(let batch, let isPending, let reservation):
      writer.record(14, nil, [batch, reservation])
      writer.bool(isPending)
    }
    return writer.bytes
  }

  /// Reads a record; nil when the bytes are none.
  package init?(_ bytes: ArraySlice<UInt8>) {
    var reader = CanonicalReader(bytes)
    guard let tag = try? reader.u8(), let record = try? Record(tag: tag, &reader), reader.remaining == 0
    else { return nil }
    self = record
  }

  private init?(tag: UInt8, _ reader: inout CanonicalReader) throws(CanonicalError) {
    switch tag {
    case 5:
      let (id, amount) = (try reader.u64(), Amount(try reader.u64()))
      self = .charge(
        id: id, amount: amount, tokens: TokenCounts(prompt: try reader.u64(), completion: try reader.u64()))
    case 6: self = .release(id: try reader.u64())
    case 7:
      let (amount, milliseconds) = (Amount(try reader.u64()), try reader.u64())
      self = .paid(request: try reader.raw(16), amount: amount, milliseconds: milliseconds)
    case 8: self = .seal(batch: try reader.u64())
    case 9: self = .settled(batch: try reader.u64())
    case 14:
      let (batch, reservation) = (try reader.u64(), try reader.u64())
      self = .counters(batch: batch, isPending: try reader.bool(), reservation: reservation)
    default:
      guard let key = KeyHash(try reader.raw(32)) else { return nil }
      try self.init(tag: tag, key: key, &reader)
    }
  }

  private init?(tag: UInt8, key: KeyHash, _ reader: inout CanonicalReader) throws(CanonicalError) {
    switch tag {
    case 1: self = .opening(key: key, budget: Amount(try reader.u64()))
    case 2: self = .opened(key: key, budget: Amount(try reader.u64()))
    case 3: self = .abandoned(key: key)
    case 4:
      let amount = Amount(try reader.u64())
      self = .reserve(id: try reader.u64(), key: key, amount: amount)
    case 10:
      let (budget, charged) = (Amount(try reader.u64()), Amount(try reader.u64()))
      self = .ledger(key: key, budget: budget, charged: charged, closed: try reader.bool())
    case 11: self = .revoked(key: key)
    case 12: self = .closed(key: key)
    case 13:
      guard let entry = KeyEntry(budget: Amount(try reader.u64()), &reader) else { return nil }
      self = .key(key, entry)
    default: return nil
    }
  }
}

extension CanonicalWriter {
  fileprivate mutating func record(_ tag: UInt8, _ key: KeyHash?, _ numbers: [UInt64] = []) {
    u8(tag)
    if let key { raw(key.bytes) }
    for number in numbers { u64(number) }
  }
}
