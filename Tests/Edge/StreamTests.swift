import EdgeCore
import Testing

@Suite struct StreamTests {
  private static let path = "/v1/methods/ledger.watch"

  private static func counting(to last: Int) -> FakeDispatcher {
    FakeDispatcher(methods: [
      "ledger.watch": { _, write in for index in 1...last { try write("{\"n\":\n\(index)}") } }
    ])
  }

  @Test func streamsAreJSONLinesByDefault() async throws {
    try await RunningEdge.with(Self.counting(to: 3)) { edge async throws in
      let answer = try await edge.ask("POST", Self.path, body: "{}")
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"] == "application/x-ndjson")
      #expect(answer.text == "{\"n\": 1}\n{\"n\": 2}\n{\"n\": 3}\n")
    }
  }

  @Test func streamsAreEventsWhenAsked() async throws {
    try await RunningEdge.with(Self.counting(to: 2)) { edge async throws in
      let answer = try await edge.ask("POST", Self.path, ["accept": "text/event-stream"], body: "{}")
      #expect(answer.headers["content-type"]?.hasPrefix("text/event-stream") == true)
      #expect(answer.text == "data: {\"n\": 1}\n\ndata: {\"n\": 2}\n\ndata: [DONE]\n\n")
    }
  }

  @Test func aFailureBeforeTheFirstMessageHasItsOwnStatus() async throws {
    let fake = FakeDispatcher(methods: ["ledger.watch": { _, _ in throw EdgeFailure(.notFound, "gone", "Gone.") }])
    try await RunningEdge.with(fake) { edge async throws in
      #expect(try await edge.ask("POST", Self.path, body: "{}").status == 404)
    }
  }

  @Test func aFailureInTheMiddleIsTheLastMessage() async throws {
    let fake = FakeDispatcher(methods: [
      "ledger.watch": { _, write in
        try write("1")
        throw EdgeFailure(.dataLoss, "lost", "Lost.")
      }
    ])
    try await RunningEdge.with(fake) { edge async throws in
      let answer = try await edge.ask("POST", Self.path, ["accept": "text/event-stream"], body: "{}")
      #expect(answer.text.hasPrefix("data: 1\n\ndata: {\"error\":"))
      #expect(!answer.text.contains("[DONE]"))
    }
  }

  @Test func messagesArriveWhileTheMethodStillRuns() async throws {
    let go = Locked(false)
    let fake = FakeDispatcher(methods: [
      "ledger.watch": { _, write in
        try write("1")
        while !go.withLock({ $0 }) { try pause(5) }
        try write("2")
      }
    ])
    try await RunningEdge.with(fake) { edge async throws in
      let port = edge.port
      let client = try await offPool {
        let client = try RawClient(port: port)
        try client.send(RunningEdge.request("POST", Self.path, body: "{}"))
        _ = try client.read(until: "1\n")
        return client
      }
      go.withLock { $0 = true }
      #expect(try await offPool { try client.read(until: "0\r\n\r\n") }.contains("2\n"))
    }
  }

  @Test func aClientThatLeavesCancelsTheMethod() async throws {
    let (cancelled, ended) = (Locked(false), Locked<EdgeFailure?>(nil))
    let fake = FakeDispatcher(methods: [
      "ledger.watch": { call, write in
        try write("1")
        while !call.cancellation.isCancelled { try pause(2) }
        cancelled.withLock { $0 = true }
        do { try write("2") } catch { ended.withLock { $0 = error as? EdgeFailure } }
      }
    ])
    try await RunningEdge.with(fake) { edge async throws in
      let port = edge.port
      try await offPool {
        let client = try RawClient(port: port)
        try client.send(RunningEdge.request("POST", Self.path, body: "{}"))
        _ = try client.read(until: "1\n")
        client.hangUp()
      }
      #expect(await eventually { cancelled.withLock { $0 } })
      #expect(await eventually { ended.withLock { $0?.status } == .cancelled })
      #expect(await eventually { edge.server.metrics.snapshot().inFlight == 0 })
    }
  }

  @Test func aClientThatLeavesAWholeCallCancelsItToo() async throws {
    let (started, cancelled) = (Locked(false), Locked(false))
    let fake = FakeDispatcher(methods: [
      "ledger.balance": { call, write in
        started.withLock { $0 = true }
        while !call.cancellation.isCancelled { try pause(2) }
        cancelled.withLock { $0 = true }
      }
    ])
    try await RunningEdge.with(fake) { edge async throws in
      let port = edge.port
      let client = try await offPool {
        let client = try RawClient(port: port)
        try client.send(RunningEdge.request("POST", "/v1/methods/ledger.balance", body: "{}"))
        return client
      }
      #expect(await eventually { started.withLock { $0 } })
      client.hangUp()
      #expect(await eventually { cancelled.withLock { $0 } })
    }
  }

  @Test func aSlowReaderSlowsTheMethod() async throws {
    let written = Locked(0)
    let (messages, size) = (400, 64 * 1024)  // 25 MB
    let text = "\"" + String(repeating: "x", count: size - 2) + "\""
    let fake = FakeDispatcher(methods: [
      "ledger.watch": { _, write in
        for _ in 0..<messages {
          try write(text)
          written.withLock { $0 += 1 }
        }
      }
    ])
    var settings = EdgeSettings()
    settings.streamBufferBytes = 0
    try await RunningEdge.with(fake, settings: settings) { edge async throws in
      let port = edge.port
      let client = try await offPool {
        let client = try RawClient(port: port, receiveBuffer: 32 * 1024)
        try client.send(RunningEdge.request("POST", Self.path, body: "{}"))
        return client
      }
      let server = edge.server
      let before = await atRest({ written.withLock { $0 } }, while: { server.stalledStreams == 1 })
      #expect(try #require(before) < messages / 2, "the method ran ahead of a client that reads nothing")
      let answer = try await offPool { try client.readAnswer() }
      #expect(answer.bytes.count == messages * (size + 1))
    }
  }

  @Test func aClientThatTakesNothingIsCutOff() async throws {
    let ended = Locked(false)
    let text = "\"" + String(repeating: "x", count: 64 * 1024) + "\""
    let fake = FakeDispatcher(methods: [
      "ledger.watch": { _, write in
        defer { ended.withLock { $0 = true } }
        while true { try write(text) }
      }
    ])
    var settings = EdgeSettings()
    settings.writeTimeoutMilliseconds = 200
    try await RunningEdge.with(fake, settings: settings) { edge async throws in
      let port = edge.port
      let client = try await offPool {
        let client = try RawClient(port: port, receiveBuffer: 32 * 1024)
        try client.send(RunningEdge.request("POST", Self.path, body: "{}"))
        return client
      }
      #expect(await eventually { ended.withLock { $0 } })
      client.hangUp()
    }
  }

  @Test func sixtyFourStreamsRunAtTheSameTime() async throws {
    let (running, go) = (Locked(0), Locked(false))
    let fake = FakeDispatcher(methods: [
      "ledger.watch": { _, write in
        running.withLock { $0 += 1 }
        while !go.withLock({ $0 }) { try pause(5) }
        for index in 1...20 { try write("\(index)") }
      }
    ])
    try await RunningEdge.with(fake) { edge async throws in
      let port = edge.port
      let clients = try await offPool {
        try (0..<64).map { _ in
          let client = try RawClient(port: port)
          try client.send(RunningEdge.request("POST", Self.path, body: "{}"))
          return client
        }
      }
      #expect(await eventually { running.withLock { $0 } == 64 })
      go.withLock { $0 = true }
      let answers = try await offPool { try clients.map { try $0.readAnswer().text } }
      let expected = (1...20).map { "\($0)\n" }.joined()
      #expect(answers.allSatisfy { $0 == expected })
    }
  }
}
