import Canonical
import Foundation
import LedgerCore
import Testing

/// A process that transfers without end is killed at random moments; whatever it acknowledged must be there.
struct CrashTests {
  private static let kills = 25

  @Test func nothingAcknowledgedIsLostWhenTheProcessIsKilled() throws {
    let seed = UInt64.random(in: 0...(.max))
    var generator = SeededGenerator(seed: seed)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ledger-crash-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var acknowledged: [String] = []
    for _ in 0..<Self.kills {
      let delay = Double.random(in: 0.002...0.12, using: &generator)
      acknowledged += try Self.runAndKill(folder, afterFirstReceipt: delay)
      try Self.verify(folder, acknowledged, seed)
    }
    #expect(acknowledged.count > Self.kills * 2, "seed \(seed): the test killed before anything happened")
    #expect(Set(acknowledged).count == acknowledged.count, "seed \(seed): a transaction was acknowledged twice")
    print("killed \(Self.kills) times, \(acknowledged.count) acknowledged transfers, seed \(seed)")
  }

  /// Starts the child, kills it some time after its first receipt, returns the complete lines it wrote.
  private static func runAndKill(_ folder: String, afterFirstReceipt delay: Double) throws -> [String] {
    let child = Process()
    let output = Pipe()
    child.executableURL = try executable()
    child.arguments = ["--crash-child", folder]
    child.standardOutput = output
    try child.run()
    var written = output.fileHandleForReading.availableData
    Thread.sleep(forTimeInterval: delay)
    kill(child.processIdentifier, SIGKILL)
    child.waitUntilExit()
    written.append(try output.fileHandleForReading.readToEnd() ?? Data())
    #expect(child.terminationReason == .uncaughtSignal, "the child ended by itself: \(child.terminationStatus)")
    let lines = String(decoding: written, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
    return lines.dropLast().map(String.init)
  }

  /// Opens what is left: every receipt is there, the chain holds, and the balances are those of the transfers.
  private static func verify(_ folder: String, _ acknowledged: [String], _ seed: UInt64) throws {
    guard let authority = KeyPair(seed: Digest(of: Array("bench key 0".utf8)).bytes) else { throw TestNetwork.NoKey() }
    let machine = StateMachine(
      genesis: Genesis(
        network: "symbolon-bench", authority: authority.account, supply: Amount(1_000_000_000_000)))
    let store = try Store(folder: folder, machine: machine)
    try store.audit()
    for line in acknowledged {
      let fields = line.split(separator: " ").map(String.init)
      let id = try #require(octets(hexadecimal: fields[0]).flatMap(Digest.init(bytes:)))
      let (transaction, receipt) = try #require(try store.transaction(id), "seed \(seed): \(line) is lost")
      #expect(receipt.outcome.succeeded && receipt.height.description == fields[1], "seed \(seed)")
      #expect(transaction.body.lane.number.description == fields[2], "seed \(seed)")
      #expect(transaction.body.sequence.description == fields[3], "seed \(seed)")
    }
    var paid: UInt64 = 0
    for lane in UInt32(0)..<4 {
      let used = try store.nextSequence(of: authority.account, Lane(lane)).value
      paid += (0..<used).reduce(0) { $0 + 1 + $1 % 3 }
    }
    #expect(try store.account(authority.account)?.balance == Amount(1_000_000_000_000 - paid), "seed \(seed)")
  }

  /// The benchmark's program, beside the test's own.
  private static func executable() throws -> URL {
    var folder = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
    for _ in 0..<4 {
      let candidate = folder.appendingPathComponent("LedgerBench")
      if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
      folder = folder.deletingLastPathComponent()
    }
    throw LedgerError(.notFound, "no_child", "LedgerBench is not built: run `swift build` first.")
  }
}
