import Canonical

/// An account's record: everything that was ever debited and credited, and the next sequence of its main lane.
package struct Account: Hashable, Sendable {
  package var debits: UInt128 = 0
  package var credits: UInt128 = 0
  package var next = Sequence(0)
  /// The layer that opened the account and alone may move credits out of it; nil for a key's account.
  package var owner: Namespace?

  package init() {}

  /// What the account can spend; zero for `@issuance`, which owes.
  package var balance: Amount {
    credits < debits ? .zero : Amount(UInt64(clamping: credits - debits))
  }

  package var bytes: [UInt8] {
    var writer = CanonicalWriter(capacity: 48)
    writer.integer(debits)
    writer.integer(credits)
    writer.integer(next.value)
    if let owner { writer.slice16(owner.name.utf8) }
    return writer.bytes
  }

  package init?(_ bytes: [UInt8]) {
    var reader = CanonicalReader(bytes)
    guard let debits = reader.integer(UInt128.self), let credits = reader.integer(UInt128.self),
      let next = reader.integer(UInt64.self)
    else { return nil }
    self.debits = debits
    self.credits = credits
    self.next = Sequence(next)
    guard !reader.isAtEnd else { return }
    guard let owner = reader.text16(), reader.isAtEnd else { return nil }
    self.owner = Namespace(owner)
  }
}

/// The ledger's own keys in the state.
package enum LedgerKey {
  /// `a` and the account: its record.
  package static func account(_ id: AccountID) -> [UInt8] { [UInt8(ascii: "a")] + id.bytes }

  /// `s`, the account and a lane other than 0: the lane's next sequence.
  package static func lane(_ lane: Lane, of id: AccountID) -> [UInt8] {
    var writer = CanonicalWriter(capacity: 40)
    writer.integer(UInt8(ascii: "s"))
    writer.raw(id.bytes)
    writer.integer(lane.number)
    return writer.bytes
  }

  package static let accountPrefix: [UInt8] = [UInt8(ascii: "a")]
}

/// One key with its value.
package struct StateEntry: Hashable, Sendable {
  package let key: [UInt8]
  package let value: [UInt8]

  package init(key: [UInt8], value: [UInt8]) {
    self.key = key
    self.value = value
  }
}

/// State that can be read: committed blocks on disk, or a dictionary in a test.
package protocol StateReader: Sendable {
  func value(_ namespace: Namespace, _ key: [UInt8]) throws(LedgerError) -> [UInt8]?
  /// Entries that begin with `prefix` and come after `after`, in key order.
  func range(
    _ namespace: Namespace, prefix: [UInt8], after: [UInt8], limit: Int
  ) throws(LedgerError) -> [StateEntry]
  /// The tree of every namespace after the last block.
  func trees() throws(LedgerError) -> [Namespace: StateTree]
}

extension StateReader {
  package func account(_ id: AccountID) throws(LedgerError) -> Account? {
    guard let bytes = try value(.ledger, LedgerKey.account(id)) else { return nil }
    guard let account = Account(bytes) else { throw .corrupt("the record of account \(id) cannot be read") }
    return account
  }
}

extension LedgerError {
  /// The database holds something that this ledger never wrote.
  package static func corrupt(_ what: String) -> LedgerError {
    LedgerError(
      .dataLoss, "ledger_corrupt",
      "The ledger's database is damaged (\(what)): stop the node, keep a copy of the folder, restore a backup.")
  }
}
