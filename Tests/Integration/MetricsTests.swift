import Foundation
import Testing

/// What is counted of calls, and the id by which the log shows what belongs to one request.
@Suite struct MetricsTests {
  /// first → second → third, each in a plugin of its own.
  static func chain() throws -> String {
    var text = ""
    for (id, next) in [("first", "second"), ("second", "third"), ("third", nil)] {
      let definitions = ["ID=\"\(id)\""] + (next.map { ["NEXT=\"\($0)\""] } ?? [])
      text += "[plugin.\(id)]\nlibrary = \"\(try RunningNode.fixture(definitions, source: "chain.c"))\"\n"
    }
    return text
  }

  private func methods(_ node: RunningNode) throws -> [String: [String: Any]] {
    let text = try node.command("status", "--json").out
    let status = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    var found: [String: [String: Any]] = [:]
    for plugin in status["plugins"] as? [[String: Any]] ?? [] {
      for method in plugin["methods"] as? [[String: Any]] ?? [] {
        found["\(plugin["id"] ?? "").\(method["name"] ?? "")"] = method
      }
    }
    return found
  }

  @Test func callsByNameAndThroughImportsAreCountedAlike() throws {
    let node = try RunningNode(plugins: try Self.chain())
    defer { node.stop() }
    for _ in 0..<3 { #expect(try node.command("first", "pass").status == 0) }
    #expect(try node.command("first", "pass", "--milliseconds", "30", "--fail", "true").status == 1)
    let methods = try methods(node)
    for id in ["first", "second", "third"] {
      let method = try #require(methods["\(id).pass"])
      #expect(method["calls"] as? Int == 4 && method["errors"] as? Int == 1 && method["in_flight"] as? Int == 0)
      let latency = try #require(method["latency"] as? [String: Any])
      #expect(latency["count"] as? Int == 4)
      #expect(try #require(latency["sum_ns"] as? Int) >= 30_000_000)
      let buckets = try #require(latency["buckets"] as? [[Int]])
      #expect(buckets.count == 15 && buckets.last?[1] == 4)
      #expect(zip(buckets, buckets.dropFirst()).allSatisfy { $0[0] < $1[0] && $0[1] <= $1[1] })
      #expect(try #require(latency["p99_ns"] as? Int) >= 24_000_000)
    }
  }

  @Test func aRunningCallIsInFlight() throws {
    let node = try RunningNode(plugins: try Self.chain())
    defer { node.stop() }
    let running = try node.begin("first", "pass", "--milliseconds", "\(UInt32.max)")
    try node.waitUntil {
      let methods = try methods(node)
      return ["first", "second", "third"].allSatisfy { methods["\($0).pass"]?["in_flight"] as? Int == 1 }
    }
    try node.open("\(node.scratch)/data/third/gate")
    _ = try running.rest()
    #expect(try methods(node)["third.pass"]?["in_flight"] as? Int == 0)
  }

  @Test func countersStayWhenTheCodeIsReplaced() throws {
    let node = try RunningNode(plugins: try Self.chain())
    defer { node.stop() }
    #expect(try node.command("first", "pass").status == 0)
    let next = try RunningNode.fixture(["ID=\"third\"", "VERSION=\"2.0.0\""], source: "chain.c")
    #expect(try node.command("plugin", "reload", "third", "--library", next).status == 0)
    #expect(try node.command("first", "pass").status == 0)
    let third = try #require(try methods(node)["third.pass"])
    #expect(third["calls"] as? Int == 2 && (third["latency"] as? [String: Any])?["count"] as? Int == 2)
  }

  /// Trace ids of the log's lines that say `enter` or `leave`.
  private func traces(_ node: RunningNode) -> [String] {
    node.log.split(separator: "\n").filter { $0.contains(": enter ") || $0.contains(": leave ") }
      .map { line in line.firstMatch(of: /trace=([0-9a-f]{32})\b/).map { String($0.1) } ?? "none: \(line)" }
  }

  @Test func oneRequestHasOneTraceInEveryLayer() throws {
    let node = try RunningNode(plugins: try Self.chain())
    defer { node.stop() }
    #expect(try node.command("first", "pass").status == 0)
    let first = traces(node)
    #expect(first.count == 6 && Set(first).count == 1, "\(first)")
    #expect(try node.command("first", "pass").status == 0)
    let second = traces(node).dropFirst(6)
    #expect(second.count == 6 && Set(second).count == 1 && second.first != first.first)
  }

  @Test func whatAPluginBeginsOfItselfInsideACallBelongsToIt() throws {
    let node = try RunningNode(plugins: try Self.chain())
    defer { node.stop() }
    #expect(try node.command("first", "alone").status == 0)
    let found = traces(node)
    #expect(found.count == 4 && Set(found).count == 1 && found.first?.count == 32, "\(found)")
  }

  @Test func aRequestOverHTTPKeepsItsTraceThroughEveryLayer() throws {
    let edge = "[plugin.edge]\nlibrary = \"\(try RunningNode.layer("Edge"))\"\n"
    let node = try RunningNode(plugins: try Self.chain() + edge, listen: "127.0.0.1:0")
    defer { node.stop() }
    let status = try node.command("status", "--json").out
    let address = try #require(status.firstMatch(of: /127\.0\.0\.1:\d+/)?.0)
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    let answer = try RunningNode.run([
      "curl", "-sSf", "-X", "POST", "http://\(address)/v1/methods/first.pass", "-d", "{}",
      "-H", "content-type: application/json", "-H", "traceparent: 00-\(trace)-00f067aa0ba902b7-01",
    ])
    #expect(answer.status == 0, "\(answer)")
    let found = traces(node)
    #expect(found == Array(repeating: trace, count: 6))
  }
}
