import EdgeCore
import Glibc
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
    let stopAsking = Locked(false)
    async let asked = offPool {
      var count = 0
      while !stopAsking.withLock({ $0 }) {
        let client = try RawClient(port: port)
        try client.send(RunningEdge.request("POST", "/v1/methods/ledger.balance", body: "{}"))
        #expect(try client.readAnswer().status == 200)
        count += 1
      }
      return count
    }
    for name in 1...5 {
      try await Task.sleep(for: .milliseconds(50))
      let next = generation("\(name)")
      #expect(try await next.start(listening: dup(socket)) == port)
      await server.stop()
      server = next
    }
    stopAsking.withLock { $0 = true }
    #expect(try await asked > 20)
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
    let server = EdgeServer(
      dispatcher: FakeDispatcher(), settings: EdgeSettings(), operatorToken: "t", log: EdgeLog { _, _, _ in })
    let port = try await server.start(listening: try listeningSocket())
    let client = try await offPool {
      let client = try RawClient(port: port)
      try client.send(RunningEdge.request("GET", "/health"))
      #expect(try client.readAnswer().headers["connection"] == nil)
      return client
    }
    async let stopped: Void = server.stop(.handover)
    try await Task.sleep(for: .milliseconds(1500))
    let answer = try await offPool {
      try client.send(RunningEdge.request("GET", "/health"))
      let answer = try client.readAnswer()
      #expect(try client.readToEnd() == "")
      return answer
    }
    #expect(answer.status == 200 && answer.headers["connection"] == "close")
    await stopped
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
    let server = EdgeServer(dispatcher: fake, settings: EdgeSettings(), operatorToken: "t", log: EdgeLog { _, _, _ in })
    let port = try await server.start(listening: try listeningSocket())
    let client = try await offPool {
      let client = try RawClient(port: port)
      try client.send(RunningEdge.request("POST", "/v1/methods/ledger.watch", body: "{}"))
      _ = try client.read(until: "1\n")
      return client
    }
    async let stopped: Void = server.stop()
    var isRefused = false
    for _ in 0..<100 where !isRefused {
      try await Task.sleep(for: .milliseconds(100))
      isRefused = (try? RawClient(port: port)) == nil
    }
    #expect(isRefused, "a stopping edge takes nobody in")
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
    let server = EdgeServer(dispatcher: fake, settings: settings, operatorToken: "t", log: EdgeLog { _, _, _ in })
    let port = try await server.start(listening: try listeningSocket())
    let client = try await offPool {
      let client = try RawClient(port: port)
      try client.send(RunningEdge.request("POST", "/v1/methods/ledger.watch", body: "{}"))
      _ = try client.read(until: "1\n")
      return client
    }
    let started = ContinuousClock.now
    await server.stop()
    #expect(ContinuousClock.now - started < .seconds(3))
    #expect(cancelled.withLock { $0 })
    client.hangUp()
  }
}
