import Foundation
import Testing

/// Plugins in processes of their own: the same contract, whatever lies between.
@Suite struct WorkerTests {
  /// A fixture that calls itself `id` and imports from `peer`.
  static func library(_ id: String, peer: String = "nobody", _ more: String...) throws -> String {
    try RunningNode.fixture(["ID=\"\(id)\"", "PEER=\"\(peer)\""] + more, source: "worker.c")
  }

  static func plugin(_ id: String, _ library: String, home: String = "worker", _ more: String = "") -> String {
    "[plugin.\(id)]\nlibrary = \"\(library)\"\nhome = \"\(home)\"\n\(more)"
  }

  /// One worker alone.
  static func node(_ more: String = "") throws -> RunningNode {
    try RunningNode(plugins: plugin("subject", try library("subject"), more))
  }

  /// The processes that the node started.
  static func children(of node: RunningNode) throws -> [Int32] {
    let result = try RunningNode.run(["pgrep", "-P", "\(node.process.processIdentifier)"])
    return result.out.split(separator: "\n").compactMap { Int32($0) }
  }

  @Test func everyTypeTravelsBothWays() throws {
    let node = try Self.node()
    defer { node.stop() }
    let json = try node.command(
      "subject", "types", "--json", "--flag", "true", "--a", "-5", "--b", "4294967295", "--c", "-9", "--d",
      "18446744073709551615", "--e", "2.5", "--t", "hé", "--y", "00ff"
    ).out
    for member in [
      "\"flag\":true", "\"a\":-5", "\"b\":4294967295", "\"c\":-9", "\"d\":18446744073709551615", "\"e\":2.5",
      "\"t\":\"hé\"", "\"y\":\"00ff\"",
    ] {
      #expect(json.contains(member), "\(json)")
    }
    #expect(try node.command("subject", "same", "{\"a\":[1,{}]}", "--json").out.contains("{\"a\":[1,{}]}"))
    #expect(try node.command("subject", "numbers", "500").out == (0..<500).map { "\($0)\n" }.joined())
    let refused = try node.command("subject", "refuse")
    #expect(refused.status == 4 && refused.err.contains("It is not here: look elsewhere."))
  }

  @Test func aResultThatItsTypeForbidsIsAnError() throws {
    let node = try Self.node()
    defer { node.stop() }
    #expect(try node.command("subject", "nonsense").err.contains("gave a result 1 that its type does not allow"))
    #expect(try node.command("subject", "recall").out == "nothing\n")
  }

  @Test(arguments: ["host", "worker"]) func callsNestAcrossHomesAndStreamsPassThrough(_ home: String) throws {
    let (one, two) = (try Self.library("one", peer: "two"), try Self.library("two", peer: "one"))
    let node = try RunningNode(plugins: Self.plugin("one", one, home: home) + Self.plugin("two", two))
    defer { node.stop() }
    #expect(try node.command("one", "relay", "6").out == "one>two>one>two>one>two>one\n")
    #expect(try node.command("two", "relay", "3").out == "two>one>two>one\n")
    #expect(try node.command("one", "relay_numbers", "200").out.split(separator: "\n").count == 200)
  }

  @Test func largeMessagesPassAndTooLargeOnesAreRefused() throws {
    let (one, two) = (try Self.library("one", peer: "two"), try Self.library("two", peer: "one"))
    let node = try RunningNode(plugins: Self.plugin("one", one, home: "host") + Self.plugin("two", two))
    defer { node.stop() }
    for size in [0, 1, 64, 4095, 65_537, 1 << 20, 31 << 20] {
      #expect(try node.command("one", "push", "\(size)").out == "\(size)\n")
    }
    let result = try node.command("one", "push", "\(33 << 20)")
    #expect(result.status != 0 && result.err.contains("at most 32 MiB"))
    #expect(try node.command("one", "push", "64").out == "64\n")
  }

  @Test func servicesAnswerAsInTheHost() throws {
    let node = try Self.node("[plugin.subject.settings]\ncolour = \"red\"\n")
    defer { node.stop() }
    #expect(try node.command("subject", "settings", "--json").out.contains("\"colour\":\"red\""))
    #expect(try node.command("subject", "folder").out == "\(node.scratch)/data/subject\n")
    #expect(try node.command("subject", "note", "a word").status == 0)
    #expect(try node.command("subject", "invoke", "subject.recall", "{}").out.contains("nothing"))
    #expect(try node.command("subject", "invoke", "subject.refuse", "{}").err.contains("look elsewhere"))
    // Published by threads of the plugin's own, heard on lanes of the host.
    #expect(try node.command("subject", "publish", "20").status == 0)
    #expect(try soon { try node.command("subject", "heard").out == "20\n" })
    #expect(node.log.contains("subject: a word k=v"))
  }

  @Test func whatAPluginPrintsIsInTheLogAndBounded() throws {
    let node = try Self.node()
    defer { node.stop() }
    #expect(try node.command("subject", "say", "hello out there", "2").status == 0)
    #expect(try soon { node.log.contains("subject: hello out there from=output") })
    #expect(try node.command("subject", "say", "flood", "5000").status == 0)
    #expect(
      try soon { (try? node.command("subject", "say", "dry", "1")) != nil && node.log.contains("lines_dropped=") })
    #expect(node.log.split(separator: "\n").count { $0.contains("flood") } <= 600)
  }

  @Test func aDeadlineEndsACallAtOnceAndAWorkerThatIgnoresIt() throws {
    let node = try Self.node("[plugin.subject.limits]\ndeadline_ms = 300\n")
    defer { node.stop() }
    // The work waits for a sign that its caller has the answer: a caller that waited for the work could never give it.
    // The work goes on without the sign after a second, so on a machine that is held up it is asked again.
    var round = 0
    try node.waitUntil {
      round += 1
      let gate = "\(node.scratch)/data/subject/gate-\(round)"
      let late = try node.command("subject", "linger", gate)
      try #require(late.status != 0 && late.err.contains("did not answer within its time"), "\(late)")
      try node.open(gate)
      try node.waitUntil { node.log.contains("released \(gate)") || node.log.contains("left alone \(gate)") }
      return node.log.contains("released \(gate)") && !node.log.contains("code=worker_hung")
    }
    #expect(try node.command("subject", "patient").err.contains("did not answer within its time"))
    #expect(try soon { node.log.contains("noticed after a while") }, "the worker was told that nobody waits")
    #expect(try soon { try node.command("subject", "recall").status == 0 })
    #expect(try node.command("subject", "fail", "hang").err.contains("did not answer within its time"))
    #expect(try soon { node.log.contains("code=worker_hung") }, "a hung one does")
    #expect(try soon { try node.command("subject", "recall").status == 0 }, "and it comes back")
  }

  @Test func aCallerThatGoesAwayCancelsTheCall() throws {
    let node = try Self.node()
    defer { node.stop() }
    let stream = try node.begin("subject", "numbers", "4000000000")
    _ = try stream.firstLine()
    stream.end()
    #expect(
      try soon { try node.command("plugin", "list", "--json").out.contains("\"id\":\"subject\",\"in_flight\":0") })
  }

  @Test func manyCallersAtOnceAllGetTheirAnswer() throws {
    let (one, two) = (try Self.library("one", peer: "two"), try Self.library("two", peer: "one"))
    let node = try RunningNode(plugins: Self.plugin("one", one, home: "host") + Self.plugin("two", two))
    defer { node.stop() }
    let callers = Callers(32, of: 3) { try node.command("one", "push", "70000") }
    let results = callers.all()
    #expect(results.count == 96 && results.allSatisfy { $0.out == "70000\n" })
  }
}
