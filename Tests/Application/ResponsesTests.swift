import ApplicationCore
import Synchronization
import Testing

@Suite struct ResponsesTests {
  private func send(
    _ members: String, to surroundings: FakeSurroundings = FakeSurroundings(), node: FakeNode? = nil
  ) throws -> FakeClient {
    try (node ?? FakeNode()).send("POST", "/v1/responses", "{\"model\":\"tiny\",\(members)}", to: surroundings)
  }

  @Test func aWholeResponseHasItsMessage() throws {
    let node = try FakeNode()
    let surroundings = FakeSurroundings()
    let client = try send(
      #""input":"hi","instructions":"Rhyme.","max_output_tokens":20,"metadata":{"a":"b"},"store":true"#,
      to: surroundings, node: node)
    #expect(client.status == 200 && client[header: "x-symbolon-charged"] == "16")
    let response = client.json
    #expect(response["object"] == "response" && response["status"] == "completed" && response["error"] == .null)
    #expect(response["id"]?.stringValue?.hasPrefix("resp_") == true && response["store"] == false)
    #expect(response["instructions"] == "Rhyme." && response["max_output_tokens"] == 20)
    #expect(response["metadata"] == ["a": "b"] && response["temperature"] == .number("0.5"))
    let item = try #require(response["output"]?.arrayValue?.first)
    #expect(item["type"] == "message" && item["role"] == "assistant" && item["status"] == "completed")
    #expect(
      item["content"] == [["type": "output_text", "text": "Hello world!", "annotations": [], "logprobs": []]])
    #expect(
      response["usage"] == [
        "input_tokens": 10, "input_tokens_details": ["cached_tokens": 4, "cache_write_tokens": 0], "output_tokens": 3,
        "output_tokens_details": ["reasoning_tokens": 0], "total_tokens": 13,
      ])
    #expect(
      surroundings.asked.withLock { $0[0].prompt }
        == .messages([
          Message(role: "system", content: "Be brief.\n\nRhyme."), Message(role: "user", content: "hi"),
        ]))
    #expect(node.entry.charged == Amount(16))
  }

  @Test func anAnswerThatRanOutOfTokensIsIncomplete() throws {
    let client = try send(#""input":"hi","max_output_tokens":2"#)
    #expect(client.json["status"] == "incomplete")
    #expect(client.json["incomplete_details"] == ["reason": "max_output_tokens"])
    #expect(client.json["output"]?.arrayValue?.first?["status"] == "incomplete")
  }

  @Test func theEventsComeInOpenAIsOrder() throws {
    let node = try FakeNode()
    let client = try send(#""input":"hi","stream":true"#, node: node)
    let events = client.events
    #expect(
      events.compactMap { $0["type"]?.stringValue } == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        "response.output_text.delta", "response.output_text.delta", "response.output_text.delta",
        "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
      ])
    #expect(events.map { $0["sequence_number"] } == events.indices.map { .integer($0) })
    #expect(events.compactMap { $0["delta"]?.stringValue }.joined() == "Hello world!")
    #expect(Set(events.compactMap { $0["item_id"]?.stringValue }).count == 1)
    let completed = try #require(events.last?["response"])
    #expect(completed["output"]?.arrayValue == [events[events.count - 2]["item"] ?? .null])
    #expect(completed["usage"]?["output_tokens"] == 3 && completed["id"] == events[0]["response"]?["id"])
    // Each event has its name on the line before, and nothing follows the last.
    let names = client.body.split(separator: "\n").filter { $0.hasPrefix("event: ") }.map { $0.dropFirst(7) }
    #expect(names.map(String.init) == events.compactMap { $0["type"]?.stringValue })
    #expect(!client.body.contains("[DONE]") && node.entry.charged == Amount(16))
  }

  @Test func callsAreItemsOfTheirOwn() throws {
    let call = ToolCall(id: "call_1", name: "f", arguments: #"{"a":1}"#)
    let surroundings = FakeSurroundings { script in
      script.words = ["Well."]
      script.toolCalls = [call]
      script.finishReason = "tool_calls"
    }
    let tools = #""tools":[{"type":"function","name":"f","parameters":{"type":"object"},"strict":true}],"#
    let choice = #""tool_choice":{"type":"function","name":"f"},"input":"hi""#
    let whole = try send(tools + choice, to: surroundings)
    let items = try #require(whole.json["output"]?.arrayValue)
    #expect(items.map { $0["type"] } == ["message", "function_call"])
    #expect(items[1]["call_id"] == "call_1" && items[1]["arguments"] == .string(call.arguments))
    let form = surroundings.asked.withLock { $0[0].form }
    #expect(
      form.tools == [
        ["type": "function", "function": ["name": "f", "parameters": ["type": "object"], "strict": true]]
      ])
    #expect(form.toolChoice == ["type": "function", "function": ["name": "f"]])
    let stream = try send(tools + choice + #","stream":true"#, to: surroundings)
    let types = stream.events.compactMap { $0["type"]?.stringValue }
    #expect(
      types.suffix(6) == [
        "response.output_item.done", "response.output_item.added", "response.function_call_arguments.delta",
        "response.function_call_arguments.done", "response.output_item.done", "response.completed",
      ])
    #expect(stream.events.last?["response"]?["output"]?.arrayValue?.count == 2)
    #expect(stream.events.compactMap { $0["output_index"]?.unsignedValue }.max() == 1)
  }

  @Test func aConversationOfItemsIsRead() throws {
    let surroundings = FakeSurroundings { $0.parameters.systemPrompt = "" }
    let input =
      #""input":[{"role":"developer","content":"Brief."},{"role":"user","content":[{"type":"input_text","text":"a"}]},"#
      + #"{"type":"message","id":"msg_1","status":"completed","phase":null,"role":"assistant","content":[{"type":"output_text","#
      + #""text":"b","annotations":[],"logprobs":[]}]},{"type":"function_call","id":"fc_1","status":"completed","namespace":"n","#
      + #""call_id":"c1","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c1","output":"sun"}]"#
    #expect(try send(input, to: surroundings).status == 200)
    #expect(
      surroundings.asked.withLock { $0[0].prompt }
        == .messages([
          Message(role: "system", content: "Brief."), Message(role: "user", content: "a"),
          Message(role: "assistant", content: "b", toolCalls: [ToolCall(id: "c1", name: "f", arguments: "{}")]),
          Message(role: "tool", content: "sun", toolCallID: "c1"),
        ]))
  }

  @Test func theFormOfTheTextIsPassedOn() throws {
    let surroundings = FakeSurroundings()
    let text = #""text":{"format":{"type":"json_schema","name":"s","schema":{"type":"object"},"strict":true}}"#
    let client = try send(
      #""input":"hi","include":["message.output_text.logprobs"],"top_logprobs":1,"# + text, to: surroundings)
    let asked = surroundings.asked.withLock { $0[0] }
    #expect(
      asked.form.responseFormat == [
        "type": "json_schema", "json_schema": ["name": "s", "schema": ["type": "object"], "strict": true],
      ])
    #expect(asked.logprobs == 1)
    let content = client.json["output"]?.arrayValue?.first?["content"]?.arrayValue?.first
    #expect(content?["logprobs"]?.arrayValue?.count == 3)
    #expect(client.json["text"]?["format"]?["name"] == "s")
  }

  @Test func aFailureInAStreamIsAnErrorAndAnEnd() throws {
    let node = try FakeNode()
    let client = try send(#""input":"hi","stream":true"#, to: FakeSurroundings { $0.failureAfterWords = 2 }, node: node)
    let ends = client.events.suffix(2)
    #expect(ends.map { $0["type"] } == ["error", "response.failed"])
    #expect(ends.first?["code"] == "engine_broke" && ends.first?["error"]?["code"] == "engine_broke")
    #expect(ends.last?["response"]?["status"] == "failed")
    #expect(ends.last?["sequence_number"] == .integer(client.events.count - 1))
    #expect(node.entry.charged == Amount(14))
  }

  @Test(arguments: [
    (#""input":"a","previous_response_id":"resp_1""#, "previous_response_id", "unsupported_parameter"),
    (#""input":"a","conversation":"c""#, "conversation", "unsupported_parameter"),
    (#""input":"a","background":true"#, "background", "unsupported_parameter"),
    (#""input":"a","prompt":{"id":"p"}"#, "prompt", "unsupported_parameter"),
    (#""input":"a","truncation":"auto""#, "truncation", "unsupported_parameter"),
    (#""input":"a","reasoning":{"effort":"high"}"#, "reasoning.effort", "unsupported_parameter"),
    (#""input":"a","include":["file_search_call.results"]"#, "include[0]", "unsupported_value"),
    (#""input":"a","tools":[{"type":"web_search"}]"#, "tools[0].type", "unsupported_value"),
    (#""input":"a","text":{"format":{"type":"xml"}}"#, "text.format.type", "unsupported_value"),
    (#""input":"a","max_output_tokens":0"#, "max_output_tokens", "integer_below_min_value"),
    (#""input":"a","max_output_tokens":99"#, "max_output_tokens", "context_length_exceeded"),
    (#""input":"a","n":2"#, "n", "unknown_parameter"), (#""metadata":{}"#, "input", "missing_required_parameter"),
    (#""input":[]"#, "input", "empty_array"), (#""input":7"#, "input", "invalid_type"),
    (#""input":[{"type":"item_reference","id":"x"}]"#, "input[0].type", "unsupported_value"),
    (#""input":[{"role":"user","content":[{"type":"input_image"}]}]"#, "input[0].content[0].type", "unsupported_value"),
    (
      #""input":[{"type":"function_call","name":"f","arguments":"{}"}]"#, "input[0].call_id",
      "missing_required_parameter"
    ),
  ])
  func wrongParametersAreNamed(members: String, parameter: String, code: String) throws {
    let client = try send(members)
    #expect(client.status == 400)
    #expect(client.error?["param"] == .string(parameter) && client.error?["code"] == .string(code))
  }
}
