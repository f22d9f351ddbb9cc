import EdgeCore
import Testing

@Suite struct TraceTests {
  private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"

  /// The trace ids of the calls that this header causes, and what comes back.
  private func ask(_ header: String?) async throws -> (call: [UInt8], answer: RawAnswer, log: String) {
    let seen = Locked<[UInt8]>([])
    let lines = Locked("")
    let fake = FakeDispatcher(methods: [
      "ledger.balance": { call, write in
        seen.withLock { $0 = call.trace }
        try write("{}")
      }
    ])
    var settings = EdgeSettings()
    settings.accessLog = true
    let log = EdgeLog { _, _, fields in lines.withLock { $0 += "\(fields["trace"] ?? "")\n" } }
    let answer = try await RunningEdge.with(fake, settings: settings, log: log) { edge async throws in
      try await edge.ask(
        "POST", "/v1/methods/ledger.balance", header.map { ["traceparent": $0] } ?? [:], body: "{}")
    }
    return (seen.withLock { $0 }, answer, lines.withLock { $0 })
  }

  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  @Test(arguments: ["00-\(trace)-00f067aa0ba902b7-01", "01-\(trace)-00f067aa0ba902b7-00-more"])
  func aTraceIsCarriedOn(_ header: String) async throws {
    let (call, answer, log) = try await ask(header)
    #expect(hexadecimal(call) == Self.trace)
    #expect(answer.headers["traceparent"]?.hasPrefix("00-\(Self.trace)-") == true)
    #expect(log.contains(Self.trace))
  }

  @Test(arguments: [
    nil, "", "00-\(trace)-00f067aa0ba902b7", "00-\(trace)-0000000000000000-01",
    "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "00-\(trace.uppercased())-00f067aa0ba902b7-01",
    "ff-\(trace)-00f067aa0ba902b7-01", "00-\(trace)-00f067aa0ba902b7-01-x", "00_\(trace)_00f067aa0ba902b7_01",
  ])
  func withoutAWellFormedOneATraceIsMade(_ header: String?) async throws {
    let (call, answer, _) = try await ask(header)
    #expect(call.count == 16 && hexadecimal(call) != Self.trace)
    #expect(
      answer.headers["traceparent"]?.split(separator: "-").dropFirst().first.map(String.init) == hexadecimal(call))
  }

  @Test func everyAnswerNamesRequestAndTrace() async throws {
    try await RunningEdge.with { edge async throws in
      for (verb, path) in [("GET", "/"), ("GET", "/nothing"), ("POST", "/health"), ("POST", "/v1/methods/ledger.act")] {
        let answer = try await edge.ask(verb, path, ["x-request-id": "mine-1"], body: verb == "POST" ? "{}" : nil)
        #expect(answer.headers["x-request-id"] == "mine-1")
        #expect(answer.headers["traceparent"]?.count == 55)
      }
      let port = edge.port
      let broken = try await offPool {
        let client = try RawClient(port: port)
        try client.send("nonsense\r\n\r\n")
        return try client.readAnswer()
      }
      #expect(broken.status == 400 && broken.headers["traceparent"]?.count == 55)
      #expect(broken.headers["x-request-id"]?.hasPrefix("req_") == true)
    }
  }
}
