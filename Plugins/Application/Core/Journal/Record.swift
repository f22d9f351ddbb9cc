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
    var writer = ByteWriter()
    switch self {
    case .opening(let key, let budget): writer.write(1, key, budget)
    case .opened(let key, let budget): writer.write(2, key, budget)
    case .abandoned(let key): writer.write(3, key)
    case .reserve(let id, let key, let amount):
      writer.write(4, key, amount)
      writer.write(id)
    case .charge(let id, let amount, let tokens):
      writer.write(UInt8(5))
      for number in [id, amount.micro, tokens.prompt, tokens.completion] { writer.write(number) }
    case .release(let id):
      writer.write(UInt8(6))
      writer.write(id)
    case .paid(let request, let amount, let milliseconds):
      writer.write(UInt8(7))
      writer.write(request)
      for number in [amount.micro, milliseconds] { writer.write(number) }
    case .seal(let batch):
      writer.write(UInt8(8))
      writer.write(batch)
    case .settled(let batch):
      writer.write(UInt8(9))
      writer.write(batch)
    case .ledger(let key, let budget, let charged, let closed):
      writer.write(10, key, budget)
      writer.write(charged.micro)
      writer.write(UInt8(closed ? 1 : 0))
    case .revoked(let key): writer.write(11, key)
    case .closed(let key): writer.write(12, key)
    case .key(let key, let entry):
      writer.write(13, key, entry.budget)
      writer.write(entry.phase.rawValue)
      for number in entry.storedNumbers { writer.write(number) }
    case .counters(let batch, let isPending, let reservation):
      writer.write(UInt8(14))
      writer.write(UInt8(isPending ? 1 : 0))
      for number in [batch, reservation] { writer.write(number) }
    }
    return writer.bytes
  }

  /// Reads a record; nil when the bytes are none.
  package init?(_ bytes: ArraySlice<UInt8>) {
    var reader = ByteReader(bytes)
    guard let tag = reader.read(UInt8.self), let record = Record(tag: tag, &reader), reader.isAtEnd else { return nil }
    self = record
  }

  private init?(tag: UInt8, _ reader: inout ByteReader) {
    switch tag {
    case 5:
      guard let id = reader.number(), let amount = reader.amount(), let tokens = reader.tokens() else { return nil }
      self = .charge(id: id, amount: amount, tokens: tokens)
    case 6, 8, 9:
      guard let number = reader.number() else { return nil }
      self = tag == 6 ? .release(id: number) : tag == 8 ? .seal(batch: number) : .settled(batch: number)
    case 7:
      guard let request = reader.read(count: 16), let amount = reader.amount(), let time = reader.number()
      else { return nil }
      self = .paid(request: request, amount: amount, milliseconds: time)
    case 14:
      guard let isPending = reader.read(UInt8.self), let batch = reader.number(), let reservation = reader.number()
      else { return nil }
      self = .counters(batch: batch, isPending: isPending == 1, reservation: reservation)
    default:
      guard let key = reader.read(count: 32).flatMap(KeyHash.init) else { return nil }
      self.init(tag: tag, key: key, &reader)
    }
  }

  private init?(tag: UInt8, key: KeyHash, _ reader: inout ByteReader) {
    switch tag {
    case 3: self = .abandoned(key: key)
    case 11: self = .revoked(key: key)
    case 12: self = .closed(key: key)
    default:
      guard let amount = reader.amount() else { return nil }
      switch tag {
      case 1: self = .opening(key: key, budget: amount)
      case 2: self = .opened(key: key, budget: amount)
      case 4:
        guard let id = reader.number() else { return nil }
        self = .reserve(id: id, key: key, amount: amount)
      case 10:
        guard let charged = reader.amount(), let closed = reader.read(UInt8.self) else { return nil }
        self = .ledger(key: key, budget: amount, charged: charged, closed: closed == 1)
      case 13:
        guard let entry = KeyEntry(budget: amount, &reader) else { return nil }
        self = .key(key, entry)
      default: return nil
      }
    }
  }
}

extension ByteWriter {
  fileprivate mutating func write(_ tag: UInt8, _ key: KeyHash, _ amount: Amount? = nil) {
    write(tag)
    write(key.bytes)
    if let amount { write(amount.micro) }
  }
}

extension ByteReader {
  mutating func number() -> UInt64? { read(UInt64.self) }
  fileprivate mutating func amount() -> Amount? { number().map { Amount($0) } }
  fileprivate mutating func tokens() -> TokenCounts? {
    guard let prompt = number(), let completion = number() else { return nil }
    return TokenCounts(prompt: prompt, completion: completion)
  }
}
