import Foundation
import Testing

/// Reloads that move state, fail, are watched and are taken back.
@Suite struct ReloadTransactionTests {
  /// A node with version 1 of the counter, which has counted to `count`.
  private func counterNode(
    policy: String = "probation_ms = 60000", count: Int = 2
  ) throws -> (node: RunningNode, library: String) {
    let library = "/tmp/symbolon-counter-\(UUID().uuidString).so"
    try RunningNode.put(try RunningNode.stateful("VERSION=\"1.0.0\""), at: library)
    let node = try RunningNode(
      plugins: "[plugin.counter]\nlibrary = \"\(library)\"\n[plugin.counter.reload]\n\(policy)\n")
    for _ in 0..<count { try node.command("counter", "increment") }
    return (node, library)
  }

  private static func second(_ more: String...) throws -> String {
    try RunningNode.stateful(["VERSION=\"2.0.0\"", "SCHEMA=2"] + more)
  }

  @Test func stateGoesToTheNewVersionAndBack() throws {
    let (node, old) = try counterNode()
    defer { node.stop() }
    let up = try node.command("plugin", "reload", "counter", "--library", try Self.second(), "--json")
    #expect(up.status == 0 && up.out.contains("\"state_version\":2") && up.out.contains("probation"), "\(up.err)")
    #expect(try node.command("counter", "version").out == "2.0.0\n")
    #expect(try node.command("counter", "increment").out == "3\n")
    let down = try node.command("plugin", "reload", "counter", "--library", old)
    #expect(down.status == 0 && down.out.contains("2.0.0 → 1.0.0"), "\(down.err)")
    #expect(try node.command("counter", "increment").out == "4\n")
    let snapshots = try FileManager.default.contentsOfDirectory(atPath: "\(node.scratch)/data/snapshots/counter")
    #expect(snapshots.filter { $0.hasSuffix(".state") }.count == 2)
  }

  @Test(arguments: [
    (["DIFFERS"], "state_differs"), (["FAILS_TO_IMPORT"], "no_import"), (["FAILS_TO_START"], "no_start"),
    (["FAILS_TO_CREATE"], "no_luck"), (["DESCRIBE_CRASHES"], "describe_crashed"),
    (["DESCRIBE_EXITS"], "describe_garbage"), (["DESCRIBE_HANGS"], "describe_timed_out"),
    (["SCHEMA=3", "KNOWN=3"], "no_way_for_state"), (["SCHEMA_ID=\"other\""], "drops_state"),
  ])
  func whatFailsBeforeTheSwitchLeavesTheOldOne(_ flaw: [String], _ code: String) throws {
    let (node, _) = try counterNode()
    defer { node.stop() }
    let bad = try RunningNode.stateful(["VERSION=\"2.0.0\"", "SCHEMA=2"] + flaw)
    let reload = try node.command("plugin", "reload", "counter", "--library", bad, "--json")
    #expect(reload.status != 0 && reload.err.contains("\"\(code)\""), "\(reload.err)")
    #expect(try node.command("counter", "version").out == "1.0.0\n")
    #expect(try node.command("counter", "increment").out == "3\n")
    #expect(try node.command("plugin", "history", "counter").out.contains("rejected"))
    #expect(!FileManager.default.fileExists(atPath: "\(node.scratch)/data/loading/counter"))
    guard code == "describe_crashed" else { return }
    let again = try node.command("plugin", "reload", "counter", "--library", bad)
    #expect(again.err.contains("quarantined"), "\(again.err)")
  }

  @Test func aWayWithoutReturnNeedsAWord() throws {
    let (node, _) = try counterNode()
    defer { node.stop() }
    let library = try RunningNode.stateful("VERSION=\"3.0.0\"", "STATELESS")
    let refused = try node.command("plugin", "reload", "counter", "--library", library)
    #expect(refused.status == 1 && refused.err.contains("--one-way"), "\(refused.err)")
    let agreed = try node.command("plugin", "reload", "counter", "--library", library, "--one-way")
    #expect(agreed.status == 0, "\(agreed.err)")
    #expect(try node.command("counter", "version").out == "3.0.0\n")
  }

  @Test func aDryRunChangesNothing() throws {
    let (node, _) = try counterNode()
    defer { node.stop() }
    let dry = try node.command("plugin", "reload", "counter", "--library", try Self.second(), "--dry-run")
    #expect(dry.status == 0 && dry.out.contains("version 2"), "\(dry.err)")
    #expect(try node.command("counter", "version").out == "1.0.0\n")
  }

  @Test func aDrainThatTakesTooLongNamesTheCall() throws {
    let (node, _) = try counterNode(policy: "drain_ms = 200")
    defer { node.stop() }
    let gate = "\(node.scratch)/gate"
    let held = try node.begin("counter", "hold", gate)
    try node.waitForCall(in: "counter")
    let reload = try node.command("plugin", "reload", "counter", "--library", try Self.second())
    #expect(reload.status == 1 && reload.err.contains("200 ms"), "\(reload.err)")
    #expect(reload.err.contains("counter.hold"), "\(reload.err)")
    #expect(try node.command("counter", "increment").out == "3\n")
    try node.open(gate)
    _ = try held.rest()
  }

  @Test func tooManyErrorsInProbationBringTheOldOneBack() throws {
    let (node, _) = try counterNode()
    defer { node.stop() }
    #expect(try node.command("plugin", "reload", "counter", "--library", try Self.second("FLAWED")).status == 0)
    #expect(try node.command("counter", "increment").out == "3\n")
    #expect(try node.command("plugin", "list").out.contains("probation"))
    for _ in 0..<24 { try node.command("counter", "flaw") }
    try node.waitUntil { try node.command("counter", "version").out == "1.0.0\n" }
    #expect(try node.command("counter", "increment").out == "4\n", "the state came back too")
    #expect(try node.command("plugin", "history", "counter", "--json").out.contains("error_budget"))
  }

  @Test func theOperatorGoesBackInProbationAndAfterwards() throws {
    let (node, _) = try counterNode(policy: "probation_ms = 100")
    defer { node.stop() }
    let up = try node.command("plugin", "reload", "counter", "--library", try Self.second(), "--wait-permanent")
    #expect(up.out.contains("permanent"), "\(up.err)")
    try node.command("counter", "increment")
    let back = try node.command("plugin", "rollback", "counter")
    #expect(back.status == 0, "\(back.err)")
    #expect(try node.command("counter", "version").out == "1.0.0\n")
    #expect(try node.command("counter", "increment").out == "4\n")
  }

  @Test func laterRequestsAreCoalescedAndAcknowledged() throws {
    let (node, _) = try counterNode()
    defer { node.stop() }
    let gate = "\(node.scratch)/gate"
    let slow = try Self.second("START_GATE=\"\(gate)\"")
    let never = try RunningNode.stateful("VERSION=\"3.0.0\"")
    let last = try RunningNode.stateful("VERSION=\"4.0.0\"")
    let tickets = try [slow, never, last].map { library in
      let out = try node.command("plugin", "reload", "counter", "--library", library, "--no-wait", "--json").out
      return try #require(out.firstMatch(of: /"ticket":"([0-9a-f]{16})"/)?.1).description
    }
    try node.open(gate)
    try node.waitUntil { try node.command("counter", "version").out == "4.0.0\n" }
    #expect(try node.command("plugin", "reload-status", tickets[1]).out.contains(tickets[2]))
    #expect(try node.command("plugin", "reload-status", tickets[2]).out.contains("probation"))
    #expect(try !node.command("plugin", "history", "counter").out.contains("3.0.0"))
    #expect(try node.command("plugin", "reload-status", "0000000000000000").status == 4)
  }

  @Test func aReloadOutlivesARestartUntilTheConfiguredFileChanges() throws {
    let (node, configured) = try counterNode()
    defer { node.stop() }
    #expect(try node.command("plugin", "reload", "counter", "--library", try Self.second()).status == 0)
    try node.command("counter", "increment")
    try node.restart(killing: true)
    #expect(try node.command("counter", "version").out == "2.0.0\n", "\(node.log)")
    #expect(try node.command("counter", "increment").out == "4\n")
    #expect(try node.command("plugin", "history", "counter").out.contains("1.0.0"))
    try RunningNode.put(try RunningNode.stateful("VERSION=\"1.1.0\""), at: configured)
    try node.restart()
    #expect(try node.command("counter", "version").out == "1.1.0\n", "\(node.log)")
  }
}
