import Foundation
import Testing

/// What operators are told of plugins that do not do well, and of who made them.
@Suite struct OperatorStateTests {
  private static let binary = "\(RunningNode.binaries)/symbolon"

  private func object(_ text: String) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  private func table(_ library: String, _ more: String = "") -> String {
    "[plugin.counter]\nlibrary = \"\(library)\"\n\(more)"
  }

  // MARK: Libraries that do not survive being opened

  @Test(arguments: ["host", "worker"])
  func checkSurvivesALibraryThatCrashes(_ home: String) throws {
    let library = try RunningNode.stateful("DESCRIBE_CRASHES")
    let node = try RunningNode(idle: table(library, "home = \"\(home)\"\n"))
    defer { node.stop() }
    let result = try node.command("check")
    #expect(result.status != 0 && result.err.hasPrefix("symbolon: "), "\(result)")
    #expect(result.err.contains(home == "host" ? "by signal 6 (Aborted)" : "crashed (SIGABRT)"), "\(result)")
    #expect(try node.command("plugin", "inspect", library).out.contains("not sealed"))
  }

  @Test func sealSurvivesALibraryThatCrashesHangsOrEnds() throws {
    for (flaw, words) in [
      ("DESCRIBE_CRASHES", "by signal 6 (Aborted)"), ("DESCRIBE_HANGS", "did not say what it is within 5 s"),
      ("DESCRIBE_EXITS", "with status 0 and no description"),
    ] {
      let library = try RunningNode.fixture([flaw], source: "stateful.c", signed: false)
      let before = try Data(contentsOf: URL(filePath: library))
      let result = try RunningNode.run([Self.binary, "plugin", "seal", library])
      #expect(result.status == 1 && result.err.contains("The library \(library)"), "\(result)")
      #expect(result.err.contains(words), "\(result)")
      #expect(try Data(contentsOf: URL(filePath: library)) == before)
    }
  }

  // MARK: States

  /// The state of the only plugin, at each place where one is shown.
  private func states(_ node: RunningNode) throws -> Set<String> {
    let list = try #require(
      try JSONSerialization.jsonObject(with: Data(try node.command("plugin", "list", "--json").out.utf8))
        as? [[String: Any]])
    let status = try #require(try object(try node.command("status", "--json").out)["plugins"] as? [[String: Any]])
    let top = try #require(
      try object(try node.command("top", "--all", "--json").out)["methods"] as? [[String: Any]])
    let inspect = try object(try node.command("plugin", "inspect", "counter", "--json").out)
    return Set((list + status + top + [inspect]).compactMap { $0["state"] as? String })
  }

  @Test func aStateIsTheSameWhereverItIsShown() throws {
    let node = try RunningNode(
      plugins: table(try RunningNode.stateful(), "[plugin.counter.reload]\nprobation_ms = 600000\n"))
    defer { node.stop() }
    #expect(try states(node) == ["permanent"], "the first library has nothing to go back to")
    let next = try RunningNode.stateful("VERSION=\"2.0.0\"")
    #expect(try node.command("plugin", "reload", "counter", "--library", next).status == 0)
    #expect(try states(node) == ["probation"])
    try node.write(table(try RunningNode.stateful(), "[plugin.counter.reload]\nprobation_ms = 0\n"))
    #expect(try node.command("reload").status == 0)
    let last = try RunningNode.stateful("VERSION=\"3.0.0\"")
    #expect(try node.command("plugin", "reload", "counter", "--library", last, "--wait-permanent").status == 0)
    try node.waitUntil { try states(node) == ["permanent"] }
  }

  @Test func aPluginThatWaitsForItsCallsIsDraining() throws {
    let node = try RunningNode(
      plugins: table(try RunningNode.stateful(), "[plugin.counter.reload]\ndrain_ms = 600000\n"))
    defer { node.stop() }
    let gate = "\(node.scratch)/gate"
    let call = try node.begin("counter", "hold", gate)
    try node.waitForCall(in: "counter")
    let next = try RunningNode.stateful("VERSION=\"2.0.0\"")
    #expect(try node.command("plugin", "reload", "counter", "--library", next, "--no-wait").status == 0)
    try node.waitUntil { try states(node) == ["draining"] }
    try node.open(gate)
    _ = try call.rest()
  }

  @Test func aLibraryThatCrashedTooOftenIsQuarantined() throws {
    let node = try WorkerTests.node()
    defer { node.stop() }
    for _ in 0..<3 {
      #expect(try soon { try node.command("subject", "recall").status == 0 })
      #expect(try node.command("subject", "fail", "segv").status == 3)
    }
    #expect(try soon { try node.command("plugin", "list").out.contains("quarantined") })
    #expect(
      try node.command("plugin", "list").out.contains(/subject: its worker crashed \(SIGSEGV\), for the\s3rd time/))
    #expect(try node.command("plugin", "inspect", "subject", "--json").out.contains("\"state\":\"quarantined\""))
  }

  // MARK: Who made it

  @Test func signerAndRoleAreShown() throws {
    let unsigned = try RunningNode.fixture([], signed: false)
    let node = try RunningNode(
      plugins: table(try RunningNode.stateful()) + "[plugin.fixture]\nlibrary = \"\(unsigned)\"\n")
    defer { node.stop() }
    let list = try node.command("plugin", "list").out
    #expect(
      list.contains(/counter .* host +tests \(local\)/) && list.contains(/fixture .* worker +unsigned/), "\(list)")
    let doctor = try node.command("doctor").out
    #expect(doctor.contains("counter: tests (local), host; fixture: unsigned, worker"), "\(doctor)")
    let counter = try object(try node.command("plugin", "inspect", "counter", "--json").out)
    #expect(counter["signer"] as? String == "tests" && counter["role"] as? String == "local")
    #expect((counter["confinement"] as? String)?.contains("in-process = full trust") == true)
    let fixture = try object(try node.command("plugin", "inspect", "fixture", "--json").out)
    #expect(fixture["signed"] as? String == "unsigned" && fixture["confinement"] is [String: Any])
    #expect(try node.command("check").out.contains(/fixture +1.0.0 +worker +unsigned/))
  }
}
