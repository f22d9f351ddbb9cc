import Foundation
import Testing

/// Steps of a plugin's life that do not return, and what is kept of libraries that came and went.
@Suite struct HangingStepTests {
  /// Longer than any test runs.
  private static let forever = "600000"

  private func counterNode(_ definitions: [String] = [], home: String, policy: String) throws -> RunningNode {
    let library = try RunningNode.stateful(["VERSION=\"1.0.0\""] + definitions)
    let node = try RunningNode(
      plugins: "[plugin.counter]\nlibrary = \"\(library)\"\nhome = \"\(home)\"\n[plugin.counter.reload]\n\(policy)\n")
    for _ in 0..<2 { try node.command("counter", "increment") }
    return node
  }

  private static func second(_ more: String...) throws -> String {
    try RunningNode.stateful(["VERSION=\"2.0.0\"", "SCHEMA=2"] + more)
  }

  @Test(arguments: ["CREATE", "IMPORT", "START"])
  func inTheHostTheOldOneServesOnAndTheRestIsToldToRestart(_ step: String) throws {
    let node = try counterNode(home: "host", policy: "drain_ms = 1000")
    defer { node.stop() }
    let hanging = try Self.second("SLOW_\(step)=\(Self.forever)")
    let reload = try node.command("plugin", "reload", "counter", "--library", hanging)
    #expect(reload.status != 0 && reload.err.contains("did not return within 1000 ms"), "\(reload.err)")
    #expect(try node.command("counter", "version").out == "1.0.0\n")
    #expect(try node.command("counter", "increment").out == "3\n")
    let later = try node.command("plugin", "reload", "counter", "--library", try Self.second())
    #expect(later.status != 0 && later.err.contains("is busy with") && later.err.contains("restart"), "\(later.err)")
    try node.restart()
    #expect(try node.command("counter", "increment").out == "4\n", "\(node.log)")
  }

  @Test func inTheHostAnOldOneThatKeepsItsStateServesOn() throws {
    let node = try counterNode(["SLOW_EXPORT=\(Self.forever)"], home: "host", policy: "drain_ms = 1000")
    defer { node.stop() }
    let reload = try node.command("plugin", "reload", "counter", "--library", try Self.second())
    #expect(reload.err.contains("`export_state`") && reload.err.contains("did not return"), "\(reload.err)")
    #expect(try node.command("counter", "increment").out == "3\n")
    #expect(try node.command("counter", "version").out == "1.0.0\n")
  }

  @Test func inTheHostAnOldOneThatDoesNotStopServesOnUntilItDoes() throws {
    let gate = "/tmp/symbolon-stop-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: gate) }
    let node = try counterNode(["STOP_GATE=\"\(gate)\""], home: "host", policy: "drain_ms = 1000")
    defer { node.stop() }
    let good = try Self.second()
    let reload = try node.command("plugin", "reload", "counter", "--library", good)
    #expect(reload.status != 0 && reload.err.contains("`stop` of version 1.0.0"), "\(reload.err)")
    #expect(reload.err.contains("did not return within 1000 ms"), "\(reload.err)")
    #expect(try node.command("counter", "increment").out == "3\n")
    let later = try node.command("plugin", "reload", "counter", "--library", good)
    #expect(later.status != 0 && later.err.contains("is busy with `stop` of 1.0.0"), "\(later.err)")
    try node.open(gate)
    try node.waitUntil { node.log.contains("started again after a late stop") }
    #expect(try node.command("counter", "increment").out == "4\n")
    try node.waitUntil { try node.command("plugin", "reload", "counter", "--library", good).status == 0 }
    #expect(try node.command("counter", "version").out == "2.0.0\n")
    #expect(try node.command("counter", "increment").out == "5\n")
  }

  @Test func inTheHostAnOldOneThatNeverStopsIsNamedAndTheNewOneServes() throws {
    let gate = "/tmp/symbolon-stop-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: gate) }
    let node = try counterNode(
      ["STATELESS", "STOP_GATE=\"\(gate)\""], home: "host", policy: "drain_ms = 1000\nprobation_ms = 0")
    defer { node.stop() }
    let second = try RunningNode.stateful("VERSION=\"2.0.0\"", "STATELESS")
    let third = try RunningNode.stateful("VERSION=\"3.0.0\"", "STATELESS")
    #expect(try node.command("plugin", "reload", "counter", "--library", second).status == 0)
    #expect(try node.command("counter", "version").out == "2.0.0\n")
    try node.waitUntil { node.log.contains("`stop` of version 1.0.0 of `counter` did not return within 1000 ms") }
    let busy = try node.command("plugin", "reload", "counter", "--library", third)
    #expect(busy.status != 0 && busy.err.contains("is busy with `stop` of 1.0.0"), "\(busy.err)")
    #expect(try node.command("counter", "version").out == "2.0.0\n")
    try node.open(gate)
    try node.waitUntil { try node.command("plugin", "reload", "counter", "--library", third).status == 0 }
    #expect(try node.command("counter", "version").out == "3.0.0\n")
  }

  @Test func aNodeEndsThoughAPluginDoesNotStop() throws {
    let node = try counterNode(["STOP_GATE=\"/nowhere\""], home: "host", policy: "drain_ms = 1000")
    #expect(try node.command("stop").status == 0)
    try node.waitUntil { !node.process.isRunning }
    #expect(node.log.contains("`stop` of version 1.0.0 of `counter` did not return within 1000 ms"), "\(node.log)")
    #expect(node.log.contains("node stopped"), "\(node.log)")
    node.stop()
  }

  @Test func aStepThatReturnsLateFreesThePlugin() throws {
    let node = try counterNode(home: "host", policy: "drain_ms = 1000")
    defer { node.stop() }
    let late = try node.command("plugin", "reload", "counter", "--library", try Self.second("SLOW_START=2500"))
    #expect(late.err.contains("`start`"), "\(late.err)")
    let good = try Self.second()
    try node.waitUntil { try node.command("plugin", "reload", "counter", "--library", good).status == 0 }
    #expect(try node.command("counter", "version").out == "2.0.0\n")
    #expect(try node.command("counter", "increment").out == "3\n")
  }

  @Test(arguments: ["CREATE", "EXPORT", "IMPORT", "START"])
  func aWorkerThatHangsIsEnded(_ step: String) throws {
    let hang = "SLOW_\(step)=\(Self.forever)"
    let isOld = step == "EXPORT"
    let node = try counterNode(isOld ? [hang] : [], home: "worker", policy: "drain_ms = 1000")
    defer { node.stop() }
    let new = try isOld ? Self.second() : Self.second(hang)
    let reload = try node.command("plugin", "reload", "counter", "--library", new)
    #expect(reload.status != 0 && reload.err.contains("within 1000 ms and was ended"), "\(reload.err)")
    // A worker that was ended is started again, and has what it had kept.
    try node.waitUntil { try node.command("counter", "version").out == "1.0.0\n" }
    #expect(try node.command("counter", "increment").out == "3\n")
    guard !isOld else { return }
    let good = try node.command("plugin", "reload", "counter", "--library", try Self.second())
    #expect(good.status == 0, "\(good.err)")
    #expect(try node.command("counter", "increment").out == "4\n")
  }

  @Test func theStoreKeepsWhatCanBeGoneBackTo() throws {
    let node = try counterNode(home: "host", policy: "probation_ms = 0")
    defer { node.stop() }
    for minor in 1...8 {
      let build = try RunningNode.stateful("VERSION=\"1.\(minor).0\"")
      let reload = try node.command("plugin", "reload", "counter", "--library", build, "--wait-permanent")
      #expect(reload.status == 0, "\(reload.err)")
    }
    func stored() throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: "\(node.scratch)/data/store").count
    }
    // The configured one, and the last three.
    try node.waitUntil { try stored() <= 4 }
    #expect(try node.command("plugin", "rollback", "counter").status == 0)
    #expect(try node.command("counter", "version").out == "1.7.0\n")
    try node.restart()
    #expect(try node.command("counter", "version").out == "1.7.0\n", "\(node.log)")
    try node.waitUntil { try stored() <= 4 }
  }
}
