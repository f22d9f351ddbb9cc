import Foundation
import Testing

/// Starts after a crash, and configurations that change as a whole.
@Suite struct SafeModeTests {
  @Test func aStartThatDiedWhileLoadingOffersSafeMode() throws {
    let (good, deadly) = (try RunningNode.stateful(), try RunningNode.stateful("VERSION=\"2.0.0\"", "DIES_AT_START"))
    let fixture = try RunningNode.fixture()
    let node = try RunningNode(
      plugins: "[plugin.counter]\nlibrary = \"\(deadly)\"\n[plugin.fixture]\nlibrary = \"\(fixture)\"\n")
    defer { node.stop() }
    node.process.waitUntilExit()
    #expect(node.process.terminationReason == .uncaughtSignal)
    try node.start()
    node.process.waitUntilExit()
    #expect(node.process.terminationStatus == 1 && node.log.contains("symbolon run --safe-mode"), "\(node.log)")
    try node.start(["--safe-mode"])
    #expect(try node.command("fixture", "version").out == "1.0.0\n", "\(node.log)")
    let list = try node.command("plugin", "list").out
    #expect(list.contains("failed") && list.contains("Safe mode"), "\(list)")
    #expect(try node.command("plugin", "reload", "counter", "--library", good).status == 0)
    #expect(try node.command("counter", "increment").out == "1\n")
    #expect(try !node.command("plugin", "list").out.contains("failed"))
    try node.restart()
    #expect(try node.command("counter", "increment").out == "2\n", "the reload in safe mode lasts: \(node.log)")
  }

  @Test func safeModeLeavesOutWhatNeedsThePlugin() throws {
    let provider = try RunningNode.fixture("ID=\"provider\"")
    let importer = try RunningNode.fixture("IMPORTS=0")
    let node = try RunningNode(
      idle: "[plugin.fixture]\nlibrary = \"\(importer)\"\n[plugin.provider]\nlibrary = \"\(provider)\"\n")
    defer { node.stop() }
    let loading = "\(node.scratch)/data/loading"
    try FileManager.default.createDirectory(atPath: loading, withIntermediateDirectories: true)
    let hash = try #require(try RunningNode.run(["sha256sum", provider]).out.split(separator: " ").first)
    let boot = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
    try "\(hash) \(boot)".write(toFile: "\(loading)/provider", atomically: true, encoding: .utf8)
    try node.start(["--safe-mode"])
    let list = try node.command("plugin", "list", "--json").out
    #expect(list.contains("It needs `provider`, which stays out."), "\(list)\(node.log)")
    #expect(try node.command("plugin", "reload", "provider").status == 0)
    #expect(try node.command("plugin", "reload", "fixture").status == 0)
    #expect(try node.command("fixture", "relay").out == "1.0.0\n")
    // A machine that went down is not the plugin's doing.
    try "\(hash) another-boot\n".write(toFile: "\(loading)/provider", atomically: true, encoding: .utf8)
    try node.restart()
    #expect(try node.command("fixture", "relay").out == "1.0.0\n", "\(node.log)")
  }

  @Test func aQuarantinedLibraryIsNotLoadedAtAStart() throws {
    let library = "/tmp/symbolon-counter-\(UUID().uuidString).so"
    try RunningNode.put(try RunningNode.stateful(), at: library)
    let node = try RunningNode(plugins: "[plugin.counter]\nlibrary = \"\(library)\"\n")
    defer { node.stop() }
    try node.command("counter", "increment")
    try RunningNode.put(try RunningNode.stateful("VERSION=\"2.0.0\"", "DESCRIBE_CRASHES"), at: library)
    try node.restart()
    #expect(node.log.contains("runs the last permanent library"), "\(node.log)")
    #expect(try node.command("counter", "version").out == "1.0.0\n")
    try node.restart()
    #expect(try node.command("counter", "version").out == "1.0.0\n", "\(node.log)")
    #expect(try node.command("counter", "increment").out == "2\n")
  }

  @Test func aConfigurationAppliesAsAWholeOrNotAtAll() throws {
    let (counter, fixture) = (try RunningNode.stateful(), try RunningNode.fixture())
    let other = try RunningNode.stateful("VERSION=\"2.0.0\"", "SCHEMA=2")
    let bad = try RunningNode.fixture("ID=\"late\"", "FAILS_TO_START")
    let node = try RunningNode(plugins: "[plugin.counter]\nlibrary = \"\(counter)\"\n")
    defer { node.stop() }
    try node.command("counter", "increment")
    let wanted = "[plugin.counter]\nlibrary = \"\(other)\"\n[plugin.fixture]\nlibrary = \"\(fixture)\"\n"
    try node.write(wanted + "[plugin.late]\nlibrary = \"\(bad)\"\n")
    let refused = try node.command("reload")
    #expect(refused.status != 0 && refused.err.contains("The engine does not turn over."), "\(refused.err)")
    #expect(try node.command("counter", "version").out == "1.0.0\n")
    #expect(try node.command("counter", "increment").out == "2\n")
    #expect(try node.command("fixture", "version").status == 4, "what was started is gone again")
    try node.write(wanted)
    let applied = try node.command("reload")
    #expect(applied.out.contains("added fixture, reloaded counter"), "\(applied.err)")
    #expect(try node.command("counter", "version").out == "2.0.0\n")
    #expect(try node.command("counter", "increment").out == "3\n")
    try node.write("[plugin.fixture]\nlibrary = \"\(fixture)\"\n")
    #expect(try node.command("reload").out.contains("removed counter"))
    try node.write(wanted)
    #expect(try node.command("reload").status == 0)
    #expect(try node.command("counter", "increment").out == "4\n", "a removed plugin keeps its state")
  }

  @Test func trustIsNotLoosenedWhileTheNodeRuns() throws {
    let counter = "[plugin.counter]\nlibrary = \"\(try RunningNode.stateful())\"\n"
    let node = try RunningNode(plugins: counter + "[trust]\nworker = \"vendor\"\n")
    defer { node.stop() }
    try node.write(counter + "[trust]\nworker = \"anyone\"\n")
    let refused = try node.command("reload")
    #expect(refused.status == 1 && refused.err.contains("needs a restart"), "\(refused.err)")
    try node.write(counter + "[trust]\nworker = \"core\"\n")
    #expect(try node.command("reload").status == 0)
  }

  @Test func theLastGoodConfigurationIsKept() throws {
    let node = try RunningNode(plugins: "[plugin.counter]\nlibrary = \"\(try RunningNode.stateful())\"\n")
    defer { node.stop() }
    node.process.terminate()
    node.process.waitUntilExit()
    try node.write("[plugin.counter\n")
    try node.start()
    node.process.waitUntilExit()
    let good = "\(node.scratch)/data/plugins.conf.good"
    #expect(node.log.contains("symbolon run --config \(good)"), "\(node.log)")
    try node.start(["--config", good])
    let data = "\(node.scratch)/data"
    #expect(try node.command("plugin", "list", "--data", data).out.contains("1.0.0"), "\(node.log)")
    #expect(try node.command("reload", "--data", data).status == 2, "the wrong file is still the one that counts")
  }
}
