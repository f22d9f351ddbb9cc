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
}
