import EdgeCore
import Glibc
import NIOCore
import Testing

@Suite struct HandoverTests {
  @Test func twoGenerationsShareTheSocketAndNoConnectionIsRefused() async throws {
    let socket = try listeningSocket()
    defer { close(socket) }
    func generation(_ name: String) -> EdgeServer {
      let fake = FakeDispatcher(methods: ["ledger.balance": { _, write in try write("{\"amount\":\"\(name)\"}") }])
      return EdgeServer(dispatcher: fake, settings: EdgeSettings(), operatorToken: "t", log: EdgeLog { _, _, _ in })
    }
    var server = generation("0")
    let port = try await server.start(listening: dup(socket))
    let (stopAsking, answered) = (Locked(false), Locked(0))
    async let asking: Void = offPool {
      while !stopAsking.withLock({ $0 }) {
        let client = try RawClient(port: port)
        try client.send(RunningEdge.request("POST", "/v1/methods/ledger.balance", body: "{}"))
        #expect(try client.readAnswer().status == 200)
        answered.withLock { $0 += 1 }
      }
    }
    for name in 1...5 {
      let before = answered.withLock { $0 }
      #expect(await eventually { answered.withLock { $0 } >= before + 5 })
      let next = generation("\(name)")
      #expect(try await next.start(listening: dup(socket)) == port)
      await server.stop()
      server = next
    }
    stopAsking.withLock { $0 = true }
    try await asking
    let last = try await offPool {
      let client = try RawClient(port: port)
      try client.send(RunningEdge.request("POST", "/v1/methods/ledger.balance", body: "{}"))
      return try client.readAnswer().text
    }
    #expect(last == "{\"amount\":\"5\"}")
    await server.stop()
    // The port outlives every generation: the kernel still takes connections.
    _ = try await offPool { try RawClient(port: port) }
  }

  @Test func aKeptConnectionIsAnsweredOnceMoreAfterAHandover() async throws {
    var pace = Pace()
    pace.handoverIdle = .hours(1)
    let (server, port) = try await Self.start(FakeDispatcher(), pace: pace)
    let client = try await offPool {
      let client = try RawClient(port: port)
      try client.send(RunningEdge.request("GET", "/health"))
      #expect(try client.readAnswer().headers["connection"] == nil)
      return client
    }
    async let stopped: Void = server.stop(.handover)
    #expect(await eventually { server.isStopping })
    let answer = try await offPool {
      try client.send(RunningEdge.request("GET", "/health"))
      let answer = try client.readAnswer()
      #expect(try client.readToEnd() == "")
      return answer
    }
    #expect(answer.status == 200 && answer.headers["connection"] == "close")
    await stopped
  }

  @Test func anIdleConnectionEndsAtAHandover() async throws {
    var pace = Pace()
    pace.handoverIdle = .zero
    let (server, port) = try await Self.start(FakeDispatcher(), pace: pace)
    let client = try await offPool {
      let client = try RawClient(port: port)
      try client.send(RunningEdge.request("GET", "/health"))
      _ = try client.readAnswer()
      return client
    }
    await server.stop(.handover)
    #expect(try await offPool { try client.readToEnd() } == "")
  }

  private static func start(
    _ fake: FakeDispatcher, settings: EdgeSettings = EdgeSettings(), pace: Pace = Pace()
  ) async throws -> (EdgeServer, Int) {
    var settings = settings
    settings.idleTimeoutMilliseconds = 3_600_000
    let server = EdgeServer(
      dispatcher: fake, settings: settings, operatorToken: "t", log: EdgeLog { _, _, _ in }, pace: pace)
    return (server, try await server.start(listening: try listeningSocket()))
  }

  @Test func aStoppingEdgeLetsStreamsEnd() async throws {
    let go = Locked(false)
    let fake = FakeDispatcher(methods: [
      "ledger.watch": { _, write in
        try write("1")
        while !go.withLock({ $0 }) { try pause(5) }
        try write("2")
      }
    ])
    var settings = EdgeSettings()
    settings.drainTimeoutMilliseconds = 600_000
    let (server, port) = try await Self.start(fake, settings: settings)
    let client = try await offPool {
      let client = try RawClient(port: port)
      try client.send(RunningEdge.request("POST", "/v1/methods/ledger.watch", body: "{}"))
      _ = try client.read(until: "1\n")
      return client
    }
    async let stopped: Void = server.stop()
    #expect(await eventually { (try? RawClient(port: port)) == nil }, "a stopping edge takes nobody in")
    go.withLock { $0 = true }
    let rest = try await offPool { try client.readToEnd() }
    #expect(rest.hasSuffix("2\n\r\n0\r\n\r\n"))
    await stopped
  }

  @Test func aStoppingEdgeCutsWhatDoesNotEnd() async throws {
    let cancelled = Locked(false)
    let fake = FakeDispatcher(methods: [
      "ledger.watch": { call, write in
        try write("1")
        while !call.cancellation.isCancelled { try pause(5) }
        cancelled.withLock { $0 = true }
      }
    ])
    var settings = EdgeSettings()
    settings.drainTimeoutMilliseconds = 300
    let (server, port) = try await Self.start(fake, settings: settings)
    let client = try await offPool {
      let client = try RawClient(port: port)
      try client.send(RunningEdge.request("POST", "/v1/methods/ledger.watch", body: "{}"))
      _ = try client.read(until: "1\n")
      return client
    }
    // The method ends for no other reason: unless it is cut, this never returns.
    await server.stop()
    #expect(await eventually { cancelled.withLock { $0 } })
    client.hangUp()
  }
}
