import Canonical
import Foundation
import GRDB
import Synchronization

/// The ledger on disk: SQLite with a write-ahead log, synchronous FULL, one SQL transaction a block.
package final class Store: Sendable {
  package let path: String
  package let chain: Digest
  let pool: DatabasePool
  private let lock: FolderLock
  private let memory: Mutex<Memory>

  /// What is kept in memory about the last committed block.
  private struct Memory {
    var head: Head
    var trees: [Namespace: StateTree]
    var cache = StateCache()
  }

  /// The last committed block.
  package struct Head: Sendable {
    package let header: BlockHeader
    package let hash: Digest
  }

  /// Opens the ledger in a folder, or founds it there.
  ///
  /// - Throws: a sentence and what to do, when the folder is in use, not writable, damaged, of another network or of a
  ///   newer version. Nothing is ever deleted.
  package init(folder: String, machine: StateMachine) throws(LedgerError) {
    path = folder + "/ledger.sqlite"
    chain = machine.chain
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw LedgerError(
        .unavailable, "storage_permission",
        "The folder \(folder) cannot be made (\(error.localizedDescription)): make it, or give another data folder.")
    }
    lock = try FolderLock(folder)
    do {
      pool = try Self.connect(path)
      try Self.found(pool, machine, path)
      memory = Mutex(Memory(head: try Self.loadHead(pool), trees: try Self.growTrees(pool)))
    } catch {
      throw LedgerError(error, at: path)
    }
    try check()
  }

  /// Closes the database and lets another process or generation open it; later reads fail.
  package func close() {
    try? pool.close()  // Busy only while a reader still runs; the connections close with it.
    lock.release()
  }

  package var head: Head { memory.withLock(\.head) }

  /// Committed state, as a block's execution reads it.
  package var state: CommittedState { CommittedState(store: self) }

  /// Stores a block; when this returns it survives a crash, when it throws nothing of it was written.
  package func commit(
    _ block: ExecutedBlock, signature: [UInt8], wakeUntil: Height
  ) throws(LedgerError) {
    do {
      try pool.write { try BlockWriter(database: $0).write(block, signature: signature, wakeUntil: wakeUntil) }
    } catch {
      throw LedgerError(error, at: path)
    }
    memory.withLock { memory in
      memory.head = Head(header: block.header, hash: block.hash)
      memory.trees.merge(block.trees) { $1 }
      for namespace in block.changes {
        for (key, value) in namespace.changes { memory.cache[namespace.namespace, key] = .some(value) }
      }
    }
  }

  /// Until which height blocks are made without traffic, as the last block left it.
  package func wakeUntil() throws(LedgerError) -> Height {
    try read { database in
      let value = try Int64.fetchOne(database, sql: "SELECT value FROM meta WHERE key = 'wake'") ?? 0
      return Height(UInt64(clamping: value))
    }
  }

  /// Allows the database this many pages at most; nil for no limit of its own.
  package func limit(pages: Int?) throws(LedgerError) {
    do {
      try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA max_page_count = \(pages ?? 4_294_967_294)") }
    } catch {
      throw LedgerError(error, at: path)
    }
  }

  /// Runs a query on a snapshot of committed blocks.
  func read<R>(_ body: (Database) throws -> R) throws(LedgerError) -> R {
    do {
      return try pool.read(body)
    } catch {
      throw LedgerError(error, at: path)
    }
  }

  /// The last committed block and the trees of its state.
  package var snapshot: (head: Head, trees: [Namespace: StateTree]) { memory.withLock { ($0.head, $0.trees) } }

  /// Reads on the writer's connection through the cache: for executions only, which never overlap a commit.
  fileprivate func value(_ namespace: Namespace, _ key: [UInt8]) throws(LedgerError) -> [UInt8]? {
    if let known = memory.withLock({ $0.cache[namespace, key] }) { return known }
    do {
      let value = try pool.writeWithoutTransaction { try StateQuery.value($0, namespace, key) }
      memory.withLock { $0.cache[namespace, key] = .some(value) }
      return value
    } catch {
      throw LedgerError(error, at: path)
    }
  }

  fileprivate func range(
    _ namespace: Namespace, prefix: [UInt8], after: [UInt8], limit: Int
  ) throws(LedgerError) -> [StateEntry] {
    do {
      return try pool.writeWithoutTransaction {
        try StateQuery.range($0, namespace, prefix: prefix, after: after, limit: limit)
      }
    } catch {
      throw LedgerError(error, at: path)
    }
  }
}

/// The state after the last committed block.
package struct CommittedState: StateReader {
  fileprivate let store: Store

  package func value(_ namespace: Namespace, _ key: [UInt8]) throws(LedgerError) -> [UInt8]? {
    try store.value(namespace, key)
  }

  package func range(
    _ namespace: Namespace, prefix: [UInt8], after: [UInt8], limit: Int
  ) throws(LedgerError) -> [StateEntry] {
    try store.range(namespace, prefix: prefix, after: after, limit: limit)
  }

  package func trees() -> [Namespace: StateTree] { store.snapshot.trees }
}

/// Recently used values, in two generations: when the young one is full, it becomes the old one.
private struct StateCache {
  private static let capacity = 100_000
  private var young: [Namespace: [[UInt8]: [UInt8]?]] = [:]
  private var old: [Namespace: [[UInt8]: [UInt8]?]] = [:]
  private var count = 0

  /// Outer nil: not known here; inner nil: known to be absent.
  subscript(namespace: Namespace, key: [UInt8]) -> [UInt8]?? {
    mutating get {
      if let value = young[namespace]?[key] { return .some(value) }
      guard let value = old[namespace]?[key] else { return nil }
      self[namespace, key] = .some(value)
      return .some(value)
    }
    set {
      guard let newValue else { return }
      if count >= Self.capacity {
        old = young
        young = [:]
        count = 0
      }
      if young[namespace, default: [:]].updateValue(newValue, forKey: key) == nil { count += 1 }
    }
  }
}
