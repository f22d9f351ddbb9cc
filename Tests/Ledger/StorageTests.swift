import Canonical
import Foundation
import GRDB
import LedgerCore
import Testing

/// Databases that must be refused with a sentence, and disks that fill up.
struct StorageTests {
  @Test func stateSurvivesAStop() throws {
    let network = try TestNetwork()
    defer { network.remove() }
    let first = try network.open()
    let receipt = try first.submit(
      try network.transfer(5, from: network.authority, to: .issuance, sequence: 0).bytes)
    #expect(refusal { _ = try Store(folder: network.folder, machine: network.machine) } == "storage_in_use")
    first.stop()
    try reopen(network) { node throws in
      #expect(try node.transactionView(receipt.transaction).receipt.height == 1)
      #expect(node.store.head.header.height == Height(1))
    }
  }

  @Test func aDatabaseOfAnotherNetworkIsRefusedAndKept() throws {
    let network = try TestNetwork()
    defer { network.remove() }
    try found(network)
    let before = try rows(network)
    let other = try TestNetwork(network: "other", folder: network.folder)
    #expect(refusal { _ = try Store(folder: network.folder, machine: other.machine) } == "other_network")
    let richer = try TestNetwork(supply: 5, folder: network.folder)
    #expect(refusal { _ = try Store(folder: network.folder, machine: richer.machine) } == "other_network")
    #expect(try rows(network) == before)
    try found(network)
  }

  @Test func aNewerOrForeignDatabaseIsRefused() throws {
    let network = try TestNetwork()
    defer { network.remove() }
    try found(network)
    try change(network, "PRAGMA user_version = 999")
    #expect(refusal { try found(network) } == "ledger_newer")
    try change(network, "PRAGMA application_id = 7")
    #expect(refusal { try found(network) } == "not_a_ledger")
  }

  @Test func aFileThatIsNoDatabaseIsRefusedAndKept() throws {
    let network = try TestNetwork()
    defer { network.remove() }
    try FileManager.default.createDirectory(atPath: network.folder, withIntermediateDirectories: true)
    let rubbish = Data((0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 31) })
    try rubbish.write(to: database(network))
    #expect(refusal { try found(network) } == "ledger_corrupt")
    #expect(try Data(contentsOf: database(network)) == rubbish)
  }

  @Test(arguments: [
    "UPDATE blocks SET header = x'00' WHERE height = 1",
    "UPDATE blocks SET hash = zeroblob(32) WHERE height = 1",
    "UPDATE blocks SET signature = zeroblob(64) WHERE height = 1",
    "UPDATE transactions SET status = 9",
    "DELETE FROM transactions",
    "UPDATE namespaces SET root = zeroblob(32)",
    "UPDATE state SET value = zeroblob(40) WHERE namespace = 'ledger' AND value = (SELECT max(value) FROM state)",
    "DELETE FROM blocks WHERE height = 0",
  ])
  func aDatabaseThatWasTamperedWithIsRefused(sql: String) throws {
    let network = try TestNetwork()
    defer { network.remove() }
    try reopen(network) { node in
      _ = try node.submit(
        try network.transfer(5, from: network.authority, to: try TestNetwork.key(1).account, sequence: 0).bytes)
    }
    try change(network, sql)
    #expect(refusal { try found(network) } == "ledger_corrupt")
  }

  /// A database whose newest block is of version 1, as the first Symbolon wrote it.
  @Test func aDatabaseOfVersion1IsBroughtForward() throws {
    let network = try TestNetwork()
    defer { network.remove() }
    let target = try TestNetwork.key(1).account
    try reopen(network) { node in
      _ = try node.submit(try network.transfer(5, from: network.authority, to: target, sequence: 0).bytes)
    }
    let old = Digest(of: Array("a chain of changes".utf8))
    try makeOld(network, root: old)
    try reopen(network) { node in
      #expect(node.store.head.header.version == 1)
      #expect(refusal { _ = try node.prove(.ledger, key: LedgerKey.account(target)) } == "no_proof_yet")
      _ = try node.submit(try network.transfer(6, from: network.authority, to: target, sequence: 1).bytes)
      try node.prove(.ledger, key: LedgerKey.account(target)).check()
      try node.store.verifyChain(from: .genesis)
    }
    try found(network)
  }

  @Test func aDatabaseOfVersion1ThatWasTamperedWithIsRefusedAndKept() throws {
    let network = try TestNetwork()
    defer { network.remove() }
    try found(network)
    let old = Digest(of: Array("a chain of changes".utf8))
    try makeOld(network, root: old)
    try change(network, "UPDATE namespaces SET root = zeroblob(32)")
    #expect(refusal { try found(network) } == "ledger_corrupt")
    try change(network, "UPDATE namespaces SET root = x'\(old)'")
    try found(network)
  }

  /// Gives the newest block the form of version 1 and a signature for it.
  private func makeOld(_ network: TestNetwork, root: Digest) throws {
    let store = try Store(folder: network.folder, machine: network.machine)
    var header = store.head.header
    store.close()
    header.version = 1
    header.stateRoot = MerkleTree.root(of: [StateRoot.leaf(.ledger, root)])
    let signature = header.height == .genesis ? [] : network.authority.sign(header.bytes)
    try change(
      network,
      """
      DROP TABLE layers; PRAGMA user_version = 1; UPDATE namespaces SET root = x'\(root)';
      UPDATE blocks SET header = x'\(hexadecimal(header.bytes))', hash = x'\(header.hash)',
        signature = x'\(hexadecimal(signature))' WHERE height = \(header.height.value);
      """)
  }

  @Test func aFolderInTheWayIsRefused() throws {
    let network = try TestNetwork()
    defer { network.remove() }
    try FileManager.default.createDirectory(
      atPath: network.folder + "/ledger.sqlite", withIntermediateDirectories: true)
    #expect(refusal { try found(network) } == "storage_permission")
    let file = try TestNetwork(folder: "/dev/null/ledger")
    #expect(refusal { try found(file) } == "storage_permission")
  }

  @Test func aFullDiskRefusesWholeBlocksAndResumes() throws {
    let network = try TestNetwork([
      "layer.put": { context, arguments in
        try context.put(Namespace("layer"), Array(arguments.prefix(2)), [UInt8](repeating: 7, count: 60_000))
        return []
      }
    ])
    try network.run { node in
      let key = try TestNetwork.key(1)
      try node.store.limit(pages: 200)
      var sequence: UInt64 = 0
      var refused: LedgerError?
      while refused == nil, sequence < 200 {
        do {
          _ = try node.submit(
            try network.call("layer.put", [UInt8(sequence), 1], by: key, sequence: sequence).bytes)
          sequence += 1
        } catch let error as LedgerError {
          refused = error
        }
      }
      #expect(refused?.code == "storage_full" && sequence > 0)
      #expect(refused?.message.contains("Free some space") == true)
      #expect(node.store.head.header.height == Height(sequence))
      #expect(try node.store.value(Namespace("layer"), key: [UInt8(sequence), 1]) == nil)
      #expect(try node.accountView(key.account).sequence == sequence)
      try node.store.verifyChain(from: .genesis)
      try node.store.limit(pages: nil)
      _ = try node.submit(try network.call("layer.put", [UInt8(sequence), 1], by: key, sequence: sequence).bytes)
      #expect(node.store.head.header.height == Height(sequence + 1))
      try node.store.verifyChain(from: .genesis)
    }
  }

  private func database(_ network: TestNetwork) -> URL { URL(fileURLWithPath: network.folder + "/ledger.sqlite") }

  private func found(_ network: TestNetwork) throws { _ = try Store(folder: network.folder, machine: network.machine) }

  private func reopen(_ network: TestNetwork, _ body: (LedgerNode) throws -> Void) throws {
    let node = try network.open()
    defer { node.stop() }
    try body(node)
  }

  private func rows(_ network: TestNetwork) throws -> [[Row]] {
    let queue = try DatabaseQueue(path: database(network).path)
    defer { try? queue.close() }
    return try ["meta", "blocks", "state", "namespaces", "entries"].map { table in
      try queue.read { try Row.fetchAll($0, sql: "SELECT * FROM \(table)") }
    }
  }

  private func change(_ network: TestNetwork, _ sql: String) throws {
    let queue = try DatabaseQueue(path: database(network).path)
    try queue.writeWithoutTransaction { try $0.execute(sql: sql) }
    try queue.close()
  }
}
