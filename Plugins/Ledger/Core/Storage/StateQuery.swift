import Foundation
import GRDB

/// Reading the state table.
enum StateQuery {
  static func value(_ database: Database, _ namespace: Namespace, _ key: [UInt8]) throws -> [UInt8]? {
    let statement = try database.cachedStatement(sql: "SELECT value FROM state WHERE namespace = ? AND key = ?")
    return try Data.fetchOne(statement, arguments: [namespace.name, Data(key)]).map { [UInt8]($0) }
  }

  static func range(
    _ database: Database, _ namespace: Namespace, prefix: [UInt8], after: [UInt8], limit: Int
  ) throws -> [StateEntry] {
    // Both bounds matter: the later of prefix and `after` begins, the end of the prefix ends.
    let startsAtPrefix = after.lexicographicallyPrecedes(prefix)
    var sql = "SELECT key, value FROM state WHERE namespace = ? AND key \(startsAtPrefix ? ">=" : ">") ?"
    var arguments: StatementArguments = [namespace.name, Data(startsAtPrefix ? prefix : after)]
    if let end = end(of: prefix) {
      sql += " AND key < ?"
      arguments += [Data(end)]
    }
    sql += " ORDER BY key LIMIT ?"
    arguments += [limit]
    let statement = try database.cachedStatement(sql: sql)
    return try Row.fetchAll(statement, arguments: arguments).map { row in
      StateEntry(key: [UInt8](row["key"] as Data), value: [UInt8](row["value"] as Data))
    }
  }

  /// The first key after all keys with this prefix; nil when there is none.
  private static func end(of prefix: [UInt8]) -> [UInt8]? {
    var end = prefix
    while let last = end.popLast() {
      if last < 255 { return end + [last + 1] }
    }
    return nil
  }
}
