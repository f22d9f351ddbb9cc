import Foundation
import GRDBSQLite
import PluginAPI
import PluginKit

/// A plugin with what a real one has: a database, tasks, dates and formatters.
final class Counter: @unchecked Sendable {  // Proof: the database serialises its users itself.
  private let database: OpaquePointer?
  private let started = Date.now
  private let clock = Ticker()

  init() {
    var database: OpaquePointer?
    sqlite3_open_v2(":memory:", &database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX, nil)
    sqlite3_exec(database, "CREATE TABLE calls (value INTEGER); INSERT INTO calls VALUES (0)", nil, nil, nil)
    self.database = database
    let clock = clock
    Task { for _ in 0..<8 { await clock.tick() } }
  }

  deinit { sqlite3_close_v2(database) }

  func take(_ number: UInt64) -> UInt64 {
    var statement: OpaquePointer?
    sqlite3_prepare_v2(database, "SELECT value + ?1 FROM calls", -1, &statement, nil)
    defer { sqlite3_finalize(statement) }
    // A formatter at work, as in a real plugin.
    guard !started.formatted(.iso8601).isEmpty else { return 0 }
    sqlite3_bind_int64(statement, 1, Int64(bitPattern: number))
    guard sqlite3_step(statement) == SQLITE_ROW else { return 0 }
    return UInt64(bitPattern: sqlite3_column_int64(statement, 0))
  }
}

actor Ticker {
  private var ticks = 0
  func tick() { ticks += 1 }
}

private let counter = Plugin(
  id: "counter", version: "1.0.0", summary: "A counter in Swift for measurements",
  methods: [
    Method("take", "Give a number back", .reads, u64("number"), returns: u64("number")) {
      (layer: Counter, call: Call, number: UInt64) in
      layer.take(number)
    }
  ], create: { _ in Counter() })

/// The one symbol that this library exports.
@c @implementation
public func symbolon_plugin_entry(_ abi: UInt32) -> UnsafePointer<symbolon_plugin>? { counter.describe(abi) }
