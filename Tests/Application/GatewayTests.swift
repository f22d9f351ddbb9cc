import ApplicationCore
import Synchronization
import Testing

@Suite struct GatewayTests {
  @Test func aWholeAnswerHasOpenAIsFormAndItsCharge() throws {
    let node = try FakeNode()
    let client = node.send()
    #expect(client.status == 200)
    #expect(client.json["object"] == "chat.completion" && client.json["model"] == "tiny")
    let choice = try #require(client.json["choices"]?.arrayValue?.first)
    #expect(choice["message"]?["content"] == "Hello world!" && choice["message"]?["role"] == "assistant")
    #expect(choice["finish_reason"] == "stop")
    let usage = try #require(client.json["usage"])
    #expect(usage["prompt_tokens"] == 10 && usage["completion_tokens"] == 3 && usage["total_tokens"] == 13)
    #expect(usage["prompt_tokens_details"]?["cached_tokens"] == 4)
    #expect(usage["completion_tokens_details"]?["reasoning_tokens"] == 0)
    #expect(client.json["system_fingerprint"] == "class-1")
    #expect(client[header: "x-symbolon-charged"] == "16")
    #expect(client[header: "x-symbolon-params"]?.count == 64)
    #expect(client[header: "x-request-id"]?.hasPrefix("req_") == true)
    #expect(client[header: "x-ratelimit-limit-requests"] == "600")
    #expect(client[header: "x-ratelimit-remaining-requests"] == "599")
    #expect(client[header: "openai-processing-ms"] != nil)
    #expect(node.entry.charged == Amount(16) && node.entry.reserved == .zero && node.entry.requests == 1)
  }

  @Test(arguments: [false, true])
  func aStreamHasRoleTextFinishUsageAndDone(includesUsage: Bool) throws {
    let node = try FakeNode()
    let options = includesUsage ? #","stream_options":{"include_usage":true}"# : ""
    let client = node.send("POST", "/v1/chat/completions", chatBody(",\"stream\":true" + options))
    #expect(client.status == 200)
    #expect(client[header: "content-type"] == "text/event-stream; charset=utf-8")
    let events = client.events
    #expect(events.first?["choices"]?.arrayValue?.first?["delta"]?["role"] == "assistant")
    let texts = events.compactMap { $0["choices"]?.arrayValue?.first?["delta"]?["content"]?.stringValue }
    #expect(texts.joined() == "Hello world!")
    let finish = events.dropLast(includesUsage ? 1 : 0).last
    #expect(finish?["choices"]?.arrayValue?.first?["finish_reason"] == "stop")
    #expect(events.allSatisfy { $0["object"] == "chat.completion.chunk" })
    if includesUsage {
      #expect(events.last?["choices"] == [])
      #expect(events.last?["usage"]?["total_tokens"] == 13)
      #expect(events.first?["usage"] == .null)
    } else {
      #expect(events.allSatisfy { $0["usage"] == nil })
    }
    #expect(client.body.hasSuffix("data: [DONE]\n\n"))
    #expect(node.entry.charged == Amount(16))
  }

  @Test func completionsHaveTheirOwnForm() throws {
    let node = try FakeNode()
    let client = node.send("POST", "/v1/completions", #"{"model":"tiny","prompt":"a","max_tokens":2}"#)
    let choice = try #require(client.json["choices"]?.arrayValue?.first)
    #expect(client.json["object"] == "text_completion")
    #expect(choice["text"] == "Hello world" && choice["finish_reason"] == "length")
    let stream = node.send("POST", "/v1/completions", #"{"model":"tiny","prompt":"a","stream":true}"#)
    #expect(
      stream.events.compactMap { $0["choices"]?.arrayValue?.first?["text"]?.stringValue }.joined() == "Hello world!")
  }

  @Test func governancesSystemPromptComesFirst() throws {
    let node = try FakeNode()
    let surroundings = FakeSurroundings()
    node.send(to: surroundings)
    let own =
      #"{"model":"tiny","temperature":1,"messages":"#
      + #"[{"role":"system","content":"Rhyme."},{"role":"user","content":"hi"}]}"#
    node.send("POST", "/v1/chat/completions", own, to: surroundings)
    let asked = surroundings.asked.withLock { $0 }
    #expect(
      asked[0].prompt
        == .messages([Message(role: "system", content: "Be brief."), Message(role: "user", content: "hi")]))
    #expect(
      asked[1].prompt
        == .messages([Message(role: "system", content: "Be brief.\n\nRhyme."), Message(role: "user", content: "hi")]))
    #expect(asked[0].caller == node.secret.hash.id)
    #expect(asked[0].temperature == 0.5 && asked[1].temperature == 1 && asked[0].maximumTokens == 50)
  }

  @Test func modelsShowThePriceAndTheParametersInForce() throws {
    let node = try FakeNode()
    let surroundings = FakeSurroundings()
    let list = node.send("GET", "/v1/models", "", headers: [], to: surroundings)
    let model = try #require(list.json["data"]?.arrayValue?.first)
    #expect(list.json["object"] == "list" && model["id"] == "tiny" && model["object"] == "model")
    #expect(model["pricing"]?["completion"] == 2000 && model["system_fingerprint"] == "class-1")
    #expect(model["supported_parameters"]?.arrayValue?.contains("logit_bias") == true)
    #expect(model["parameters_hash"] == .string(try surroundings.parameters().hash))
    #expect(node.send("GET", "/v1/models/org%2Fother?x=1", "", headers: []).json["id"] == "org/other")
    #expect(node.send("GET", "/v1/models/org/other", "", headers: []).json["id"] == "org/other")
    #expect(node.send("GET", "/v1/models/none", "", headers: []).error?["code"] == "model_not_found")
    let wrong = node.send("GET", "/v1/models", "", headers: [("authorization", "Bearer nope")])
    #expect(wrong.status == 401)
  }

  @Test func theTermsAreReadAgainWithEveryBlockAndEverySecond() throws {
    let cache = TermsCache()
    var reads: UInt64 = 0
    func version(height: UInt64, _ nanoseconds: UInt64) -> UInt64 {
      cache.terms(height: height, nanoseconds: nanoseconds) {
        reads += 1
        return Terms(
          parameters: Parameters(temperature: 1, maximumTokens: 1, systemPrompt: ""),
          price: Price(version: reads, prompt: 1, completion: 1))
      }.price.version
    }
    #expect(version(height: 7, 0) == 1 && version(height: 7, 999_999_999) == 1)
    #expect(version(height: 8, 1) == 2 && version(height: 7, 2) == 3)
    #expect(version(height: 7, 1_000_000_002) == 4)
    // What cannot be read is not kept, and does not end what was.
    #expect(throws: Refusal.self) {
      try cache.terms(height: 9, nanoseconds: 0) { throw Refusal(.unavailable, "x", "No.") }
    }
    #expect(version(height: 7, 1_000_000_003) == 4)
  }

  @Test func theBearerSeesItsKey() throws {
    let node = try FakeNode(budget: 500)
    node.send()
    let key = node.send("GET", "/v1/key", "").json
    #expect(key["budget"] == 500 && key["charged"] == 16 && key["balance"] == 484 && key["requests"] == 1)
    #expect(key["hash"] == nil)
  }

  @Test(arguments: [
    [], [("authorization", "Basic abc")], [("authorization", "Bearer")], [("authorization", "Bearer sk-sym-00")],
    [("authorization", "Bearer " + String(repeating: "x", count: 5000))],
  ])
  func badKeysAreRefused(headers: [(String, String)]) throws {
    let client = try FakeNode().send(headers: headers)
    #expect(client.status == 401)
    #expect(client.error?["code"] == "invalid_api_key" && client.error?["type"] == "invalid_request_error")
    #expect(client[header: "www-authenticate"]?.hasPrefix("Bearer") == true)
  }

  @Test func anUnknownModelIs404() throws {
    let client = try FakeNode().send(
      "POST", "/v1/chat/completions", #"{"model":"gpt-9","messages":[{"role":"user","content":"x"}]}"#)
    #expect(client.status == 404)
    #expect(client.error?["code"] == "model_not_found")
  }

  @Test func unknownPathsAndVerbsAreRefused() throws {
    let node = try FakeNode()
    #expect(node.send("GET", "/v1/nothing").error?["code"] == "unknown_url")
    let client = node.send("DELETE", "/v1/chat/completions")
    #expect(client.status == 405 && client[header: "allow"] == "POST")
  }

  @Test func anEmptyKeyIs402WithTheShortfall() throws {
    let client = try FakeNode(budget: 100).send("POST", "/v1/chat/completions", chatBody(#","max_tokens":60"#))
    #expect(client.status == 402)
    let error = try #require(client.error)
    #expect(error["code"] == "insufficient_tickets" && error["balance"] == 100)
    #expect(error["required"] == 130 && error["shortfall"] == 30)
  }

  @Test func aDefaultMaximumShrinksToTheBalance() throws {
    let node = try FakeNode(budget: 60)
    let surroundings = FakeSurroundings()
    #expect(node.send(to: surroundings).status == 200)
    #expect(surroundings.asked.withLock { $0[0].maximumTokens } == 25)
    // 44 are left: not enough for the prompt and 16 tokens twice over.
    #expect(node.send(to: surroundings).status == 200)
    #expect(node.send(to: surroundings).status == 402)
  }

  @Test func tooLongRequestsNameWhatIsTooLong() throws {
    let node = try FakeNode()
    let long = node.send("POST", "/v1/chat/completions", chatBody(#","max_completion_tokens":91"#))
    #expect(long.status == 400 && long.error?["code"] == "context_length_exceeded")
    #expect(long.error?["param"] == "max_completion_tokens")
    let prompt = node.send(to: FakeSurroundings { $0.promptTokens = 100 })
    #expect(prompt.error?["param"] == "messages")
  }

  @Test func aFullEngineIs429WithRetryAfter() throws {
    let node = try FakeNode()
    for isStreamed in [false, true] {
      let client = node.send(
        "POST", "/v1/chat/completions", chatBody(isStreamed ? #","stream":true"# : ""),
        to: FakeSurroundings { $0.startFailure = Refusal(.rateLimited, "engine_busy", "Busy.") })
      #expect(client.status == 429 && client[header: "retry-after"] == "1")
    }
    #expect(node.entry.charged == .zero && node.entry.reserved == .zero)
  }

  @Test func anAbsentEngineIs503() throws {
    let absent = Refusal(.unavailable, "no_provider", "No engine.")
    let client = try FakeNode().send(to: FakeSurroundings { $0.countFailure = absent })
    #expect(client.status == 503 && client[header: "retry-after"] == "2")
    #expect(client.error?["type"] == "server_error")
  }

  @Test func askingTooOftenIs429() throws {
    let node = try FakeNode(rate: RateLimit(requestsPerMinute: 2, concurrent: 4))
    #expect(node.send().status == 200)
    #expect(node.send().status == 200)
    let client = node.send()
    #expect(client.status == 429 && client.error?["code"] == "rate_limit_exceeded")
    #expect(client[header: "retry-after"] == "30")
    node.time.advance(30_000)
    #expect(node.send().status == 200)
  }

  @Test func tooManyAtOnceIs429() throws {
    let node = try FakeNode(rate: RateLimit(requestsPerMinute: 100, concurrent: 1))
    let inner = FakeClient()
    node.send(to: FakeSurroundings { $0.onWord = { if $0 == 0 { node.send(client: inner) } } })
    #expect(inner.status == 429 && inner.error?["code"] == "concurrency_limit_exceeded")
    #expect(node.send().status == 200)
  }

  @Test func theTimeToWaitIsTheEngines() throws {
    let full = Refusal(status: 8, code: "queue_full", message: "64 requests wait already: try again in 7 seconds.")
    let client = try FakeNode().send(to: FakeSurroundings { $0.startFailure = full })
    #expect(client.status == 429 && client[header: "retry-after"] == "7" && client.error?["type"] == "requests")
    #expect(Refusal(status: 8, code: "x", message: "Try again in 900 seconds.").retryAfterSeconds == 60)
    #expect(Refusal(status: 8, code: "x", message: "Try again in a second.").retryAfterSeconds == nil)
  }

  @Test func endsAreSeenToTogetherAndNoneIsLost() throws {
    let node = try FakeNode()
    let seen = Mutex<[String]>([])
    let epilogue = Epilogue(meter: node.meter) { summary in seen.withLock { $0.append(summary.requestID) } }
    let gateway = Gateway(
      meter: node.meter, clock: node.time.clock, random: { [UInt8](repeating: 1, count: $0) },
      observe: { epilogue.add($0) })
    let request = HTTPRequest(
      verb: "POST", path: "/v1/chat/completions", headers: [("authorization", "Bearer " + node.secret.text)],
      body: Array(chatBody().utf8))
    gateway.handle(request, FakeSurroundings(), FakeClient())
    #expect(seen.withLock { $0.count } == 1, "without its thread the end is seen to at once")
    epilogue.start()
    for _ in 0..<50 { gateway.handle(request, FakeSurroundings(), FakeClient()) }
    epilogue.stop()
    gateway.handle(request, FakeSurroundings(), FakeClient())
    #expect(seen.withLock { $0.count } == 52)
    let disk = node.disk.state.withLock { $0 }
    #expect(disk.synced == disk.bytes.count && node.entry.charged == Amount(52 * 16))
  }

  @Test func whatTheEngineRefusesNamesTheParameter() throws {
    let sentence = "`response_format` is not supported by this engine: leave it out."
    let refusal = Refusal(status: 3, code: "unsupported_parameter", message: sentence)
    let body = chatBody(#","response_format":{"type":"json_object"}"#)
    let client = try FakeNode().send(
      "POST", "/v1/chat/completions", body, to: FakeSurroundings { $0.countFailure = refusal })
    #expect(client.status == 400)
    #expect(
      client.error == [
        "message": .string(sentence), "type": "invalid_request_error", "param": "response_format",
        "code": "unsupported_parameter",
      ])
    #expect(Refusal(status: 3, code: "x", message: "`unclosed").parameter == nil)
    #expect(Refusal(status: 3, code: "x", message: "``").parameter == nil)
    #expect(Refusal(status: 3, code: "x", message: "The model.").parameter == nil)
  }

  @Test func anInternalErrorTellsNothing() throws {
    let client = try FakeNode().send(to: FakeSurroundings { $0.failureAfterWords = 1 })
    #expect(client.status == 500 && client.error?["code"] == "engine_broke")
  }

  @Test func summariesHoldCountsOnly() throws {
    let node = try FakeNode()
    node.send()
    let summary = try #require(node.summaries.list.withLock { $0.first })
    #expect(summary.status == 200 && summary.tokens == TokenCounts(prompt: 10, completion: 3))
    #expect(summary.charged == Amount(16) && summary.key == node.secret.hash.id)
  }
}
