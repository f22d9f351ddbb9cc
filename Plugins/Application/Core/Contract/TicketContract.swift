import Canonical

/// The layer's transitions: pure functions of the ledger's state.
///
/// Budgets of all open keys lie in one account of this layer, `keys`; its balance is at any block the sum of
/// `budget − charged` over the open keys. A settled charge goes to the key's owner's gateway, which is the sender.
package enum TicketContract {
  /// The name of the account that holds the unspent budgets.
  package static let accountName = Array("keys".utf8)
  static let priceKey = Array("price".utf8)
  /// Keys are stored under this prefix and their hash.
  package static let keyPrefix = Array("key/".utf8)
  private static let batchPrefix = Array("batch/".utf8)

  package static func key(_ key: KeyHash) -> [UInt8] { keyPrefix + key.bytes }
  package static func batch(of sender: [UInt8]) -> [UInt8] { batchPrefix + sender }

  /// Moves a budget from the sender to the account of keys and opens the key.
  package static func keyOpen(_ state: some LedgerState, key bytes: [UInt8], budget: UInt64) throws {
    let key = try hash(bytes)
    guard budget > 0 else {
      throw Refusal(.invalid, "empty_budget", "A key needs a budget of at least 1 µ-credit.", parameter: "budget")
    }
    guard try state.get(Self.key(key)) == nil else {
      throw Refusal(.alreadyExists, "key_exists", "Key \(key.id) was opened before; a key is opened once.")
    }
    let sender = try signer(state)
    try state.move(from: sender, to: state.open(accountName), amount: budget)
    try state.put(Self.key(key), LedgerKey(owner: sender, budget: Amount(budget)).encoded)
    try state.emit("application.key_opened", ["key": .string(key.description), "budget": .integer(budget)])
  }

  /// Closes a key and returns what was not charged to its owner.
  package static func keyClose(_ state: some LedgerState, key bytes: [UInt8]) throws {
    let key = try hash(bytes)
    var entry = try ledgerKey(state, key)
    guard entry.owner == (try signer(state)) else {
      throw Refusal(.forbidden, "not_the_owner", "Only the account that opened key \(key.id) can close it.")
    }
    guard !entry.isClosed else { throw Refusal(.conflict, "key_closed", "Key \(key.id) is closed already.") }
    let rest = entry.budget - entry.charged
    if rest > .zero { try state.move(from: state.open(accountName), to: entry.owner, amount: rest.micro) }
    entry.isClosed = true
    try state.put(Self.key(key), entry.encoded)
    try state.emit("application.key_closed", ["key": .string(key.description), "returned": .integer(rest.micro)])
  }

  /// Takes a batch of charges, under a number one above the last, from keys that the sender opened.
  ///
  /// A charge on a key that is closed or has less left takes what there is: a batch is never stuck.
  package static func settle(_ state: some LedgerState, batch: UInt64, charges: JSONValue) throws {
    let sender = try signer(state)
    let batchKey = Self.batch(of: sender)
    let last = try batchNumber(state.get(batchKey))
    guard batch > last else {
      throw Refusal(.alreadyExists, "batch_settled", "Batch \(batch) was settled before; the last one is \(last).")
    }
    guard batch == last + 1 else {
      throw Refusal(.invalid, "batch_out_of_order", "Batch \(batch) cannot follow batch \(last).", parameter: "batch")
    }
    var total = Amount.zero
    var shortfall = Amount.zero
    for (key, amount) in try read(charges) {
      var entry = try ledgerKey(state, key)
      guard entry.owner == sender else {
        throw Refusal(.forbidden, "not_the_owner", "Key \(key.id) was opened by another account; only it can charge.")
      }
      let taken = entry.isClosed ? .zero : min(amount, entry.budget - entry.charged)
      entry.charged += taken
      total += taken
      shortfall += amount - taken
      try state.put(Self.key(key), entry.encoded)
    }
    if total > .zero { try state.move(from: state.open(accountName), to: sender, amount: total.micro) }
    var writer = CanonicalWriter()
    writer.u64(batch)
    try state.put(batchKey, writer.bytes)
    try state.emit(
      "application.settled",
      ["batch": .integer(batch), "charged": .integer(total.micro), "shortfall": .integer(shortfall.micro)])
  }

  /// Sets the price of tokens, in µ-credits for 1,000; governance alone may.
  package static func setPrice(_ state: some LedgerState, prompt: UInt64, completion: UInt64) throws {
    guard state.caller == "governance" else {
      throw Refusal(
        .forbidden, "not_governance",
        "The price is set by a proposal: `symbolon governance propose` with the action application.set_price.")
    }
    for (name, value) in [("prompt", prompt), ("completion", completion)] where value > Price.maximum {
      throw Refusal(
        .invalid, "price_too_high", "\(name) is \(value); the most is \(Price.maximum) µ-credits for 1000 tokens.",
        parameter: name)
    }
    let version = try state.get(priceKey).flatMap(Price.init(encoded:))?.version ?? 0
    let price = Price(version: version + 1, prompt: prompt, completion: completion)
    try state.put(priceKey, price.encoded)
    try state.emit("application.price_set", price.json)
  }

  /// The price in force, or nil when none was ever set.
  package static func price(_ get: ([UInt8]) throws -> [UInt8]?) rethrows -> Price? {
    try get(priceKey).flatMap(Price.init(encoded:))
  }

  /// The number stored under `batch(of:)`; 0 before the first batch.
  package static func batchNumber(_ bytes: [UInt8]?) -> UInt64 {
    var reader = CanonicalReader(bytes ?? [])
    return (try? reader.u64()) ?? 0
  }

  private static func hash(_ bytes: [UInt8]) throws -> KeyHash {
    guard let key = KeyHash(bytes) else {
      throw Refusal(
        .invalid, "bad_key", "A key is named by its SHA-256: 32 bytes, not \(bytes.count).", parameter: "key")
    }
    return key
  }

  /// Who signed; keys are opened, charged and closed by an account only.
  private static func signer(_ state: some LedgerState) throws -> [UInt8] {
    guard let sender = state.sender else {
      throw Refusal(.forbidden, "no_sender", "Ticket keys belong to accounts: this needs a transaction signed by one.")
    }
    return sender
  }

  private static func ledgerKey(_ state: some LedgerState, _ key: KeyHash) throws -> LedgerKey {
    guard let entry = try state.get(Self.key(key)).flatMap(LedgerKey.init) else {
      throw Refusal(.notFound, "unknown_key", "Key \(key.id) was never opened on this ledger.")
    }
    return entry
  }

  /// The JSON form of a batch's charges: `[{"key": hex, "amount": n}]`, ascending by key.
  package static func json(_ charges: [(key: KeyHash, amount: Amount)]) -> JSONValue {
    .array(charges.map { ["key": .string($0.key.description), "amount": .integer($0.amount.micro)] })
  }

  private static func read(_ charges: JSONValue) throws -> [(KeyHash, Amount)] {
    let malformed = Refusal(
      .invalid, "bad_charges",
      "charges is a list of up to \(Book.maximumBatchKeys) objects {\"key\": hex, \"amount\": n}, ascending by key.",
      parameter: "charges")
    guard let list = charges.arrayValue, list.count <= Book.maximumBatchKeys else { throw malformed }
    var result: [(KeyHash, Amount)] = []
    for element in list {
      guard case .object(let members) = element, members.count == 2,
        let key = element["key"]?.stringValue.flatMap(Hex.bytes).flatMap(KeyHash.init),
        let amount = element["amount"]?.unsignedValue, result.last.map({ $0.0 < key }) ?? true
      else { throw malformed }
      result.append((key, Amount(amount)))
    }
    return result
  }
}

extension Price {
  package var encoded: [UInt8] {
    var writer = CanonicalWriter()
    for number in [version, prompt, completion] { writer.u64(number) }
    return writer.bytes
  }

  package init?(encoded bytes: [UInt8]) {
    var reader = CanonicalReader(bytes)
    guard let version = try? reader.u64(), let prompt = try? reader.u64(), let completion = try? reader.u64(),
      reader.remaining == 0
    else { return nil }
    self.init(version: version, prompt: prompt, completion: completion)
  }
}
