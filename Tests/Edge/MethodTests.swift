import EdgeCore
import Testing

@Suite struct MethodTests {
  @Test func publicMethodAnswersWithTheHostsJSON() async throws {
    let fake = FakeDispatcher(methods: [
      "ledger.balance": { call, write in
        #expect(call.origin == .public)
        #expect(String(decoding: call.arguments, as: UTF8.self) == #"{"account":"00"}"#)
        #expect(call.trace.count == 16)
        try write(#"{"amount":42}"#)
      }
    ])
    try await RunningEdge.with(fake) { edge async throws in
      let answer = try await edge.ask("POST", "/v1/methods/ledger.balance", body: #"{"account":"00"}"#)
      #expect(answer.status == 200)
      #expect(answer.headers["content-type"] == "application/json")
      #expect(answer.headers["x-request-id"]?.hasPrefix("req_") == true)
      #expect(answer.text == #"{"amount":42}"#)
    }
  }

  @Test func aMissingBodyIsNoArguments() async throws {
    let fake = FakeDispatcher(methods: [
      "ledger.balance": { call, write in try write(String(decoding: call.arguments, as: UTF8.self)) }
    ])
    try await RunningEdge.with(fake) { edge async throws in
      #expect(try await edge.ask("POST", "/v1/methods/ledger.balance").text == "{}")
    }
  }

  @Test func aClientsRequestIDIsKeptWhenHarmless() async throws {
    try await RunningEdge.with { edge async throws in
      #expect(try await edge.ask("GET", "/health", ["x-request-id": "mine-1"]).headers["x-request-id"] == "mine-1")
      let odd = try await edge.ask("GET", "/health", ["x-request-id": "<script>"])
      #expect(odd.headers["x-request-id"]?.hasPrefix("req_") == true)
    }
  }

  @Test func malformedJSONNamesThePosition() async throws {
    try await RunningEdge.with { edge async throws in
      let answer = try await edge.ask("POST", "/v1/methods/ledger.balance", body: "{\"account\":\n  nope}")
      #expect(answer.status == 400)
      #expect(answer.error?.code == "malformed_json")
      #expect(answer.error?.type == "invalid_request_error")
      #expect(answer.error?.message.contains("line 2, column 4") == true)
    }
  }

  @Test func failuresOfTheHostKeepCodeAndSentence() async throws {
    let cases: [(EdgeFailure.Status, Int)] = [
      (.invalidArgument, 400), (.unauthenticated, 401), (.permissionDenied, 403), (.notFound, 404),
      (.resourceExhausted, 429), (.failedPrecondition, 409), (.unavailable, 503), (.deadlineExceeded, 504),
      (.unimplemented, 501), (.internal, 500), (.alreadyExists, 409), (.aborted, 409),
    ]
    for (status, http) in cases {
      let fake = FakeDispatcher(methods: [
        "ledger.balance": { _, _ in throw EdgeFailure(status, "a_code", "`account` must be bytes in hexadecimal.") }
      ])
      try await RunningEdge.with(fake) { edge async throws in
        let answer = try await edge.ask("POST", "/v1/methods/ledger.balance", body: "{}")
        #expect(answer.status == http)
        #expect(answer.error?.code == "a_code")
        #expect(answer.error?.param == (http == 400 ? "account" : nil))
        #expect(answer.error?.message.contains("`account`") == true)
        #expect((answer.headers["retry-after"] != nil) == (http == 429 || http == 503))
      }
    }
  }

  @Test func transitionsAreRefusedWithTheWayToDoThem() async throws {
    try await RunningEdge.with { edge async throws in
      let answer = try await edge.ask(
        "POST", "/v1/methods/ledger.transfer", ["authorization": "Bearer \(RunningEdge.token)"], body: "{}")
      #expect(answer.status == 400)
      #expect(answer.error?.code == "needs_transaction")
      #expect(answer.error?.message.contains("ledger.submit") == true)
    }
  }

  @Test func operatorMethodsNeedTheToken() async throws {
    let fake = FakeDispatcher(methods: [
      "ledger.act": { call, write in
        #expect(call.origin == .operator)
        try write("{\"receipt\":{}}")
      }
    ])
    try await RunningEdge.with(fake) { edge async throws in
      let path = "/v1/methods/ledger.act"
      let none = try await edge.ask("POST", path, body: "{}")
      #expect(none.status == 401)
      #expect(none.error?.type == "authentication_error")
      #expect(none.headers["www-authenticate"] == "Bearer")
      for wrong in [
        "Bearer x", "Bearer \(RunningEdge.token)0", "Bearer " + RunningEdge.token.dropLast(), "Basic abc", "Bearer ",
      ] {
        #expect(try await edge.ask("POST", path, ["authorization": wrong], body: "{}").status == 401)
      }
      let right = try await edge.ask("POST", path, ["authorization": "bearer \(RunningEdge.token)"], body: "{}")
      #expect(right.status == 200)
    }
  }

  @Test func unknownPathsVerbsAndMethodsSayWhatIsThere() async throws {
    try await RunningEdge.with { edge async throws in
      let path = try await edge.ask("GET", "/nowhere")
      #expect(path.status == 404)
      #expect(path.error?.code == "unknown_path")
      let method = try await edge.ask("POST", "/v1/methods/ledger.nothing", body: "{}")
      #expect(method.status == 404)
      #expect(method.error?.code == "unknown_method")
      let verb = try await edge.ask("GET", "/v1/methods/ledger.balance")
      #expect(verb.status == 405)
      #expect(verb.headers["allow"] == "POST")
      let page = try await edge.ask("DELETE", "/health")
      #expect(page.status == 405)
      #expect(page.headers["allow"] == "GET, HEAD")
      let declared = try await edge.ask("GET", "/v1/chat/completions")
      #expect(declared.headers["allow"] == "POST")
    }
  }

  @Test func aFullHouseAnswers503WithRetryAfter() async throws {
    let (gate, running) = (Locked(false), Locked(0))
    let fake = FakeDispatcher(methods: [
      "ledger.balance": { call, write in
        running.withLock { $0 += 1 }
        while !gate.withLock({ $0 }) { try pause(10) }
        try write("{}")
      }
    ])
    var settings = EdgeSettings()
    settings.calls = 2
    try await RunningEdge.with(fake, settings: settings) { edge async throws in
      async let first = edge.ask("POST", "/v1/methods/ledger.balance", body: "{}")
      async let second = edge.ask("POST", "/v1/methods/ledger.balance", body: "{}")
      #expect(await eventually { running.withLock { $0 } == 2 })
      let refused = try await edge.ask("POST", "/v1/methods/ledger.balance", body: "{}")
      #expect(refused.status == 503)
      #expect(refused.error?.code == "saturated")
      #expect(refused.headers["retry-after"] == "1")
      #expect(try await edge.ask("GET", "/health").status == 200)
      #expect(try await edge.ask("GET", "/metrics").status == 200)
      gate.withLock { $0 = true }
      #expect(try await first.status == 200)
      #expect(try await second.status == 200)
    }
  }

  @Test func aCallThatTakesTooLongIsStopped() async throws {
    let sawCancel = Locked(false)
    let fake = FakeDispatcher(methods: [
      "ledger.balance": { call, write in
        while !call.cancellation.isCancelled { try pause(5) }
        sawCancel.withLock { $0 = true }
      }
    ])
    var settings = EdgeSettings()
    settings.callTimeoutMilliseconds = 100
    try await RunningEdge.with(fake, settings: settings) { edge async throws in
      let answer = try await edge.ask("POST", "/v1/methods/ledger.balance", body: "{}")
      #expect(answer.status == 504)
      #expect(answer.error?.code == "call_timeout")
      #expect(await eventually { sawCancel.withLock { $0 } })
    }
  }

  @Test func aReplacedCatalogIsInForceAtOnce() async throws {
    let fake = FakeDispatcher(methods: ["ledger.fresh": { _, write in try write("{}") }])
    try await RunningEdge.with(fake) { edge async throws in
      #expect(try await edge.ask("POST", "/v1/methods/ledger.fresh", body: "{}").status == 404)
      var catalog = Catalog.sample
      catalog.plugins[0].methods.append(.init("fresh", "fresh()", ["public"], [], []))
      fake.replaceCatalog(catalog)
      #expect(try await edge.ask("POST", "/v1/methods/ledger.fresh", body: "{}").status == 200)
    }
  }
}
