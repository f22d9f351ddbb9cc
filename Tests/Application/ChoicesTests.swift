import ApplicationCore
import Glibc
import Synchronization
import Testing

@Suite struct ChoicesTests {
  @Test func severalChoicesAreOneAnswerAndOneCharge() throws {
    let node = try FakeNode()
    let surroundings = FakeSurroundings()
    let client = node.send(
      "POST", "/v1/chat/completions", chatBody(#","n":3,"max_tokens":20,"seed":5"#), to: surroundings)
    let choices = try #require(client.json["choices"]?.arrayValue)
    #expect(choices.map { $0["index"] } == [0, 1, 2])
    #expect(choices.allSatisfy { $0["message"]?["content"] == "Hello world!" && $0["finish_reason"] == "stop" })
    // The prompt was read once for all, each answer was written.
    #expect(client.json["usage"]?["prompt_tokens"] == 10 && client.json["usage"]?["completion_tokens"] == 9)
    #expect(client[header: "x-symbolon-charged"] == "28" && node.entry.charged == Amount(28))
    let seeds = surroundings.asked.withLock { $0.map(\.sampling.seed) }
    #expect(seeds[0] == 5 && Set(seeds).count == 3)
    let again = FakeSurroundings()
    node.send("POST", "/v1/chat/completions", chatBody(#","n":2,"seed":5"#), to: again)
    #expect(Set(seeds).isSuperset(of: again.asked.withLock { $0.map(\.sampling.seed) }))
  }

  @Test func theOthersBeginWhenTheFirstHasReadThePromptAndAllRunAtOnce() throws {
    let node = try FakeNode()
    let running = Mutex((now: 0, most: 0))
    let surroundings = FakeSurroundings()
    surroundings.script.withLock { script in
      script.words = ["a", "b"]
      script.onWord = { index in
        let isAlone = surroundings.asked.withLock { $0.count } == 1
        running.withLock { running in
          running.now += index == 0 ? 1 : -1
          running.most = max(running.most, running.now)
        }
        // The first word of the first choice comes after its start, which lets the others begin.
        for _ in 0..<500 where isAlone && surroundings.asked.withLock({ $0.count }) < 4 { usleep(1000) }
      }
    }
    let client = node.send("POST", "/v1/chat/completions", chatBody(#","n":4"#), to: surroundings)
    #expect(client.json["choices"]?.arrayValue?.count == 4)
    #expect(running.withLock { $0.most } >= 2)
  }

  @Test(arguments: [1, 3], [false, true]) func anEngineThatSaysNothingIsAFailure(choices: Int, isStreamed: Bool) throws
  {
    let node = try FakeNode()
    let client = node.send(
      "POST", "/v1/chat/completions", chatBody(#","n":\#(choices),"stream":\#(isStreamed)"#),
      to: FakeSurroundings { $0.isSilent = true })
    #expect(client.status == 500 && client.error?["code"] == "engine_stopped")
    #expect(node.entry.charged == .zero && node.entry.reserved == .zero)
  }

  @Test func aClientThatLeavesStopsAllChoices() throws {
    let node = try FakeNode()
    let surroundings = FakeSurroundings { $0.words = Array(repeating: "x", count: 45) }
    let client = FakeClient(leavesAfter: 20)
    node.send("POST", "/v1/chat/completions", chatBody(#","n":16,"stream":true"#), to: surroundings, client: client)
    let words = client.events.count { $0["choices"]?.arrayValue?.first?["delta"]?["content"] == "x" }
    #expect(words > 0 && words < 20)
    #expect(node.entry.charged == Amount(UInt64(10 + 2 * words)) && node.entry.reserved == .zero)
    #expect(surroundings.asked.withLock { $0.count } <= 16)
  }

  @Test func withoutASeedTheEngineChoosesOneForEach() throws {
    let node = try FakeNode()
    let surroundings = FakeSurroundings()
    node.send("POST", "/v1/chat/completions", chatBody(#","n":2"#), to: surroundings)
    #expect(surroundings.asked.withLock { $0.map(\.sampling.seed) } == [nil, nil])
  }

  @Test func theReserveHoldsForAllChoices() throws {
    let node = try FakeNode(budget: 89)
    let client = node.send("POST", "/v1/chat/completions", chatBody(#","n":2,"max_tokens":20"#))
    #expect(client.status == 402 && client.error?["required"] == 90)
    // What the client left open shrinks to what each choice can have.
    let surroundings = FakeSurroundings()
    #expect(node.send("POST", "/v1/chat/completions", chatBody(#","n":2"#), to: surroundings).status == 200)
    #expect(surroundings.asked.withLock { $0.map(\.maximumTokens) } == [19, 19])
  }

  @Test func aStreamOfChoicesNumbersItsChunks() throws {
    let node = try FakeNode()
    let client = node.send(
      "POST", "/v1/chat/completions", chatBody(#","n":2,"stream":true,"stream_options":{"include_usage":true}"#))
    let choices = client.events.compactMap { $0["choices"]?.arrayValue?.first }
    for number in [0, 1] as [JSONValue] {
      let own = choices.filter { $0["index"] == number }
      #expect(own.first?["delta"]?["role"] == "assistant" && own.last?["finish_reason"] == "stop")
      #expect(own.compactMap { $0["delta"]?["content"]?.stringValue }.joined() == "Hello world!")
    }
    #expect(client.events.last?["usage"]?["completion_tokens"] == 6)
    #expect(client.body.hasSuffix("data: [DONE]\n\n"))
    #expect(node.entry.charged == Amount(22))
  }

  @Test func aChoiceThatFailsLeavesAWholeAnswerFree() throws {
    let node = try FakeNode()
    let client = node.send(
      "POST", "/v1/chat/completions", chatBody(#","n":3"#),
      to: FakeSurroundings {
        $0.failureAfterWords = 1
        $0.failingRequest = 2
      })
    #expect(client.status == 500 && node.entry.charged == .zero && node.entry.reserved == .zero)
  }

  @Test func aChoiceThatFailsInAStreamIsPaidForWithThoseBefore() throws {
    let node = try FakeNode()
    let client = node.send(
      "POST", "/v1/chat/completions", chatBody(#","n":3,"stream":true"#),
      to: FakeSurroundings {
        $0.failureAfterWords = 1
        $0.failingRequest = 1
      })
    #expect(client.events.last?["error"]?["code"] == "engine_broke")
    // What the others were in the middle of is paid for as far as it came.
    let contents = client.events.compactMap { $0["choices"]?.arrayValue?.first?["delta"]?["content"]?.stringValue }
    let words = contents.count { !$0.isEmpty }
    #expect(words > 0 && node.entry.charged == Amount(UInt64(10 + 2 * words)) && node.entry.reserved == .zero)
  }

  @Test func everyPromptOfAListIsAnswered() throws {
    let node = try FakeNode()
    let surroundings = FakeSurroundings()
    let client = node.send(
      "POST", "/v1/completions", #"{"model":"tiny","prompt":["a","b"],"n":2,"echo":true,"max_tokens":9,"seed":1}"#,
      to: surroundings)
    let choices = try #require(client.json["choices"]?.arrayValue)
    #expect(choices.map { $0["index"] } == [0, 1, 2, 3])
    #expect(
      choices.map { $0["text"] } == ["aHello world!", "aHello world!", "bHello world!", "bHello world!"])
    #expect(client.json["usage"]?["prompt_tokens"] == 20 && client.json["usage"]?["completion_tokens"] == 12)
    #expect(node.entry.charged == Amount(44))
    // The same prompt gets the same choices wherever it stands in a list.
    let asked = surroundings.asked.withLock { $0 }
    let seeds = ["a", "b"].map { text in Set(asked.filter { $0.prompt == .text(text) }.map(\.sampling.seed)) }
    #expect(seeds[0] == seeds[1] && seeds[0].count == 2)
  }
}

@Suite struct LogprobsTests {
  @Test(arguments: [false, true]) func chatsTellThemForEachToken(isStreamed: Bool) throws {
    let node = try FakeNode()
    let client = node.send(
      "POST", "/v1/chat/completions", chatBody(#","logprobs":true,"top_logprobs":2,"stream":\#(isStreamed)"#))
    let choices = (isStreamed ? client.events : [client.json]).compactMap { $0["choices"]?.arrayValue?.first }
    let entries = choices.flatMap { $0["logprobs"]?["content"]?.arrayValue ?? [] }
    #expect(entries.compactMap { $0["token"]?.stringValue }.joined() == "Hello world!")
    let first: JSONValue = .object([
      .init("token", "Hello"), .init("logprob", .number("-0.25")), .init("bytes", [72, 101, 108, 108, 111]),
    ])
    guard case .object(let members) = first else { return }
    let other: JSONValue = [
      "token": "other1", "logprob": .number("-1.25"), "bytes": .array("other1".utf8.map { .integer($0) }),
    ]
    #expect(entries.first == .object(members + [.init("top_logprobs", [first, other])]))
    #expect(
      choices.first { $0["logprobs"]?["content"]?.arrayValue?.isEmpty == false }?["logprobs"]?["refusal"] == .null)
  }

  @Test func withoutAWishThereAreNone() throws {
    let client = try FakeNode().send()
    #expect(client.json["choices"]?.arrayValue?.first?["logprobs"] == .null)
  }

  @Test(arguments: [false, true]) func completionsTellThemAsLists(isStreamed: Bool) throws {
    let client = try FakeNode().send(
      "POST", "/v1/completions", #"{"model":"tiny","prompt":"a","logprobs":2,"stream":\#(isStreamed)}"#,
      to: FakeSurroundings { $0.words = ["é", "lan"] })
    let lists = (isStreamed ? client.events : [client.json])
      .compactMap { $0["choices"]?.arrayValue?.first?["logprobs"] }.filter { $0 != .null }
    func all(_ name: String) -> [JSONValue] { lists.flatMap { $0[name]?.arrayValue ?? [] } }
    #expect(all("tokens") == ["é", "lan"] && all("text_offset") == [0, 1])
    #expect(all("token_logprobs") == [.number("-0.25"), .number("-0.25")])
    #expect(all("top_logprobs").first == ["é": .number("-0.25"), "other1": .number("-1.25")])
  }

  @Test func theEnginesEventsAreRead() throws {
    let text =
      #"{"type":"text","text":"h","tokens":2,"logprobs":[{"token":"h","bytes":[104],"logprob":-0.5,"top":"#
      + #"[{"token":"\#u{FFFD}","bytes":[226,130],"logprob":-1e-05}]}]}"#
    let chosen = TokenLogprob.Candidate(text: "h", bytes: [104], logprob: "-0.5")
    let other = TokenLogprob.Candidate(text: "\u{FFFD}", bytes: [226, 130], logprob: "-1e-05")
    #expect(
      EngineEvent(try JSONParser.parse(Array(text.utf8)))
        == .text("h", tokens: 2, logprobs: [TokenLogprob(chosen: chosen, top: [other])]))
    let call = #"{"type":"tool_call","index":0,"id":"c","name":"f","arguments":"{}"}"#
    #expect(
      EngineEvent(try JSONParser.parse(Array(call.utf8))) == .toolCall(ToolCall(id: "c", name: "f", arguments: "{}")))
    let end =
      #"{"type":"end","finish_reason":"stop","prompt_tokens":3,"completion_tokens":2,"cached_tokens":1,"receipt":{"a":1}}"#
    #expect(
      EngineEvent(try JSONParser.parse(Array(end.utf8)))
        == .end(
          finishReason: "stop", tokens: TokenCounts(prompt: 3, completion: 2), cachedTokens: 1, receipt: ["a": 1]))
  }
}

@Suite struct ToolCallTests {
  private static let calls = [
    ToolCall(id: "call_1", name: "f", arguments: #"{"a":1}"#), ToolCall(id: "call_2", name: "g", arguments: "{}"),
  ]
  private let tools =
    #","tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]"#

  private func calling(_ words: [String] = []) -> FakeSurroundings {
    FakeSurroundings { script in
      script.words = words
      script.toolCalls = Self.calls
      script.finishReason = "tool_calls"
    }
  }

  @Test func aWholeAnswerHasThemInItsMessage() throws {
    let client = try FakeNode().send("POST", "/v1/chat/completions", chatBody(tools), to: calling())
    let choice = try #require(client.json["choices"]?.arrayValue?.first)
    #expect(choice["finish_reason"] == "tool_calls" && choice["message"]?["content"] == .null)
    #expect(choice["message"]?["tool_calls"]?.arrayValue == Self.calls.map(\.json))
  }

  @Test func aStreamHasThemAsNumberedDeltas() throws {
    let client = try FakeNode().send(
      "POST", "/v1/chat/completions", chatBody(tools + #","stream":true"#), to: calling(["Well."]))
    let deltas = client.events.compactMap {
      $0["choices"]?.arrayValue?.first?["delta"]?["tool_calls"]?.arrayValue?.first
    }
    #expect(deltas.map { $0["index"] } == [0, 1])
    #expect(deltas.map { $0["id"] } == ["call_1", "call_2"])
    #expect(deltas.first?["function"] == ["name": "f", "arguments": #"{"a":1}"#])
    #expect(client.events.last?["choices"]?.arrayValue?.first?["finish_reason"] == "tool_calls")
  }

  @Test(arguments: [false, true]) func onlyTheFirstIsGivenWhereOneWasAllowed(isStreamed: Bool) throws {
    let client = try FakeNode().send(
      "POST", "/v1/chat/completions", chatBody(tools + #","parallel_tool_calls":false,"stream":\#(isStreamed)"#),
      to: calling(["x"]))
    #expect(client.body.contains("call_1") && !client.body.contains("call_2"))
  }

  @Test func receiptsComeWithTheirChoice() throws {
    let node = try FakeNode()
    let whole = node.send("POST", "/v1/chat/completions", chatBody(#","receipt":true,"n":2"#))
    #expect(whole.json["choices"]?.arrayValue?.map { $0["receipt"]?["trace_root"] } == ["00", "00"])
    let stream = node.send("POST", "/v1/chat/completions", chatBody(#","receipt":true,"stream":true"#))
    #expect(stream.events.last?["choices"]?.arrayValue?.first?["receipt"]?["trace_root"] == "00")
  }
}
