import EdgeCore
import Glibc
import NIOCore
import Testing

/// Clients that send or read too slowly hold neither threads nor memory nor other clients.
@Suite struct SlowClientTests {
  @Test func aHeadThatDripsIsCutOff() async throws {
    var settings = EdgeSettings()
    settings.requestTimeoutMilliseconds = 400
    try await RunningEdge.with(settings: settings) { edge async throws in
      let port = edge.port
      let isCutOff = try await offPool {
        let client = try RawClient(port: port)
        try client.send("GET /health HTTP/1.1\r\nx: ")
        // Never idle, and within the limit of header bytes for minutes.
        for _ in 0..<30_000 {
          do { try client.send("1") } catch { return true }
          usleep(10_000)
        }
        return false
      }
      #expect(isCutOff)
      #expect(edge.server.metrics.snapshot().refused["head_timeout"] == 1)
      #expect(try await edge.ask("GET", "/health").status == 200)
    }
  }

  @Test func bodiesTogetherAreBounded() async throws {
    var settings = EdgeSettings()
    settings.bodyMemoryBytes = 1_048_576
    settings.requestTimeoutMilliseconds = 600_000
    try await RunningEdge.with(settings: settings) { edge async throws in
      let port = edge.port
      let holders = try await offPool {
        try (0..<2).map { _ in
          let client = try RawClient(port: port)
          try client.send(
            "POST /v1/methods/ledger.balance HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 600000\r\n\r\n"
              + String(repeating: " ", count: 500_000))
          return client
        }
      }
      let server = edge.server
      #expect(await eventually { server.bodyBytes == 1_000_000 })
      let refused = try await edge.ask(
        "POST", "/v1/methods/ledger.balance", body: String(repeating: " ", count: 100_000))
      #expect(refused.status == 503 && refused.error?.code == "bodies_full")
      for holder in holders { holder.hangUp() }
      #expect(await eventually { server.bodyBytes == 0 }, "what slow senders held is given back")
      let last = try await edge.ask(
        "POST", "/v1/methods/ledger.balance", body: String(repeating: " ", count: 100_000))
      #expect(last.status != 503)
    }
  }

  @Test func silentConnectionsMakeRoomWhenAllAreTaken() async throws {
    var settings = EdgeSettings()
    settings.maxConnections = 20
    // Nothing but the want of room ends a silent connection.
    settings.requestTimeoutMilliseconds = 600_000
    settings.idleTimeoutMilliseconds = 600_000
    try await RunningEdge.with(settings: settings) { edge async throws in
      let port = edge.port
      let silent = try await offPool {
        try (0..<40).map { number in
          let client = try RawClient(port: port)
          if number % 2 == 0 { try client.send("GET /health HTTP/1.1\r\nhost: 127") }
          return client
        }
      }
      #expect(try await edge.ask("GET", "/health").status == 200)
      #expect(edge.server.metrics.snapshot().refused["connections_full"] ?? 0 > 0)
      for client in silent { client.hangUp() }
    }
  }

  @Test func aSlowReaderMakesRoomWhenSomebodyWaits() async throws {
    let fake = FakeDispatcher(methods: [
      "ledger.watch": { call, write in
        let item = "\"" + String(repeating: "x", count: 65536) + "\""
        while !call.cancellation.isCancelled { try write(item) }
      },
      "ledger.balance": { _, write in try write("{}") },
    ])
    var settings = EdgeSettings()
    settings.calls = 2
    var pace = Pace()
    pace.patience = .zero
    try await RunningEdge.with(fake, settings: settings, pace: pace) { edge async throws in
      let port = edge.port
      let readers = try await offPool {
        try (0..<2).map { _ in
          let client = try RawClient(port: port, receiveBuffer: 4096)
          try client.send(RunningEdge.request("POST", "/v1/methods/ledger.watch", body: "{}"))
          _ = try client.read(count: 100)
          return client
        }
      }
      let server = edge.server
      #expect(await atRest({ server.stalledStreams }, while: { server.stalledStreams == 2 }) == 2)
      #expect(try await edge.ask("POST", "/v1/methods/ledger.balance", body: "{}").status == 200)
      #expect(edge.server.metrics.snapshot().refused["slow_reader"] == 1)
      for reader in readers { reader.hangUp() }
    }
  }

  private static let item = "\"" + String(repeating: "x", count: 65534) + "\""

  /// Connects so many clients that ask for `ledger.watch` and read nothing.
  private static func readers(_ count: Int, _ port: Int) async throws -> [RawClient] {
    try await offPool {
      try (0..<count).map { _ in
        let client = try RawClient(port: port, receiveBuffer: 4096)
        try client.send(RunningEdge.request("POST", "/v1/methods/ledger.watch", body: "{}"))
        return client
      }
    }
  }

  @Test func aSlowReaderHoldsNoThreadOnceItsMethodIsDone() async throws {
    let (items, ended) = (96, Locked(0))  // 6 MB each: more than the kernel takes, less than may wait.
    let fake = FakeDispatcher(methods: [
      "ledger.watch": { _, write in
        for _ in 0..<items { try write(Self.item) }
        ended.withLock { $0 += 1 }
      }
    ])
    var settings = EdgeSettings()
    settings.calls = 2
    try await RunningEdge.with(fake, settings: settings) { edge async throws in
      let (port, server) = (edge.port, edge.server)
      var readers: [RawClient] = []
      for number in 1...6 {
        // Six slow readers, and never more than one of the two threads is taken.
        readers += try await Self.readers(1, port)
        #expect(await eventually { ended.withLock { $0 } == number && server.callsInFlight == 0 })
      }
      let slow = readers
      #expect(server.waitingBytes > 0, "what they have not read waits")
      let sizes = try await offPool { try slow.map { try $0.readAnswer().bytes.count } }
      #expect(sizes.allSatisfy { $0 == items * 65537 })
      #expect(await eventually { server.waitingBytes == 0 })
    }
  }

  @Test func slowReadersHoldNoMoreThreadsThanTheyMay() async throws {
    let fake = FakeDispatcher(methods: [
      "ledger.watch": { call, write in while !call.cancellation.isCancelled { try write(Self.item) } }
    ])
    var settings = EdgeSettings()
    settings.slowCalls = 2
    settings.streamMemoryBytes = 1_048_576
    var pace = Pace()
    pace.patience = .milliseconds(50)
    try await RunningEdge.with(fake, settings: settings, pace: pace) { edge async throws in
      let server = edge.server
      let readers = try await Self.readers(6, edge.port)
      let heldBack = await eventually {
        server.metrics.snapshot().refused["slow_reader"] == 4 && server.callsInFlight == 2
      }
      #expect(
        heldBack,
        """
        refused \(server.metrics.snapshot().refused), calls \(server.callsInFlight), \
        waiting \(server.waitingBytes), stalled \(server.stalledStreams)
        """)
      #expect(server.waitingBytes <= 1_048_576)
      for reader in readers { reader.hangUp() }
      #expect(await eventually { server.callsInFlight == 0 && server.waitingBytes == 0 })
    }
  }
}
