import Canonical
import Foundation
import GRDB

/// A block as it is stored.
package struct StoredBlock: Sendable {
  package let header: BlockHeader
  package let hash: Digest
  /// Empty for genesis, which its chain id authenticates.
  package let signature: [UInt8]
  package let transactions: [SignedTransaction]
  package let receipts: [Receipt]
  /// Which builds of layers executed it, in order.
  package let layers: [LayerVersion]
}

/// One line of an account's history.
package struct HistoryEntry: Hashable, Sendable {
  package let height: Height
  package let index: Int
  /// Nil for what genesis issued.
  package let transaction: Digest?
  package let method: String?
  package let kind: EntryKind
  package let counterparty: AccountID?
  package let amount: Amount
  /// The transaction's status.
  package let status: UInt32
}

extension Store {
  package func account(_ id: AccountID) throws(LedgerError) -> Account? {
    guard let bytes = try value(.ledger, key: LedgerKey.account(id)) else { return nil }
    guard let account = Account(bytes) else { throw .corrupt("the record of account \(id) cannot be read") }
    return account
  }

  /// The next sequence of an account's lane.
  package func nextSequence(of id: AccountID, _ lane: Lane) throws(LedgerError) -> Sequence {
    if lane == .main { return try account(id)?.next ?? Sequence(0) }
    guard let bytes = try value(.ledger, key: LedgerKey.lane(lane, of: id)) else { return Sequence(0) }
    var reader = CanonicalReader(bytes)
    guard let value = reader.integer(UInt64.self) else { throw .corrupt("a lane of account \(id) cannot be read") }
    return Sequence(value)
  }

  /// A value after the last committed block.
  package func value(_ namespace: Namespace, key: [UInt8]) throws(LedgerError) -> [UInt8]? {
    try read { try StateQuery.value($0, namespace, key) }
  }

  /// Entries after the last committed block, in key order.
  package func entries(
    _ namespace: Namespace, prefix: [UInt8], after: [UInt8], limit: Int
  ) throws(LedgerError) -> [StateEntry] {
    try read { try StateQuery.range($0, namespace, prefix: prefix, after: after, limit: limit) }
  }

  package func transaction(_ id: Digest) throws(LedgerError) -> (SignedTransaction, Receipt)? {
    try read { database in
      let statement = try database.cachedStatement(sql: "SELECT * FROM transactions WHERE id = ?")
      return try Row.fetchOne(statement, arguments: [Data(id.bytes)]).map(Self.transaction)
    }
  }

  package func block(at height: Height) throws(LedgerError) -> StoredBlock? {
    try read { database in
      let number = Int64(clamping: height.value)
      guard let row = try Row.fetchOne(database, sql: "SELECT * FROM blocks WHERE height = ?", arguments: [number])
      else { return nil }
      guard let header = BlockHeader([UInt8](row["header"] as Data)),
        let hash = Digest(bytes: [UInt8](row["hash"] as Data))
      else { throw LedgerError.corrupt("block \(height) cannot be read") }
      let transactions = try Row.fetchAll(
        database, sql: "SELECT * FROM transactions WHERE position BETWEEN ? AND ? ORDER BY position",
        arguments: [Position(height, 0).rowID, Position(height, 0xF_FFFF).rowID]
      ).map(Self.transaction)
      let layers = try Row.fetchAll(database, sql: "SELECT * FROM layers WHERE height = ?", arguments: [number]).map {
        LayerVersion(
          namespace: Namespace($0["namespace"]), library: Digest(bytes: [UInt8]($0["library"] as Data)) ?? .zero)
      }
      return StoredBlock(
        header: header, hash: hash, signature: [UInt8](row["signature"] as Data), transactions: transactions.map(\.0),
        receipts: transactions.map(\.1), layers: layers.sorted())
    }
  }

  /// An account's history, newest first; `next` continues it and stays valid whatever is added meanwhile.
  package func history(
    of account: AccountID, cursor: String, limit: Int
  ) throws(LedgerError) -> (entries: [HistoryEntry], next: String?) {
    guard (1...200).contains(limit) else {
      throw LedgerError(.invalidArgument, "invalid_limit", "`limit` is between 1 and 200, not \(limit).")
    }
    guard let start = HistoryCursor(cursor) else {
      throw LedgerError(
        .invalidArgument, "invalid_cursor", "`cursor` is empty or the `next` of an earlier page, not \"\(cursor)\".")
    }
    let rows = try read { database in
      let statement = try database.cachedStatement(
        sql: """
          SELECT e.position, e.part, e.kind, e.counterparty, e.amount, t.bytes, t.status
          FROM entries e LEFT JOIN transactions t ON t.position = e.position
          WHERE e.account = ? AND (e.position, e.part) < (?, ?) ORDER BY e.position DESC, e.part DESC LIMIT ?
          """)
      return try Row.fetchAll(
        statement, arguments: [Data(account.bytes), start.position, start.part, limit + 1])
    }
    do {
      let entries = try rows.prefix(limit).map(Self.entry)
      guard rows.count > limit else { return (entries, nil) }
      let last = rows[limit - 1]
      return (entries, HistoryCursor(position: last["position"], part: last["part"]).text)
    } catch {
      throw LedgerError(error, at: path)
    }
  }

  private static func transaction(_ row: Row) throws -> (SignedTransaction, Receipt) {
    let transaction = try SignedTransaction(trusting: [UInt8](row["bytes"] as Data))
    let position = Position(rowID: row["position"])
    let status: UInt32 = row["status"]
    var outcome = Outcome(status: status, code: row["code"], message: row["message"])
    outcome.result = [UInt8](row["result"] as Data)
    return (
      transaction,
      Receipt(transaction: transaction.id, height: position.height, index: position.index, outcome: outcome)
    )
  }

  private static func entry(_ row: Row) throws -> HistoryEntry {
    let position = Position(rowID: row["position"])
    let transaction = try (row["bytes"] as Data?).map { try SignedTransaction(trusting: [UInt8]($0)) }
    guard let kind = EntryKind(rawValue: row["kind"]) else { throw LedgerError.corrupt("an entry cannot be read") }
    return HistoryEntry(
      height: position.height, index: position.index, transaction: transaction?.id, method: transaction?.body.method,
      kind: kind, counterparty: (row["counterparty"] as Data?).flatMap { AccountID([UInt8]($0)) },
      amount: Amount(UInt64(bitPattern: row["amount"] as Int64)), status: row["status"] as UInt32? ?? 0)
  }
}

/// A place in an account's history: everything before it is still to be read.
struct HistoryCursor {
  let position: Int64
  let part: Int64

  init(position: Int64, part: Int64) {
    self.position = position
    self.part = part
  }

  /// The newest end for an empty text; nil for what `text` never wrote.
  init?(_ text: String) {
    guard !text.isEmpty else {
      self.init(position: .max, part: .max)
      return
    }
    let fields = text.split(separator: ".", omittingEmptySubsequences: false)
    guard fields.count == 2, let position = Int64(fields[0]), let part = Int64(fields[1]), position >= 0 else {
      return nil
    }
    self.init(position: position, part: part)
  }

  var text: String { "\(position).\(part)" }
}
