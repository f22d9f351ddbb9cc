import Canonical

/// What a transition may see and do: the ledger's state in this layer's own namespace, inside one transaction.
package protocol LedgerState {
  /// The account whose signature the transaction bears; nil in an action that another layer carries out.
  var sender: [UInt8]? { get }
  /// The layer that made the call inside the transaction; nil when the transaction itself is the call.
  var caller: String? { get }
  func get(_ key: [UInt8]) throws -> [UInt8]?
  func put(_ key: [UInt8], _ value: [UInt8]) throws
  /// An account that belongs to this layer.
  func open(_ name: [UInt8]) throws -> [UInt8]
  func move(from: [UInt8], to: [UInt8], amount: UInt64) throws
  func emit(_ topic: String, _ payload: JSONValue) throws
}

/// What the gateway asks of the ledger outside transactions.
package protocol SettlementLedger: Sendable {
  /// Submits a batch and returns when it is in a block; throws when it was refused or the answer was lost.
  func settle(_ batch: Book.Batch) throws
  /// The number of the last batch that this node has settled.
  func lastBatch() throws -> UInt64
  /// What the ledger says about these keys, those that it knows.
  func keys(_ keys: [KeyHash]) throws -> [KeyHash: LedgerKey]
}

/// What the node asks of the ledger to open and close keys, each a transaction that it signs.
package protocol TicketLedger: SettlementLedger {
  func open(_ key: KeyHash, budget: Amount) throws
  func close(_ key: KeyHash) throws
}

/// A key as the ledger stores it.
package struct LedgerKey: Equatable, Sendable {
  /// Who paid the budget, may close the key and gets its rest.
  package var owner: [UInt8]
  package var budget: Amount
  package var charged: Amount
  package var isClosed: Bool

  package init(owner: [UInt8], budget: Amount, charged: Amount = .zero, isClosed: Bool = false) {
    self.owner = owner
    self.budget = budget
    self.charged = charged
    self.isClosed = isClosed
  }

  package var encoded: [UInt8] {
    var writer = CanonicalWriter()
    writer.u8(1)
    writer.raw(owner)
    writer.u64(budget.micro)
    writer.u64(charged.micro)
    writer.bool(isClosed)
    return writer.bytes
  }

  package init?(_ bytes: [UInt8]) {
    var reader = CanonicalReader(bytes)
    guard (try? reader.u8()) == 1, let owner = try? reader.raw(32), let budget = try? reader.u64(),
      let charged = try? reader.u64(), let isClosed = try? reader.bool(), reader.remaining == 0
    else { return nil }
    self.init(owner: owner, budget: Amount(budget), charged: Amount(charged), isClosed: isClosed)
  }
}
