import ApplicationCore
import Testing

private let hello = #""messages":[{"role":"user","content":"hi"}]"#

private func chat(_ members: String) throws -> AnswerRequest {
  try AnswerRequest.chat(Array("{\"model\":\"m\",\(members)}".utf8))
}

private func refusal(_ body: () throws -> AnswerRequest) -> Refusal? {
  do {
    _ = try body()
    return nil
  } catch {
    return error as? Refusal
  }
}

@Suite struct RequestParsingTests {
  /// Section 10 of docs/arithmetic.md, with the number that the engine's own test has.
  @Test func choicesHaveTheSeedsOfTheArithmetic() {
    var sampling = Sampling()
    sampling.seed = 77
    #expect(sampling.forChoice(0).seed == 77)
    #expect(sampling.forChoice(1).seed == Int64(bitPattern: 10_246_315_412_834_042_604))
  }

  @Test func aFullRequestIsRead() throws {
    let request = try chat(
      hello
        + #","max_completion_tokens":5,"temperature":0.5,"top_p":0.9,"top_k":40,"seed":-7,"stop":["a","b"],"#
        + #""stream":true,"stream_options":{"include_usage":true},"user":"u","n":3,"logprobs":true,"top_logprobs":2,"#
        + #""tools":[],"tool_choice":"auto","parallel_tool_calls":false,"#
        + #""response_format":{"type":"text"},"logit_bias":{"7":-100},"presence_penalty":0.5,"metadata":{"a":"b"},"#
        + #""store":true,"min_p":0.1,"typical_p":0.9,"repetition_penalty":1.1,"frequency_penalty":-2,"receipt":true,"#
        + #""reasoning_effort":"none","prompt_cache_key":"k","service_tier":"auto""#)
    #expect(request.maximumTokens == 5)
    #expect(request.sampling.temperature == 0.5 && request.sampling.topP == 0.9 && request.sampling.topK == 40)
    #expect(request.sampling.seed == -7 && request.sampling.stop == ["a", "b"])
    #expect(request.isStreamed && request.includesUsage && request.wantsReceipt && !request.allowsSeveralCalls)
    #expect(request.choices == 3 && request.logprobs == 2 && request.form == AnswerForm())
    #expect(request.sampling.bias == [JSONValue.Member("7", -100)])
    #expect(request.sampling.presencePenalty == 0.5 && request.sampling.frequencyPenalty == -2)
    #expect(request.sampling.minP == 0.1 && request.sampling.typicalP == 0.9)
    #expect(request.sampling.repetitionPenalty == 1.1)
  }

  @Test func toolsAndFormsArePassedOnAsTheyAre() throws {
    let tools = #"[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}]"#
    let choice = #"{"type":"function","function":{"name":"f"}}"#
    let format = #"{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object"}}}"#
    let request = try chat(
      hello + ",\"tools\":\(tools),\"tool_choice\":\(choice),\"response_format\":\(format)")
    #expect(request.form.tools?.text == tools && request.form.toolChoice?.text == choice)
    #expect(request.form.responseFormat?.text == format)
  }

  @Test func aRoundOfToolsIsRead() throws {
    let request = try chat(
      #""messages":[{"role":"user","content":"w?"},{"role":"assistant","content":null,"refusal":null,"tool_calls":"#
        + #"[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},"#
        + #"{"role":"tool","tool_call_id":"c1","content":"sun","name":"f"}]"#)
    #expect(
      request.prompts == [
        .messages([
          Message(role: "user", content: "w?"),
          Message(role: "assistant", content: "", toolCalls: [ToolCall(id: "c1", name: "f", arguments: "{}")]),
          Message(role: "tool", content: "sun", toolCallID: "c1", name: "f"),
        ])
      ])
  }

  @Test func nullMeansLeftOut() throws {
    let request = try chat(hello + #","max_tokens":null,"stop":null,"tools":null,"stream":null,"n":null"#)
    #expect(request.maximumTokens == nil && !request.isStreamed)
  }

  @Test func contentMayBeTextParts() throws {
    let request = try chat(
      #""messages":[{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},"#
        + #"{"role":"assistant","content":null,"tool_calls":[]},{"role":"user","content":"c","name":"n"}]"#)
    #expect(
      request.prompts == [
        .messages([
          Message(role: "system", content: "ab"), Message(role: "assistant", content: ""),
          Message(role: "user", content: "c", name: "n"),
        ])
      ])
  }

  @Test(arguments: [
    (#""messages":"hi""#, "messages", "invalid_type"), (#""messages":[]"#, "messages", "empty_array"),
    (#""messages":[1]"#, "messages[0]", "invalid_type"),
    (#""messages":[{"content":"x"}]"#, "messages[0].role", "missing_required_parameter"),
    (#""messages":[{"role":"function","content":"x"}]"#, "messages[0].role", "unsupported_value"),
    (#""messages":[{"role":"tool","content":"x"}]"#, "messages[0].tool_call_id", "missing_required_parameter"),
    (
      #""messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f"}}]}]"#,
      "messages[0].tool_calls[0].function.arguments", "missing_required_parameter"
    ),
    (#""messages":[{"role":"user"}]"#, "messages[0].content", "missing_required_parameter"),
    (#""messages":[{"role":"user","content":7}]"#, "messages[0].content", "invalid_type"),
    (#""messages":[{"role":"user","content":"x","foo":1}]"#, "messages[0].foo", "unknown_parameter"),
    (
      #""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]"#,
      "messages[0].content[0].type", "unsupported_value"
    ),
  ])
  func wrongMessagesAreNamed(members: String, parameter: String, code: String) {
    let refusal = refusal { try chat(members) }
    #expect(refusal?.parameter == parameter)
    #expect(refusal?.code == code)
    #expect(refusal?.httpStatus == 400)
  }

  @Test(arguments: [
    (#""temperature":"hot""#, "temperature", "invalid_type"),
    (#""temperature":2.1"#, "temperature", "decimal_above_max_value"),
    (#""temperature":-0.1"#, "temperature", "decimal_below_min_value"),
    (#""temperature":1e999"#, "temperature", "decimal_above_max_value"),
    (#""temperature":-1e999"#, "temperature", "decimal_below_min_value"),
    (#""top_p":1.5"#, "top_p", "decimal_above_max_value"),
    (#""max_tokens":0"#, "max_tokens", "integer_below_min_value"),
    (#""max_tokens":-5"#, "max_tokens", "integer_below_min_value"),
    (#""max_tokens":99999999999999999999999"#, "max_tokens", "integer_above_max_value"),
    (#""max_tokens":1.5"#, "max_tokens", "invalid_type"), (#""max_tokens":true"#, "max_tokens", "invalid_type"),
    (#""max_tokens":1e3"#, "max_tokens", "invalid_type"),
    (#""max_tokens":1,"max_completion_tokens":2"#, "max_tokens", "invalid_value"),
    (#""seed":18446744073709551616"#, "seed", "integer_above_max_value"), (#""seed":"1""#, "seed", "invalid_type"),
    (#""stop":[1]"#, "stop[0]", "invalid_type"), (#""stop":"""#, "stop", "invalid_value"),
    (#""stop":["\#(String(repeating: "x", count: 257))"]"#, "stop[0]", "invalid_value"),
    (#""stop":{}"#, "stop", "invalid_type"), (#""stream":"yes""#, "stream", "invalid_type"),
    (#""stream_options":{"include_usage":true}"#, "stream_options", "invalid_value"),
    (#""stream":true,"stream_options":{"x":1}"#, "stream_options.x", "unknown_parameter"),
    (#""n":17"#, "n", "integer_above_max_value"), (#""n":0"#, "n", "integer_below_min_value"),
    (#""logprobs":5"#, "logprobs", "invalid_type"),
    (#""logprobs":true,"top_logprobs":21"#, "top_logprobs", "integer_above_max_value"),
    (#""top_logprobs":2"#, "top_logprobs", "invalid_value"),
    (#""tools":[{"type":"function"}]"#, "tools[0].function", "missing_required_parameter"),
    (#""tools":[{"type":"web_search"}]"#, "tools[0].type", "unsupported_value"),
    (#""tools":{}"#, "tools", "invalid_type"), (#""tool_choice":"required""#, "tool_choice", "invalid_value"),
    (#""response_format":{"type":"xml"}"#, "response_format.type", "unsupported_value"),
    (#""logit_bias":[1]"#, "logit_bias", "invalid_type"), (#""logit_bias":{"x":5}"#, "logit_bias", "invalid_value"),
    (#""logit_bias":{"01":5}"#, "logit_bias", "invalid_value"),
    (#""logit_bias":{"1":101}"#, "logit_bias.1", "decimal_above_max_value"),
    (#""presence_penalty":2.5"#, "presence_penalty", "decimal_above_max_value"),
    (#""repetition_penalty":0"#, "repetition_penalty", "decimal_below_min_value"),
    (#""metadata":{"a":1}"#, "metadata.a", "invalid_type"), (#""store":"yes""#, "store", "invalid_type"),
    (#""functions":[{"name":"f"}]"#, "functions", "unsupported_parameter"),
    (#""modalities":["audio"]"#, "modalities", "unsupported_parameter"),
    (#""reasoning_effort":"low""#, "reasoning_effort", "unsupported_parameter"),
    (#""user":5"#, "user", "invalid_type"), (#""temprature":1"#, "temprature", "unknown_parameter"),
  ])
  func wrongParametersAreNamed(member: String, parameter: String, code: String) {
    let refusal = refusal { try chat(hello + "," + member) }
    #expect(refusal?.parameter == parameter)
    #expect(refusal?.code == code)
    #expect(refusal?.httpStatus == 400)
    #expect(refusal?.message.contains(parameter) == true)
  }

  @Test func missingMembersAreNamed() {
    #expect(refusal { try AnswerRequest.chat(Array("{\(hello)}".utf8)) }?.parameter == "model")
    #expect(refusal { try AnswerRequest.chat(Array(#"{"model":"m"}"#.utf8)) }?.parameter == "messages")
    #expect(refusal { try AnswerRequest.completion(Array(#"{"model":"m"}"#.utf8)) }?.parameter == "prompt")
  }

  @Test(arguments: ["", "nonsense", "[]", "\"x\"", "{\"model\":\"m\"", "null"])
  func bodiesThatAreNoObjectAreRefused(body: String) {
    let refusal = refusal { try AnswerRequest.chat(Array(body.utf8)) }
    #expect(refusal?.httpStatus == 400)
    #expect(refusal?.message.isEmpty == false)
  }

  @Test func bigRequestsAreRefused() {
    let stops = (0...Limits.stops).map { "\"\($0)\"" }.joined(separator: ",")
    #expect(refusal { try chat(hello + ",\"stop\":[\(stops)]") }?.parameter == "stop")
    let many = Array(repeating: #"{"role":"user","content":"x"}"#, count: Limits.messages + 1).joined(separator: ",")
    #expect(refusal { try chat("\"messages\":[\(many)]") }?.parameter == "messages")
    let huge = [UInt8](repeating: 0x20, count: Limits.bodyBytes + 1)
    #expect(refusal { try AnswerRequest.chat(huge) }?.httpStatus == 413)
  }

  @Test func completionsTakeTexts() throws {
    func completion(_ members: String) throws -> AnswerRequest {
      try AnswerRequest.completion(Array("{\"model\":\"m\",\(members)}".utf8))
    }
    #expect(try completion(#""prompt":["one"],"max_tokens":3"#).prompts == [.text("one")])
    #expect(try completion(#""prompt":["a","b"],"n":8,"best_of":8"#).prompts == [.text("a"), .text("b")])
    #expect(try completion(#""prompt":"a","echo":true"#).isEchoed)
    #expect(try completion(#""prompt":"a","logprobs":5"#).logprobs == 5)
    for prompt in ["[1,2]", "[[1],[2]]", "5", "{}", "[]"] {
      let refusal = refusal { try completion("\"prompt\":\(prompt)") }
      #expect(refusal?.parameter == "prompt")
    }
    let wrong = [
      ("n", #""n":9"#), ("logprobs", #""logprobs":6"#), ("echo", #""echo":true,"logprobs":0"#),
      ("suffix", #""suffix":"x""#), ("best_of", #""best_of":2"#),
    ]
    for (parameter, members) in wrong {
      #expect(refusal { try completion("\"prompt\":[\"a\",\"b\"],\(members)") }?.parameter == parameter)
    }
  }
}
