import Foundation
import Testing

/// What a worker gets of the host, and what goes from one worker to the next.
@Suite struct WorkerServiceTests {
  private static func counter(_ more: String...) throws -> String {
    try RunningNode.stateful(["VERSION=\"1.0.0\""] + more)
  }

  @Test func stateGoesFromOneWorkerToTheNextAndBack() throws {
    let first = try Self.counter()
    let node = try RunningNode(plugins: WorkerTests.plugin("counter", first))
    defer { node.stop() }
    for value in 1...3 { #expect(try node.command("counter", "increment").out == "\(value)\n") }
    let workers = try WorkerTests.children(of: node)
    // It keeps its count in a file of another name, so the count can only have come by way of the host.
    let second = try RunningNode.stateful("VERSION=\"2.0.0\"", "SCHEMA=2")
    let up = try node.command("plugin", "reload", "counter", "--library", second)
    #expect(up.status == 0, "\(up.err)")
    #expect(try node.command("counter", "version").out == "2.0.0\n")
    #expect(try node.command("counter", "increment").out == "4\n")
    #expect(try WorkerTests.children(of: node) != workers)
    let down = try node.command("plugin", "reload", "counter", "--library", first)
    #expect(down.status == 0, "\(down.err)")
    #expect(try node.command("counter", "version").out == "1.0.0\n")
    #expect(try node.command("counter", "increment").out == "5\n")
  }

  @Test(arguments: ["FAILS_TO_EXPORT", "FAILS_TO_IMPORT", "DIFFERS"])
  func aStateThatDoesNotFitLeavesTheOldWorkerServing(_ flaw: String) throws {
    let first = try flaw == "FAILS_TO_EXPORT" ? Self.counter(flaw) : Self.counter()
    let node = try RunningNode(plugins: WorkerTests.plugin("counter", first))
    defer { node.stop() }
    #expect(try node.command("counter", "increment").out == "1\n")
    let more = flaw == "FAILS_TO_EXPORT" ? [] : [flaw]
    let second = try RunningNode.stateful(["VERSION=\"2.0.0\"", "SCHEMA=2"] + more)
    #expect(try node.command("plugin", "reload", "counter", "--library", second).status != 0)
    #expect(try node.command("counter", "version").out == "1.0.0\n")
    #expect(try node.command("counter", "increment").out == "2\n")
  }

  @Test func aWorkerThatDiesWhileItIsStoppedIsMadeAnew() throws {
    let node = try RunningNode(plugins: WorkerTests.plugin("counter", try Self.counter("DIES_AFTER_STOP")))
    defer { node.stop() }
    for value in 1...2 { #expect(try node.command("counter", "increment").out == "\(value)\n") }
    let before = try WorkerTests.children(of: node)
    // The next one takes its time to fail; the old one, stopped to make room for it, has ended when it is wanted again.
    let next = try RunningNode.stateful("VERSION=\"2.0.0\"", "SCHEMA=2", "SLOW_START=600", "FAILS_TO_START")
    let reload = try node.command("plugin", "reload", "counter", "--library", next)
    #expect(reload.status != 0 && reload.err.contains("does not turn over"), "\(reload)")
    #expect(try soon { try node.command("counter", "version").out == "1.0.0\n" })
    #expect(try node.command("counter", "increment").out == "3\n")
    #expect(try WorkerTests.children(of: node) != before, "it had ended")
  }

  @Test(arguments: ["host", "worker"]) func theHostLendsItsListeningSocket(_ home: String) throws {
    let permissions = "PERMISSIONS=\"service:symbolon.sockets/1\""
    let library = try RunningNode.fixture([permissions], source: "asker.c")
    let node = try RunningNode(plugins: WorkerTests.plugin("asker", library, home: home), listen: "127.0.0.1:0")
    defer { node.stop() }
    let ports = try (0..<3).map { _ in try node.command("asker", "listening").out }
    let port = try #require(Int(ports[0].trimmingCharacters(in: .newlines)))
    #expect(port > 0 && ports.allSatisfy { $0 == "\(port)\n" })
    let closed = try RunningNode(plugins: WorkerTests.plugin("asker", library, home: home))
    defer { closed.stop() }
    #expect(try closed.command("asker", "listening").err.contains("plugins.conf names no address"))
  }

  @Test func whatWasNotGrantedIsInTheLogInBothHomes() throws {
    let library = try RunningNode.fixture([], source: "asker.c")
    var lines: [Set<String>] = []
    for home in ["host", "worker"] {
      let node = try RunningNode(plugins: WorkerTests.plugin("asker", library, home: home))
      defer { node.stop() }
      for id in ["catalog", "identity", "sockets", "log", "nothing"] {
        let out = try node.command("asker", "offered", "--service", "symbolon.\(id)/1").out
        #expect(out == (id == "log" ? "true\n" : "false\n"), "\(home) \(id)")
      }
      lines.append(
        Set(
          node.log.split(separator: "\n").filter { $0.contains("not granted") }.map {
            let line = String($0[($0.range(of: "asker:")?.lowerBound ?? $0.startIndex)...])
            return line.components(separatedBy: " trace=")[0]
          }))
    }
    #expect(lines[0].count == 3 && lines[0] == lines[1], "\(lines)")
  }

  @Test func moreThreadsThanAllowedEndTheWorker() throws {
    let node = try WorkerTests.node("[plugin.subject.limits]\nthreads = 16\n")
    defer { node.stop() }
    let result = try node.command("subject", "fail", "threads")
    #expect(result.status == 3 && result.err.contains("more than its limit of 16"), "\(result)")
    // The caller hears of it before the log does.
    #expect(try soon { node.log.contains("code=worker_too_many_threads") })
    #expect(try soon { try node.command("subject", "recall").status == 0 })
  }
}
