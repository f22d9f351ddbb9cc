import Canonical
import Foundation
import GRDB

extension Store {
  static func connect(_ path: String) throws -> DatabasePool {
    var configuration = Configuration()
    configuration.busyMode = .timeout(5)
    configuration.maximumReaderCount = 8
    let pool = try DatabasePool(path: path, configuration: configuration)
    try pool.writeWithoutTransaction { database in
      // The pool chooses NORMAL, with which an acknowledged block could be lost when the power goes.
      try database.execute(sql: "PRAGMA synchronous = FULL")
      try database.execute(sql: "PRAGMA wal_autocheckpoint = 4000")
      try database.execute(sql: "PRAGMA cache_size = -65536")
    }
    return pool
  }

  /// Makes the tables and block 0 in an empty file; checks the marks of any other.
  static func found(_ pool: DatabasePool, _ machine: StateMachine, _ path: String) throws {
    let (application, version, tables) = try pool.read { database in
      (
        try Int.fetchOne(database, sql: "PRAGMA application_id") ?? 0,
        try Int.fetchOne(database, sql: "PRAGMA user_version") ?? 0,
        try Int.fetchOne(database, sql: "SELECT count(*) FROM sqlite_schema") ?? 0
      )
    }
    if application == 0, version == 0, tables == 0 {
      let genesis = try machine.genesisBlock()
      return try pool.write { database in
        try database.execute(sql: Schema.tables)
        try database.execute(sql: "PRAGMA application_id = \(Schema.applicationID)")
        try database.execute(sql: "PRAGMA user_version = \(Schema.version)")
        try database.execute(
          sql: "INSERT INTO meta (key, value) VALUES ('chain', ?), ('network', ?)",
          arguments: [Data(machine.chain.bytes), machine.genesis.network])
        try BlockWriter(database: database).write(genesis, signature: [], wakeUntil: .genesis)
      }
    }
    guard application == Schema.applicationID else {
      throw LedgerError(
        .failedPrecondition, "not_a_ledger",
        "\(path) is a database of some other program: move it away, or give this node another data folder.")
    }
    guard version <= Schema.version else {
      throw LedgerError(
        .failedPrecondition, "ledger_newer",
        "\(path) was written by a newer Symbolon (schema \(version), this one knows \(Schema.version)): run that "
          + "version again, or upgrade this one.")
    }
    if version < Schema.version { try Migration.run(pool, from: version, path) }
    let (chain, network) = try pool.read { database in
      (
        try Data.fetchOne(database, sql: "SELECT value FROM meta WHERE key = 'chain'").map { [UInt8]($0) } ?? [],
        try String.fetchOne(database, sql: "SELECT value FROM meta WHERE key = 'network'") ?? "?"
      )
    }
    guard chain == machine.chain.bytes else {
      throw LedgerError(
        .failedPrecondition, "other_network",
        "\(path) belongs to network \(network), chain \(hexadecimal(chain)); the settings and this node's identity say "
          + "network \(machine.genesis.network), chain \(machine.chain). Set `network`, `supply` and `authority` of "
          + "[plugin.ledger.settings] as they were, or give another data folder: nothing was changed.")
    }
  }

  static func loadHead(_ pool: DatabasePool) throws -> Head {
    let row = try pool.read {
      try Row.fetchOne($0, sql: "SELECT hash, header FROM blocks ORDER BY height DESC LIMIT 1")
    }
    guard let row, let header = BlockHeader([UInt8](row["header"] as Data)),
      let hash = Digest(bytes: [UInt8](row["hash"] as Data))
    else { throw LedgerError.corrupt("the last block cannot be read") }
    return Head(header: header, hash: hash)
  }

  /// The trees of the state as the tables hold it: whatever changed there since the last block changes a root.
  static func growTrees(_ pool: DatabasePool) throws -> [Namespace: StateTree] {
    try pool.read { database in
      var changes: [Namespace: [StateTree.Change]] = [:]
      let rows = try Row.fetchCursor(database, sql: "SELECT namespace, key, value FROM state")
      while let row = try rows.next() {
        let (key, value) = ([UInt8](row["key"] as Data), [UInt8](row["value"] as Data))
        changes[Namespace(row["namespace"]), default: []].append(StateTree.Change(key: key, value: value))
      }
      var trees = changes.mapValues { StateTree().applying($0) }
      // One whose last key went is still a part of the state.
      for name in try String.fetchAll(database, sql: "SELECT name FROM namespaces") {
        if trees[Namespace(name)] == nil { trees[Namespace(name)] = StateTree() }
      }
      return trees
    }
  }

  /// What a start checks: the newest blocks, the roots, and in a small database everything SQLite can see.
  func check() throws(LedgerError) {
    let head = head
    let oldest = head.header.height.value - min(head.header.height.value, 64)
    try verifyChain(from: Height(oldest))
    try checkState()
    let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
    guard size <= 64 << 20 else { return }
    let said = try read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") ?? "?" }
    guard said == "ok" else { throw .corrupt(said) }
    try audit()
  }

  /// Compares the state with what the last block says of it; names the namespaces that differ.
  private func checkState() throws(LedgerError) {
    let (head, trees) = snapshot
    let roots = try read { database in
      try Row.fetchAll(database, sql: "SELECT name, root FROM namespaces").map { row in
        (Namespace(row["name"]), [UInt8](row["root"] as Data))
      }
    }
    let different = roots.filter { trees[$0.0]?.root.bytes != $0.1 }.map(\.0.name).sorted()
    guard different.isEmpty, roots.count == trees.count else {
      let names = different.isEmpty ? "a namespace" : different.joined(separator: ", ")
      throw .corrupt("the values of \(names) are not those that block \(head.header.height) left")
    }
    // The block before the first of version 2 says nothing of the trees; the migration checked it.
    guard head.header.version < 2 || StateRoot(trees).digest == head.header.stateRoot else {
      throw .corrupt("the namespaces do not give the state root of block \(head.header.height)")
    }
  }

  /// Follows the chain from a height to the head: hashes, signatures, transactions against their root.
  package func verifyChain(from start: Height) throws(LedgerError) {
    var previous: Digest?
    var height = start
    while height <= head.header.height {
      guard let block = try block(at: height) else { throw .corrupt("block \(height) is missing") }
      let leaves = block.receipts.map { $0.outcome.leaf(of: $0.transaction) }
      let layers = block.header.version < 2 ? block.header.layerRoot : MerkleTree.root(of: block.layers.map(\.leaf))
      let isSigned =
        height == .genesis
        || Ed25519.isValid(block.signature, of: block.header.bytes, by: block.header.proposer.bytes)
      guard block.header.chain == chain, block.header.height == height, block.header.hash == block.hash,
        previous.map({ $0 == block.header.previous }) ?? true, isSigned,
        MerkleTree.root(of: leaves) == block.header.transactionRoot, layers == block.header.layerRoot
      else { throw .corrupt("block \(height) does not fit its hash, its signature or its predecessor") }
      previous = block.hash
      height = height.next
    }
  }

  /// Adds up all accounts: what was debited was credited, and nobody but `@issuance` owes.
  package func audit() throws(LedgerError) {
    var debits: UInt128 = 0
    var credits: UInt128 = 0
    var after: [UInt8] = []
    while true {
      let start = after
      let page = try read {
        try StateQuery.range($0, .ledger, prefix: LedgerKey.accountPrefix, after: start, limit: 10_000)
      }
      for entry in page {
        guard let account = Account(entry.value) else { throw .corrupt("an account cannot be read") }
        guard account.credits >= account.debits || entry.key == LedgerKey.account(.issuance) else {
          throw .corrupt("account \(hexadecimal(Array(entry.key.dropFirst()))) owes")
        }
        debits &+= account.debits
        credits &+= account.credits
      }
      guard page.count == 10_000, let last = page.last else { break }
      after = last.key
    }
    guard debits == credits else { throw .corrupt("debits are \(debits) and credits are \(credits)") }
  }
}
