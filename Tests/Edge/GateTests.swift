import EdgeCore
import Glibc
import Testing

@Suite struct GateTests {
  @Test(arguments: [
    "localhost", "LOCALHOST:99", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080", "node.example",
    "node.example:80",
  ])
  func loopbackAnswersToItsNames(_ host: String) async throws {
    var settings = EdgeSettings()
    settings.allowedHosts = ["node.example"]
    try await RunningEdge.with(settings: settings) { edge async throws in
      #expect(try await edge.ask("GET", "/health", ["host": host]).status == 200)
    }
  }

  @Test(arguments: [
    "evil.example", "127.0.0.1.evil.example", "localhost.evil", "localhost:80:80", "127.0.0.2", "0.0.0.0", "[::2]",
  ])
  func loopbackRefusesOtherNames(_ host: String) async throws {
    try await RunningEdge.with { edge async throws in
      let answer = try await edge.ask("GET", "/health", ["host": host])
      #expect(answer.status == 403)
      #expect(answer.error?.code == "host_not_allowed")
    }
  }

  @Test func aRequestHasOneHost() async throws {
    try await RunningEdge.with { edge async throws in
      let port = edge.port
      let answer = try await offPool {
        let client = try RawClient(port: port)
        try client.send("GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nHost: evil.example\r\n\r\n")
        return try client.readAnswer()
      }
      #expect(answer.status == 400 && answer.error?.code == "two_hosts")
    }
  }

  @Test func otherInterfacesAnswerToAnyName() throws {
    let gate = Gate(listensOnLoopback: false, allowedHosts: [], allowedOrigins: [], token: "t")
    try gate.checkHost("anything.example")
    try gate.checkHost(nil)
  }

  @Test func pagesOfStrangersMayNotCall() async throws {
    let fake = FakeDispatcher(methods: ["ledger.balance": { _, write in try write("{}") }])
    var settings = EdgeSettings()
    settings.allowedOrigins = ["https://good.example"]
    try await RunningEdge.with(fake, settings: settings) { edge async throws in
      let path = "/v1/methods/ledger.balance"
      let evil = try await edge.ask("POST", path, ["origin": "https://evil.example"], body: "{}")
      #expect(evil.status == 403)
      #expect(evil.headers["access-control-allow-origin"] == nil)
      #expect(try await edge.ask("POST", path, ["origin": "null"], body: "{}").status == 403)
      let own = try await edge.ask("POST", path, ["origin": "http://127.0.0.1"], body: "{}")
      #expect(own.status == 200)
      #expect(own.headers["access-control-allow-origin"] == nil)
      let good = try await edge.ask("POST", path, ["origin": "https://good.example"], body: "{}")
      #expect(good.status == 200)
      #expect(good.headers["access-control-allow-origin"] == "https://good.example")
      let asked = try await edge.ask(
        "OPTIONS", path,
        [
          "origin": "https://good.example", "access-control-request-method": "POST",
          "access-control-request-headers": "x-a",
        ])
      #expect(asked.status == 204)
      #expect(asked.headers["access-control-allow-headers"] == "x-a")
      #expect(try await edge.ask("OPTIONS", path, ["origin": "https://evil.example"]).status == 405)
    }
  }

  @Test func otherMachinesAreServedOnlyWithTLSOrAnExplicitWord() async throws {
    var settings = EdgeSettings()
    func start() async throws -> EdgeServer {
      let server = EdgeServer(
        dispatcher: FakeDispatcher(), settings: settings, operatorToken: "t", log: EdgeLog { _, _, _ in })
      let socket = try listeningSocket(0)
      do {
        try await server.start(listening: socket)
      } catch {
        await server.stop()
        close(socket)
        throw error
      }
      return server
    }
    let failure = await #expect(throws: EdgeFailure.self) { try await start() }
    #expect(failure?.code == "needs_tls")
    #expect(failure?.message.contains("plaintext = \"allow\"") == true)
    settings.plaintext = "allow"
    await (try await start()).stop()
    settings.tlsCertificate = "/nowhere/certificate.pem"
    #expect(await #expect(throws: EdgeFailure.self) { try await start() }?.code == "tls_incomplete")
    settings.tlsKey = "/nowhere/key.pem"
    #expect(await #expect(throws: EdgeFailure.self) { try await start() }?.code == "tls_unreadable")
  }

  @Test func anEmptyTokenAdmitsNobody() {
    let gate = Gate(listensOnLoopback: true, allowedHosts: [], allowedOrigins: [], token: "")
    #expect(!gate.access("Bearer ").isOurs)
    #expect(!gate.access(nil).isOurs)
  }

  @Test func nothingSecretIsLogged() async throws {
    let lines = Locked("")
    let fake = FakeDispatcher(
      methods: ["ledger.balance": { _, _ in throw EdgeFailure(.internal, "x", "Failed.") }],
      routes: ["application.http": { _, _, _ in throw EdgeFailure(.internal, "x", "Failed.") }])
    var settings = EdgeSettings()
    settings.accessLog = true
    let log = EdgeLog { _, message, fields in lines.withLock { $0 += "\(message) \(fields)\n" } }
    try await RunningEdge.with(fake, settings: settings, log: log) { edge async throws in
      let secrets = ["authorization": "Bearer canary-key"]
      _ = try await edge.ask("POST", "/v1/methods/ledger.balance", secrets, body: "{\"canary-body\":1}")
      _ = try await edge.ask("POST", "/v1/chat/completions?canary-query", secrets, body: "{\"canary-body\":1}")
      _ = try await edge.ask("GET", "/canary-path", secrets)
    }
    let text = lines.withLock { $0 }
    #expect(text.contains("Answered"))
    #expect(!text.contains("canary"))
  }
}
