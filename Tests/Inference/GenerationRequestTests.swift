import Foundation
import InferenceCore
import Testing

@Suite struct GenerationRequestTests {
  /// A request with these members beside a prompt.
  private func read(_ members: String) throws(InferenceError) -> GenerationRequest {
    try GenerationRequest(json: "{\"prompt\":\"a\",\(members)}", seed: 0)
  }

  /// A request with this message.
  private func read(message: String) throws(InferenceError) -> GenerationRequest {
    try GenerationRequest(json: "{\"messages\":[\(message)]}", seed: 0)
  }

  @Test(arguments: [
    ("\"max_tokens\":0", "max_tokens"), ("\"max_tokens\":1e99", "max_tokens"), ("\"max_tokens\":1.5", "max_tokens"),
    ("\"temperature\":-1", "temperature"), ("\"temperature\":2.01", "temperature"),
    ("\"temperature\":\"1\"", "temperature"), ("\"top_p\":-0.1", "top_p"), ("\"top_p\":1.1", "top_p"),
    ("\"top_k\":-1", "top_k"), ("\"min_p\":2", "min_p"), ("\"typical_p\":-1", "typical_p"),
    ("\"repetition_penalty\":0", "repetition_penalty"), ("\"repetition_penalty\":2.5", "repetition_penalty"),
    ("\"frequency_penalty\":2.5", "frequency_penalty"), ("\"presence_penalty\":-3", "presence_penalty"),
    ("\"logit_bias\":[]", "logit_bias"), ("\"logit_bias\":{\"x\":1}", "logit_bias"),
    ("\"logit_bias\":{\"05\":1}", "logit_bias"), ("\"logit_bias\":{\"5\":101}", "logit_bias"),
    ("\"logit_bias\":{\"5\":null}", "logit_bias.5"), ("\"seed\":\"x\"", "seed"), ("\"seed\":-4", "seed"),
    ("\"stop\":[\"\"]", "stop"), ("\"stop\":[1]", "stop[0]"), ("\"stop\":5", "stop"),
    ("\"logprobs\":1", "logprobs"), ("\"top_logprobs\":3", "top_logprobs"),
    ("\"logprobs\":true,\"top_logprobs\":21", "top_logprobs"), ("\"receipt\":1", "receipt"),
    ("\"tools\":[{}]", "tools[0].type"), ("\"tools\":[{\"type\":\"function\"}]", "tools[0].function"),
    ("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]", "tools[0].function.name"),
    ("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\"}}]", "tools"),
    ("\"tool_choice\":\"required\"", "tool_choice"), ("\"tool_choice\":\"any\"", "tool_choice"),
    ("\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}", "tool_choice"),
    ("\"response_format\":\"json\"", "response_format"),
    ("\"response_format\":{\"type\":\"xml\"}", "response_format.type"),
    ("\"response_format\":{\"type\":\"json_schema\"}", "response_format.json_schema"),
    (
      "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a\"}}",
      "response_format.json_schema.schema"
    ),
    ("\"temprature\":1", "temprature"), ("\"response_format\":{\"type\":\"text\",\"x\":1}", "response_format.x"),
  ]) func wrongMembersAreNamed(_ members: String, _ parameter: String) {
    let error = #expect(throws: InferenceError.self) { try read(members) }
    #expect(error?.parameter == parameter, "\(members)")
    #expect(error?.sentence.hasPrefix("`\(parameter)`") == true, "\(members)")
    #expect(error?.kind == .invalidRequest)
  }

  @Test(arguments: [
    ("{\"role\":\"user\"}", "messages[0].content"), ("{\"content\":\"x\"}", "messages[0].role"),
    ("{\"role\":\"robot\",\"content\":\"x\"}", "messages[0].role"),
    ("{\"role\":\"user\",\"content\":5}", "messages[0].content"),
    ("{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}", "messages[0].content[0].type"),
    ("{\"role\":\"tool\",\"content\":\"x\"}", "messages[0].tool_call_id"),
    ("{\"role\":\"user\",\"content\":\"x\",\"tool_calls\":[]}", "messages[0].tool_calls"),
    (
      "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}",
      "messages[0].tool_calls[0].function.arguments"
    ),
  ]) func wrongMessagesAreNamed(_ message: String, _ parameter: String) {
    let error = #expect(throws: InferenceError.self) { try read(message: message) }
    #expect(error?.parameter == parameter, "\(message)")
  }

  @Test(arguments: [
    "{\"messages\":[]}", "{}", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"prompt\":\"b\"}",
  ])
  func oneOfMessagesAndPromptIsNeeded(_ json: String) {
    let error = #expect(throws: InferenceError.self) { try GenerationRequest(json: json, seed: 0) }
    #expect(error?.parameter == "messages")
  }

  @Test(arguments: ["", "not json", "[]", "{\"prompt\":\"a\",\"prompt\":\"b\"}", "{\"prompt\":\"a\"} x"])
  func whatIsNoObjectIsRefused(_ json: String) {
    let error = #expect(throws: InferenceError.self) { try GenerationRequest(json: json, seed: 0) }
    #expect(error?.code == "invalid_request")
  }

  @Test func everyMemberIsRead() throws {
    let request = try read(
      """
      "model":"m","max_tokens":5,"temperature":0.5,"top_k":3,"top_p":0.9,"min_p":0.1,"typical_p":0.8,
      "repetition_penalty":1.1,"frequency_penalty":-2,"presence_penalty":2,"logit_bias":{"7":-100,"3":1.5},
      "seed":18446744073709551615,"stop":["a","b"],"logprobs":true,"top_logprobs":20,"receipt":true,"caller":"k",
      "response_format":{"type":"json_object"},"tools":null
      """)
    #expect(request.model == "m" && request.maxTokens == 5 && request.stops == ["a", "b"] && request.logprobs == 20)
    #expect(request.receipt && request.caller == "k" && request.responseFormat == .jsonObject)
    #expect(
      request.sampling
        == SamplingParameters(
          temperature: 0.5, topK: 3, topP: 0.9, minP: 0.1, typicalP: 0.8, repetitionPenalty: 1.1, frequencyPenalty: -2,
          presencePenalty: 2, bias: [.init(token: 3, value: 1.5), .init(token: 7, value: -100)], seed: .max))
    #expect(try GenerationRequest(json: "{\"prompt\":\"x\"}", seed: 77).sampling == SamplingParameters(seed: 77))
    #expect(try read("\"stop\":\"x\"").stops == ["x"])
    #expect(try read("\"logprobs\":true").logprobs == 0)
  }

  @Test func conversationsWithToolsAreRead() throws {
    let request = try GenerationRequest(
      json: """
        {"messages":[{"role":"developer","content":[{"type":"text","text":"be "},{"type":"text","text":"brief"}]},
          {"role":"user","content":"weather?","name":"ann"},
          {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":
            {"name":"weather","arguments":"{\\"city\\":\\"Bern\\"}"}}]},
          {"role":"tool","tool_call_id":"c1","content":"rain"}],
         "tools":[{"type":"function","function":{"name":"weather","description":"d","strict":true,
           "parameters":{"type":"object","properties":{"z":{},"a":{}}}}}],
         "tool_choice":{"type":"function","function":{"name":"weather"}}}
        """, seed: 0)
    guard case .messages(let messages) = request.prompt else {
      Issue.record("no messages")
      return
    }
    #expect(messages.map(\.role) == ["system", "user", "assistant", "tool"])
    #expect(messages.map(\.content) == ["be brief", "weather?", "", "rain"])
    #expect(messages[1].name == "ann" && messages[3].toolCallID == "c1")
    #expect(messages[2].toolCalls == [ToolCall(id: "c1", name: "weather", arguments: "{\"city\":\"Bern\"}")])
    #expect(request.toolChoice == .named("weather") && request.tools.first?.isStrict == true)
    // The order of a schema's members survives.
    #expect(request.tools.first?.element.text.contains("{\"z\":{},\"a\":{}}") == true)
  }

  @Test func eventsAreJSON() throws {
    func object(_ event: GenerationEvent) throws -> NSDictionary? {
      try JSONSerialization.jsonObject(with: Data(event.json.utf8)) as? NSDictionary
    }
    let text = "a\"\\\n\u{1}é😀\u{8}\u{c}"
    #expect(try object(.text(text, tokens: 3)) == ["type": "text", "text": text, "tokens": 3])
    #expect(
      try object(.start(promptTokens: 4, cachedTokens: 2)) == ["type": "start", "prompt_tokens": 4, "cached_tokens": 2])
    #expect(
      try object(.toolCall(index: 1, id: "i", name: "n", arguments: "{\"a\":1}"))
        == ["type": "tool_call", "index": 1, "id": "i", "name": "n", "arguments": "{\"a\":1}"])
    let end = GenerationEvent.end(
      .toolCalls, promptTokens: 1, completionTokens: 2, cachedTokens: 0, receipt: "{\"v\":1}")
    #expect(
      try object(end)
        == [
          "type": "end", "finish_reason": "tool_calls", "prompt_tokens": 1, "completion_tokens": 2,
          "cached_tokens": 0, "receipt": ["v": 1],
        ])
    let candidate = GenerationEvent.Candidate(token: 1, bytes: [0xc3], logprob: -1e-7)
    let event = GenerationEvent.text(
      "", tokens: 1, logprobs: [.init(chosen: candidate, top: [candidate, candidate])])
    let json: [String: Any] = ["token": "\u{fffd}", "bytes": [0xc3], "logprob": -1e-7]
    let row = json.merging(["top": [json, json]]) { $1 }
    #expect(try object(event) == ["type": "text", "text": "", "tokens": 1, "logprobs": [row]])
  }
}

@Suite struct JSONTests {
  @Test func documentsSurviveARoundTrip() throws {
    let text = #"{"b":[1,-0.5e+10,true,null,"é\n\"\\\u0001"],"a":{},"":[]}"#
    #expect(try JSONParser.parse(text).text == text)
    #expect(try JSONParser.parse(#" "😀\/" "#) == .string("😀/"))
  }

  @Test(arguments: [
    "", "{", "[1,]", "{\"a\":1,}", "01", "1.", "-", "+1", "\"\u{1}\"", "\"\\x\"", #""\ud800""#, #""\udc00""#, "nul",
    "[1 2]", "{\"a\" 1}", "{a:1}", "\"abc", "1 1", "NaN", String(repeating: "[", count: 100_000),
    String(repeating: "1", count: 65), #"{"a":1,"\u0061":2}"#,
  ]) func whatIsNotStrictJSONIsRefused(_ text: String) {
    #expect(throws: JSONParser.Fault.self) { try JSONParser.parse(text) }
  }

  @Test func wholeNumbersAreReadHoweverWritten() throws {
    #expect(try JSONParser.parse("1e2").integer(Int.self) == 100)
    #expect(try JSONParser.parse("7.0").integer(Int32.self) == 7)
    #expect(try JSONParser.parse("18446744073709551615").integer(UInt64.self) == .max)
    #expect(try JSONParser.parse("18446744073709551616").integer(UInt64.self) == nil)
    #expect(try JSONParser.parse("1.5").integer(Int.self) == nil)
    #expect(try JSONParser.parse("1e400").double == nil)
  }

  /// Bytes changed at random: refused or read, never a crash; what is read is read again as the same.
  @Test func randomChangesNeverCrash() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var dice = Dice(seed: seed)
    let original = Array(#"{"a":[1,-2.5e3,"x\u00e9\n",{"b":null,"c":[true,false]}],"d":"é😀"}"#.utf8)
    for _ in 0..<20_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...4, using: &dice) {
        let place = Int.random(in: 0..<bytes.count, using: &dice)
        switch Int.random(in: 0..<3, using: &dice) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &dice)
        case 1: bytes.remove(at: place)
        default: bytes.insert(Array("{}[],:\"\\u0".utf8).randomElement(using: &dice) ?? 0, at: place)
        }
      }
      let text = String(decoding: bytes, as: UTF8.self)
      guard let value = try? JSONParser.parse(text) else { continue }
      #expect(try JSONParser.parse(value.text) == value, "seed \(seed)")
    }
  }
}
