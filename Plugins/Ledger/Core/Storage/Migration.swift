import Canonical
import Foundation
import GRDB

/// Brings a database of an older version to the present one, in one SQL transaction: all of it or nothing.
enum Migration {
  static func run(_ pool: DatabasePool, from version: Int, _ path: String) throws {
    guard version == 1 else {
      throw LedgerError(
        .failedPrecondition, "ledger_unknown", "\(path) has the schema \(version), which no Symbolon ever wrote.")
    }
    try checkRoots(pool)
    let trees = try Store.growTrees(pool)
    try pool.write { database in
      try database.execute(sql: Schema.layers)
      for (namespace, tree) in trees {
        try database.execute(
          sql: "INSERT OR REPLACE INTO namespaces (name, root) VALUES (?, ?)",
          arguments: [namespace.name, Data(tree.root.bytes)])
      }
      try database.execute(sql: "PRAGMA user_version = \(Schema.version)")
    }
  }

  /// The state root of a block of version 1: RFC 6962 over the namespaces' roots, which were chains of changes.
  private static func checkRoots(_ pool: DatabasePool) throws {
    let head = try Store.loadHead(pool)
    let leaves = try pool.read { database in
      try Row.fetchAll(database, sql: "SELECT name, root FROM namespaces").map { row in
        (Namespace(row["name"]), Digest(bytes: [UInt8](row["root"] as Data)) ?? .zero)
      }
    }.sorted { $0.0 < $1.0 }.map { StateRoot.leaf($0.0, $0.1) }
    guard MerkleTree.root(of: leaves) == head.header.stateRoot else {
      throw LedgerError.corrupt("the namespaces do not give the state root of block \(head.header.height)")
    }
  }
}
