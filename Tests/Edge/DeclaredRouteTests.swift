import EdgeCore
import FoundationEssentials
import Testing

@Suite struct DeclaredRouteTests {
  private static func layer(_ body: @escaping FakeDispatcher.RouteMethod) -> FakeDispatcher {
    FakeDispatcher(routes: ["application.http": body])
  }

  @Test func theLayerGetsTheWholeRequestAndGivesTheWholeAnswer() async throws {
    let fake = Self.layer { call, request, write in
      #expect(call.origin == .public)
      #expect(request.verb == "POST")
      #expect(request.path == "/v1/chat/completions?a=1&b=%20")
      #expect(request.body == Array("{\"x\":1".utf8))
      let headers = try JSONDecoder().decode([String: String].self, from: Data(request.headers.utf8))
      #expect(headers["authorization"] == "Bearer sk-sym-1")
      #expect(headers["x-odd"] == "1, 2")
      #expect(headers["host"] == "127.0.0.1")
      #expect(headers["x-symbolon-peer"] == "127.0.0.1")
      try write(
        Array(#"{"status":402,"headers":{"content-type":"application/json","x-a":"b","connection":"evil"}}"#.utf8))
      try write(Array("{\"error\"".utf8))
      try write(Array(":{}}".utf8))
    }
    try await RunningEdge.with(fake) { edge async throws in
      let port = edge.port
      let answer = try await offPool {
        let client = try RawClient(port: port)
        try client.send(
          "POST /v1/chat/completions?a=1&b=%20 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer sk-sym-1\r\n"
            + "X-Odd: 1\r\nX-Odd: 2\r\nContent-Length: 6\r\n\r\n{\"x\":1")
        return try client.readAnswer()
      }
      #expect(answer.status == 402)
      #expect(answer.headers["x-a"] == "b")
      #expect(answer.headers["connection"] == nil)
      #expect(answer.headers["x-request-id"] != nil)
      #expect(answer.text == "{\"error\":{}}")
    }
  }

  @Test func patternsTakeOneSegment() async throws {
    let fake = Self.layer { _, request, write in
      try write(Array("{\"status\":200}".utf8))
      try write(Array(request.path.utf8))
    }
    try await RunningEdge.with(fake) { edge async throws in
      #expect(try await edge.ask("GET", "/v1/models/abc").text == "/v1/models/abc")
      #expect(try await edge.ask("GET", "/v1/models/").status == 404)
      #expect(try await edge.ask("GET", "/v1/models/a/b").status == 404)
      #expect(try await edge.ask("PUT", "/v1/models/a").status == 405)
    }
  }

  @Test func theOperatorsTokenReachesNoLayer() async throws {
    let fake = Self.layer { call, request, write in
      #expect(call.origin == .operator)
      #expect(!request.headers.contains(RunningEdge.token))
      try write(Array("{\"status\":204}".utf8))
    }
    try await RunningEdge.with(fake) { edge async throws in
      let answer = try await edge.ask("GET", "/v1/models/a", ["authorization": "Bearer \(RunningEdge.token)"])
      #expect(answer.status == 204)
    }
  }

  @Test func aFailureBeforeTheHeadIsAJSONError() async throws {
    let fake = Self.layer { _, _, _ in throw EdgeFailure(.unauthenticated, "invalid_api_key", "Wrong key.") }
    try await RunningEdge.with(fake) { edge async throws in
      let answer = try await edge.ask("GET", "/v1/models/a")
      #expect(answer.status == 401)
      #expect(answer.error?.code == "invalid_api_key")
    }
  }

  @Test(arguments: ["nonsense", "{}", #"{"status":99}"#, #"{"status":"200"}"#])
  func aBadHeadIsTheLayersFault(_ head: String) async throws {
    let fake = Self.layer { _, _, write in try write(Array(head.utf8)) }
    try await RunningEdge.with(fake) { edge async throws in
      let answer = try await edge.ask("GET", "/v1/models/a")
      #expect(answer.status == 500)
      #expect(answer.error?.code == "bad_head")
    }
  }

  @Test func aStreamThatBreaksIsNotEndedWell() async throws {
    let fake = Self.layer { _, _, write in
      try write(Array("{\"status\":200}".utf8))
      try write(Array("half".utf8))
      throw EdgeFailure(.internal, "broke", "Broke.")
    }
    try await RunningEdge.with(fake) { edge async throws in
      let port = edge.port
      let text = try await offPool {
        let client = try RawClient(port: port)
        try client.send(RunningEdge.request("GET", "/v1/models/a"))
        return try client.readToEnd()
      }
      #expect(text.contains("half"))
      #expect(!text.hasSuffix("0\r\n\r\n"))
    }
  }

  @Test func headersCannotBeSmuggledOut() async throws {
    let fake = Self.layer { _, _, write in
      try write(Array(#"{"status":200,"headers":{"x-bad":"a\r\nx-evil: 1","x good":"1","x-fine":"1"}}"#.utf8))
    }
    try await RunningEdge.with(fake) { edge async throws in
      let answer = try await edge.ask("GET", "/v1/models/a")
      #expect(answer.status == 200)
      #expect(answer.headers["x-evil"] == nil)
      #expect(answer.headers["x-bad"] == nil)
      #expect(answer.headers["x-fine"] == "1")
    }
  }
}
