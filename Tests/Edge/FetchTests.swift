import EdgeCore
import FoundationEssentials
import Testing

@Suite struct FetchTests {
  private struct Answer: Decodable {
    var status: Int
    var headers: [String: String]
    var body: String?
    var body_base64: String?
  }

  private static let site = FakeDispatcher(routes: [
    "application.http": { call, request, write in
      switch request.path {
      case "/v1/models/binary":
        try write(Array("{\"status\":200,\"headers\":{\"content-type\":\"application/octet-stream\"}}".utf8))
        try write([0xFF, 0xFE, 0x00])
      case "/v1/models/loop":
        try write(Array("{\"status\":302,\"headers\":{\"location\":\"/v1/models/loop\"}}".utf8))
      case "/v1/models/hop":
        try write(Array("{\"status\":302,\"headers\":{\"location\":\"/v1/models/end\"}}".utf8))
      case "/v1/models/away":
        try write(Array("{\"status\":302,\"headers\":{\"location\":\"http://localhost:1/x\"}}".utf8))
      case "/v1/models/big":
        try write(Array("{\"status\":200}".utf8))
        for _ in 0..<100 { try write([UInt8](repeating: 0x61, count: 1024)) }
      case "/v1/models/slow":
        // Not before the asker has gone.
        while !call.cancellation.isCancelled { try pause(5) }
      default:
        try write(Array("{\"status\":201,\"headers\":{\"x-verb\":\"\(request.verb)\"}}".utf8))
        try write(Array("\(request.path) ".utf8) + request.body)
      }
    }
  ])

  private func fetch(_ request: String, allow: [String], grants: [String]? = nil) async throws -> Answer {
    var settings = EdgeSettings()
    settings.fetchAllow = allow
    settings.fetchLimitBytes = 50_000
    let fetcher = Fetcher(settings: settings)
    let result = await Result { try await offPool { try fetcher.fetch(request, grants: grants) } }
    await fetcher.stop()
    return try JSONDecoder().decode(Answer.self, from: Data(try result.get().utf8))
  }

  private func failure(_ request: String, allow: [String], grants: [String]? = nil) async -> EdgeFailure? {
    do {
      _ = try await fetch(request, allow: allow, grants: grants)
      return nil
    } catch {
      return error as? EdgeFailure
    }
  }

  @Test func aPluginNeedsAGrantBesides() async throws {
    try await RunningEdge.with(Self.site) { edge async throws in
      let host = "127.0.0.1:\(edge.port)"
      let request = "{\"url\":\"http://\(host)/v1/models/x\"}"
      #expect(try await fetch(request, allow: [host], grants: [host]).status == 201)
      #expect(await failure(request, allow: [host], grants: [])?.code == "host_not_granted")
      #expect(await failure(request, allow: [host], grants: ["127.0.0.1"])?.code == "host_not_granted")
      #expect(await failure(request, allow: [], grants: [host])?.code == "host_not_allowed")
      let away = "{\"url\":\"http://\(host)/v1/models/away\"}"
      #expect(await failure(away, allow: [host, "localhost:1"], grants: [host])?.code == "host_not_granted")
    }
  }

  @Test(arguments: [
    "http://127.0.0.1:PORT/", "http://localhost:PORT/", "http://127.1:PORT/", "http://2130706433:PORT/",
  ])
  func aPatternDoesNotOpenThisMachine(_ pattern: String) async throws {
    try await RunningEdge.with(Self.site) { edge async throws in
      let url = pattern.replacing("PORT", with: "\(edge.port)")
      #expect(await failure("{\"url\":\"\(url)\"}", allow: ["*"])?.code == "private_address")
    }
  }

  @Test func nothingIsAllowedByDefault() async throws {
    let refused = await failure(#"{"url":"http://127.0.0.1:9/x"}"#, allow: [])
    #expect(refused?.status == .permissionDenied)
    #expect(refused?.message.contains("\"127.0.0.1:9\" to `fetch_allow`") == true)
  }

  @Test func allowedHostsAreAsked() async throws {
    try await RunningEdge.with(Self.site) { edge async throws in
      let (base, allow) = ("http://127.0.0.1:\(edge.port)", ["127.0.0.1:\(edge.port)"])
      let post = try await fetch(
        #"{"url":"\#(base)/v1/chat/completions","method":"post","headers":{"x-a":"1"},"body":"hi"}"#, allow: allow)
      #expect(post.status == 201)
      #expect(post.body == "/v1/chat/completions hi")
      #expect(post.headers["x-verb"] == "POST")
      let binary = try await fetch(#"{"url":"\#(base)/v1/models/binary"}"#, allow: allow)
      #expect(binary.body_base64 == "//4A")
      #expect(binary.body == nil)
      let hop = try await fetch(#"{"url":"\#(base)/v1/models/hop"}"#, allow: allow)
      #expect(hop.body == "/v1/models/end ")
    }
  }

  @Test func boundsHold() async throws {
    try await RunningEdge.with(Self.site) { edge async throws in
      let (base, allow) = ("http://127.0.0.1:\(edge.port)/v1/models", ["127.0.0.1:\(edge.port)"])
      #expect(await failure(#"{"url":"\#(base)/loop"}"#, allow: allow)?.code == "too_many_redirects")
      #expect(await failure(#"{"url":"\#(base)/away"}"#, allow: allow)?.code == "host_not_allowed")
      #expect(await failure(#"{"url":"\#(base)/big"}"#, allow: allow)?.code == "answer_too_large")
      #expect(await failure(#"{"url":"\#(base)/end","max_bytes":3}"#, allow: allow)?.code == "answer_too_large")
      #expect(await failure(#"{"url":"\#(base)/slow","timeout_ms":150}"#, allow: allow)?.code == "fetch_timeout")
    }
  }

  @Test(arguments: [
    #"{"url":"ftp://127.0.0.1/x"}"#, #"{"url":"file:///etc/passwd"}"#, #"{"url":"nonsense"}"#, #"{}"#, "[]",
    #"{"url":"http://u:p@127.0.0.1/"}"#, #"{"url":"http://127.0.0.1/","method":"CONNECT"}"#,
    #"{"url":"http://127.0.0.1/","timeout_ms":0}"#, #"{"url":"http://127.0.0.1/","headers":{"host":"x"}}"#,
    #"{"url":"http://127.0.0.1/","headers":{"x":"a\r\nb: c"}}"#, #"{"url":"http://127.0.0.1/","body_base64":"!"}"#,
  ])
  func wrongRequestsAreRefused(_ request: String) async throws {
    #expect(await failure(request, allow: ["127.0.0.1"])?.status == .invalidArgument)
  }
}

extension Result where Failure == any Error {
  fileprivate init(_ body: () async throws -> Success) async {
    do { self = .success(try await body()) } catch { self = .failure(error) }
  }
}
