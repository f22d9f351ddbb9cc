import Canonical
import Foundation
import GRDB

/// Writes one executed block; the caller's SQL transaction makes it all or nothing.
struct BlockWriter {
  let database: Database

  func write(_ block: ExecutedBlock, signature: [UInt8], wakeUntil: Height) throws {
    let height = block.header.height
    try run(
      "INSERT INTO blocks (height, hash, header, signature) VALUES (?, ?, ?, ?)",
      [
        Int64(clamping: height.value), Data(block.hash.bytes), Data(block.header.bytes), Data(signature),
      ])
    try writeTransactions(block)
    for namespace in block.changes { try write(namespace, root: block.trees[namespace.namespace]?.root ?? .zero) }
    for layer in block.layers {
      try run(
        "INSERT INTO layers (height, namespace, library) VALUES (?, ?, ?)",
        [Int64(clamping: height.value), layer.namespace.name, Data(layer.library.bytes)])
    }
    try writeEntries(block)
    for (part, event) in block.events.enumerated() {
      try run(
        "INSERT INTO events (position, part, namespace, topic, payload) VALUES (?, ?, ?, ?, ?)",
        [Position(height, event.transaction).rowID, part, event.namespace.name, event.topic, event.payload])
    }
    try run("INSERT OR REPLACE INTO meta (key, value) VALUES ('wake', ?)", [Int64(clamping: wakeUntil.value)])
  }

  private func writeTransactions(_ block: ExecutedBlock) throws {
    let statement = try database.cachedStatement(
      sql: """
        INSERT INTO transactions (position, id, bytes, status, code, message, result) VALUES (?, ?, ?, ?, ?, ?, ?)
        """)
    for (transaction, receipt) in zip(block.transactions, block.receipts) {
      let outcome = receipt.outcome
      try statement.execute(arguments: [
        Position(receipt.height, receipt.index).rowID, Data(transaction.id.bytes), Data(transaction.bytes),
        outcome.status, outcome.code, outcome.message, Data(outcome.result),
      ])
    }
  }

  private func write(_ namespace: NamespaceChanges, root: Digest) throws {
    let put = try database.cachedStatement(
      sql: """
        INSERT INTO state (namespace, key, value) VALUES (?, ?, ?)
        ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value
        """)
    for (key, value) in namespace.changes {
      if let value {
        try put.execute(arguments: [namespace.namespace.name, Data(key), Data(value)])
      } else {
        try run("DELETE FROM state WHERE namespace = ? AND key = ?", [namespace.namespace.name, Data(key)])
      }
    }
    try run(
      "INSERT OR REPLACE INTO namespaces (name, root) VALUES (?, ?)", [namespace.namespace.name, Data(root.bytes)])
  }

  /// One row an account and movement; a sender whose transaction moved nothing of his gets a row all the same.
  private func writeEntries(_ block: ExecutedBlock) throws {
    let statement = try database.cachedStatement(
      sql: """
        INSERT INTO entries (account, position, part, kind, counterparty, amount) VALUES (?, ?, ?, ?, ?, ?)
        """)
    let height = block.header.height
    var payers = [AccountID?](repeating: nil, count: block.transactions.count)
    for (part, movement) in block.movements.enumerated() {
      let position = Position(height, movement.transaction).rowID
      let (from, to) = (Data(movement.from.bytes), Data(movement.to.bytes))
      let amount = Int64(bitPattern: movement.amount.credits)
      try statement.execute(arguments: [from, position, part, EntryKind.debit.rawValue, to, amount])
      try statement.execute(arguments: [to, position, part, EntryKind.credit.rawValue, from, amount])
      guard payers.indices.contains(movement.transaction) else { continue }
      let sender = block.transactions[movement.transaction].body.sender
      if movement.from == sender || movement.to == sender { payers[movement.transaction] = sender }
    }
    for (index, transaction) in block.transactions.enumerated() where payers[index] == nil {
      try statement.execute(arguments: [
        Data(transaction.body.sender.bytes), Position(height, index).rowID, -1, EntryKind.call.rawValue, nil, 0,
      ])
    }
  }

  private func run(_ sql: String, _ arguments: StatementArguments) throws {
    try database.cachedStatement(sql: sql).execute(arguments: arguments)
  }
}

/// What a line of an account's history is.
package enum EntryKind: Int, Sendable {
  /// Credits left the account.
  case debit = 0
  /// Credits arrived.
  case credit = 1
  /// The account signed a transaction that moved none of its credits.
  case call = 2

  package var name: String {
    switch self {
    case .debit: "debit"
    case .credit: "credit"
    case .call: "call"
    }
  }
}
