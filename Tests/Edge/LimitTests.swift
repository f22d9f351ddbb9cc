import EdgeCore
import NIOCore
import Testing

@Suite struct LimitTests {
  private static let path = "/v1/methods/ledger.balance"
  private static let echo = FakeDispatcher(methods: ["ledger.balance": { _, write in try write("{}") }])

  @Test func aBodyOf20MegabytesIsRefusedUnread() async throws {
    try await RunningEdge.with(Self.echo) { edge async throws in
      let port = edge.port
      let answer = try await offPool {
        let client = try RawClient(port: port)
        try client.send("POST \(Self.path) HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 20971520\r\n\r\n")
        // A client that does not stop: the refusal still reaches it.
        try? client.send([UInt8](repeating: 0x20, count: 20_971_520))
        return try client.readAnswer()
      }
      #expect(answer.status == 413)
      #expect(answer.error?.code == "body_too_large")
      #expect(answer.headers["connection"] == "close")
      #expect(edge.server.metrics.snapshot().bytesReceived == 0)
    }
  }

  @Test func aBodyWithoutALengthIsRefusedAtTheLimit() async throws {
    var settings = EdgeSettings()
    settings.bodyLimitBytes = 4096
    try await RunningEdge.with(Self.echo, settings: settings) { edge async throws in
      let port = edge.port
      let answer = try await offPool {
        let client = try RawClient(port: port)
        try client.send("POST \(Self.path) HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n")
        for _ in 0..<100 { try? client.send("400\r\n" + String(repeating: " ", count: 1024) + "\r\n") }
        return try client.readAnswer()
      }
      #expect(answer.status == 413)
      #expect(edge.server.metrics.snapshot().bytesReceived <= 4096)
    }
  }

  @Test func aBodyAtTheLimitIsTaken() async throws {
    var settings = EdgeSettings()
    settings.bodyLimitBytes = 4096
    try await RunningEdge.with(Self.echo, settings: settings) { edge async throws in
      let body = "{" + String(repeating: " ", count: 4094) + "}"
      #expect(try await edge.ask("POST", Self.path, body: body).status == 200)
      #expect(try await edge.ask("POST", Self.path, body: body + " ").status == 413)
    }
  }

  @Test func expectContinueIsAnsweredBeforeTheBody() async throws {
    try await RunningEdge.with(Self.echo) { edge async throws in
      let port = edge.port
      let status = try await offPool {
        let client = try RawClient(port: port)
        try client.send(
          "POST \(Self.path) HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        #expect(try client.read(until: "\r\n\r\n").hasPrefix("HTTP/1.1 100"))
        try client.send("{}")
        return try client.readAnswer().status
      }
      #expect(status == 200)
    }
  }

  @Test func headersAreBounded() async throws {
    try await RunningEdge.with(Self.echo) { edge async throws in
      let port = edge.port
      let answer = try await offPool {
        let client = try RawClient(port: port)
        try client.send(
          "GET /health HTTP/1.1\r\nhost: localhost\r\nx-long: \(String(repeating: "a", count: 40_000))\r\n\r\n")
        return try client.readAnswer()
      }
      #expect(answer.status == 431)
      #expect(answer.error?.code == "headers_too_large")
      let long = try await edge.ask("GET", "/" + String(repeating: "a", count: 9000))
      #expect(long.status == 414)
    }
  }

  @Test func whatIsNotHTTPIsRefusedInJSON() async throws {
    try await RunningEdge.with(Self.echo) { edge async throws in
      let port = edge.port
      let answer = try await offPool {
        let client = try RawClient(port: port)
        try client.send("\u{16}\u{03}\u{01} hello\r\n\r\n")
        return try client.readAnswer()
      }
      #expect(answer.status == 400)
      #expect(answer.error?.code == "malformed_http")
      #expect(answer.headers["x-request-id"] != nil)
    }
  }

  @Test(arguments: [
    ("transfer-encoding: gzip\r\n\r\n{}", 501), ("transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{}", 400),
    ("transfer-encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n", 400),
    ("content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("content-length: 2\r\ncontent-length: 3\r\n\r\n{}", 400), ("content-length: -1\r\n\r\n{}", 400),
  ])
  func aBodyWhoseEndIsUnclearIsRefusedAtOnce(_ rest: String, _ status: Int) async throws {
    var settings = EdgeSettings()
    // Whoever waits for the end of such a body waits longer than the client does.
    settings.requestTimeoutMilliseconds = 600_000
    settings.idleTimeoutMilliseconds = 600_000
    try await RunningEdge.with(Self.echo, settings: settings) { edge async throws in
      let port = edge.port
      let answer = try await offPool {
        let client = try RawClient(port: port)
        try client.send("POST /v1/methods/ledger.balance HTTP/1.1\r\nhost: 127.0.0.1\r\n\(rest)")
        let answer = try client.readAnswer()
        #expect(try client.readToEnd() == "", "nothing behind it is taken for another request")
        return answer
      }
      #expect(answer.status == status)
    }
  }

  @Test func aRequestThatNeverEndsTimesOut() async throws {
    var settings = EdgeSettings()
    settings.requestTimeoutMilliseconds = 150
    // Sent before anybody accepts, so that the clock of the connection's first head cannot run out on a busy machine.
    let socket = try listeningSocket()
    let client = try RawClient(port: try port(of: socket))
    try client.send("POST \(Self.path) HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{")
    try await RunningEdge.with(Self.echo, settings: settings, socket: socket) { edge async throws in
      let answer = try await offPool { try client.readAnswer() }
      #expect(answer.status == 408)
      #expect(answer.error?.code == "request_timeout")
    }
  }

  @Test func aTruncatedBodyIsNeverRun() async throws {
    let calls = Locked(0)
    let fake = FakeDispatcher(methods: ["ledger.balance": { _, write in calls.withLock { $0 += 1 } }])
    try await RunningEdge.with(fake) { edge async throws in
      let port = edge.port
      try await offPool {
        let client = try RawClient(port: port)
        try client.send("POST \(Self.path) HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\n{}")
        client.hangUp()
      }
      let metrics = edge.server.metrics
      // A request after it on the same listener: what came before has been accepted.
      #expect(try await edge.ask("GET", "/health").status == 200)
      #expect(await eventually { metrics.snapshot().connections == 0 && metrics.snapshot().inFlight == 0 })
      #expect(calls.withLock { $0 } == 0)
    }
  }

  @Test func idleConnectionsAreClosed() async throws {
    var settings = EdgeSettings()
    settings.idleTimeoutMilliseconds = 150
    try await RunningEdge.with(Self.echo, settings: settings) { edge async throws in
      let port = edge.port
      let text = try await offPool {
        let silent = try RawClient(port: port)
        let slow = try RawClient(port: port)
        try slow.send("GET /health HTT")
        _ = try silent.readToEnd()
        return try slow.readToEnd()
      }
      #expect(!text.contains("200"))
    }
  }

  @Test func connectionsAboveTheLimitWait() async throws {
    var settings = EdgeSettings()
    settings.maxConnections = 2
    var pace = Pace()
    pace.courtesy = .hours(1)
    try await RunningEdge.with(Self.echo, settings: settings, pace: pace) { edge async throws in
      let port = edge.port
      let first = try await offPool {
        let clients = try (0..<2).map { _ in try RawClient(port: port) }
        for client in clients {
          try client.send(RunningEdge.request("GET", "/health"))
          _ = try client.readAnswer()
        }
        return clients
      }
      let third = try await offPool {
        let third = try RawClient(port: port)
        try third.send(RunningEdge.request("GET", "/health"))
        return third
      }
      // The connections that are in go on being served, and the third is not accepted meanwhile.
      try await offPool {
        for client in first {
          try client.send(RunningEdge.request("GET", "/health"))
          _ = try client.readAnswer()
        }
      }
      // One accept may take in one more than the limit.
      #expect(edge.server.metrics.snapshot().connections <= 3)
      first[0].hangUp()
      first[1].hangUp()
      #expect(try await offPool { try third.readAnswer().status } == 200)
    }
  }

  @Test func connectionsServeManyRequestsAndPipelines() async throws {
    try await RunningEdge.with(Self.echo) { edge async throws in
      let port = edge.port
      let statuses = try await offPool {
        let client = try RawClient(port: port)
        try client.send(
          RunningEdge.request("POST", Self.path, body: "{}") + RunningEdge.request("GET", "/nowhere")
            + RunningEdge.request("HEAD", "/health") + RunningEdge.request("GET", "/health", ["connection": "close"]))
        let statuses = [
          try client.readAnswer().status, try client.readAnswer().status, try client.readAnswer(isHead: true).status,
          try client.readAnswer().status,
        ]
        #expect(try client.readToEnd() == "")
        return statuses
      }
      #expect(statuses == [200, 404, 200, 200])
    }
  }
}
