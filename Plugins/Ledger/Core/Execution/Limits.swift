/// What bounds a transaction and a block: counted operations and bytes, never time, so that every node agrees.
package struct Limits: Hashable, Sendable {
  package var transactionBytes = 16 * 1024
  package var blockTransactions = 4096
  package var blockBytes = 1024 * 1024
  /// Reads, writes, movements, events and listed entries of one transaction.
  package var operations = 20_000
  /// Keys and values read and written by one transaction.
  package var stateBytes = 8 * 1024 * 1024
  package var keyBytes = 1024
  package var valueBytes = 256 * 1024
  package var topicBytes = 128
  package var eventBytes = 64 * 1024
  /// How far ahead a transaction's validity may reach.
  package var validityBlocks: UInt64 = 10_000

  package init() {}
}

/// Counts what a transaction does; the first excess is remembered, whatever the layer makes of it.
package struct Meter: Sendable {
  private var operations: Int
  private var bytes: Int
  private let limits: Limits

  package init(_ limits: Limits) {
    self.limits = limits
    operations = limits.operations
    bytes = limits.stateBytes
  }

  package mutating func charge(operations count: Int = 1, bytes size: Int = 0) throws(LedgerError) {
    operations -= count
    bytes -= size
    guard operations >= 0, bytes >= 0 else {
      throw LedgerError(
        .resourceExhausted, "work_exceeded",
        "The transaction did more than \(limits.operations) operations or touched more than \(limits.stateBytes) bytes "
          + "of state: split it.")
    }
  }
}
