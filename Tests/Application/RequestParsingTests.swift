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
  @Test func aFullRequestIsRead() throws {
    let request = try chat(
      hello
        + #","max_completion_tokens":5,"temperature":0.5,"top_p":0.9,"top_k":40,"seed":-7,"stop":["a","b"],"#
        + #""stream":true,"stream_options":{"include_usage":true},"user":"u","n":1,"logprobs":false,"tools":[],"#
        + #""response_format":{"type":"text"},"logit_bias":{},"presence_penalty":0,"metadata":{"a":"b"},"store":false"#)
    #expect(request.maximumTokens == 5)
    #expect(request.sampling.temperature == 0.5 && request.sampling.topP == 0.9 && request.sampling.topK == 40)
    #expect(request.sampling.seed == -7 && request.sampling.stop == ["a", "b"])
    #expect(request.isStreamed && request.includesUsage)
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
      request.prompt
        == .messages([
          Message(role: "system", content: "ab"), Message(role: "assistant", content: ""),
          Message(role: "user", content: "c"),
        ]))
  }

  @Test(arguments: [
    (#""messages":"hi""#, "messages", "invalid_type"), (#""messages":[]"#, "messages", "empty_array"),
    (#""messages":[1]"#, "messages[0]", "invalid_type"),
    (#""messages":[{"content":"x"}]"#, "messages[0].role", "missing_required_parameter"),
    (#""messages":[{"role":"tool","content":"x"}]"#, "messages[0].role", "unsupported_value"),
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
    (#""n":2"#, "n", "unsupported_value"), (#""n":0"#, "n", "integer_below_min_value"),
    (#""logprobs":true"#, "logprobs", "unsupported_parameter"),
    (#""tools":[{"type":"function"}]"#, "tools", "unsupported_parameter"),
    (#""tool_choice":"required""#, "tool_choice", "unsupported_parameter"),
    (#""response_format":{"type":"json_object"}"#, "response_format", "unsupported_parameter"),
    (#""logit_bias":{"1":5}"#, "logit_bias", "unsupported_parameter"),
    (#""presence_penalty":0.5"#, "presence_penalty", "unsupported_parameter"),
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

  @Test func completionsTakeTextOnly() throws {
    #expect(
      try AnswerRequest.completion(Array(#"{"model":"m","prompt":["one"],"max_tokens":3}"#.utf8)).prompt == .text("one")
    )
    for prompt in ["[1,2]", #"["a","b"]"#, "5", "{}"] {
      let refusal = refusal { try AnswerRequest.completion(Array("{\"model\":\"m\",\"prompt\":\(prompt)}".utf8)) }
      #expect(refusal?.parameter == "prompt")
    }
    let echo = refusal { try AnswerRequest.completion(Array(#"{"model":"m","prompt":"a","echo":true}"#.utf8)) }
    #expect(echo?.parameter == "echo")
  }
}
