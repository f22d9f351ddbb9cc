extension GenerationRequest {
  /// Reads the JSON form and checks every member; `seed` is used when the request names none.
  ///
  /// A member that is unknown or cannot be read is named in the error.
  package init(json: String, seed: @autoclosure () -> UInt64) throws(InferenceError) {
    let document: JSONValue
    do throws(JSONParser.Fault) { document = try JSONParser.parse(json) } catch {
      throw InferenceError(
        .invalidRequest, "invalid_request",
        "The request is not a JSON object: \(error.reason), at byte \(error.offset)."
      )
    }
    var fields = try RequestFields(document)
    let model = try fields.text("model")
    self.init(model: model, prompt: try Self.readPrompt(&fields))
    tools = try Self.readTools(&fields)
    toolChoice = try Self.readToolChoice(&fields)
    responseFormat = try Self.readResponseFormat(&fields)
    maxTokens = try fields.whole("max_tokens", Int.self, "a whole number of at least 1")
    sampling = try Self.readSampling(&fields, seed: seed)
    stops = try Self.readStops(&fields)
    logprobs = try Self.readLogprobs(&fields)
    receipt = try fields.bool("receipt") ?? false
    caller = try fields.text("caller")
    try fields.finish()
    try check()
  }

  private static func readPrompt(_ fields: inout RequestFields) throws(InferenceError) -> Prompt {
    let messages = try fields.list("messages")
    switch (messages, try fields.text("prompt")) {
    case (let messages?, nil):
      guard !messages.isEmpty else { throw wrong("messages", "must hold at least one message") }
      guard messages.count <= Limit.messages else {
        throw wrong("messages", "holds \(messages.count) messages; at most \(Limit.messages) are read")
      }
      var conversation: [ChatMessage] = []
      for (index, message) in messages.enumerated() {
        conversation.append(try readMessage(message, path: "messages[\(index)]."))
      }
      return .messages(conversation)
    case (nil, let text?): return .text(text)
    default: throw wrong("messages", "or `prompt` must be given, and not both")
    }
  }

  private static func readMessage(_ value: JSONValue, path: String) throws(InferenceError) -> ChatMessage {
    var fields = try RequestFields(value, path: path)
    var role = try fields.requiredText("role")
    guard ["system", "developer", "user", "assistant", "tool"].contains(role) else {
      throw wrong(fields.name("role"), "must be one of system, developer, user, assistant and tool")
    }
    // What OpenAI's newer models call developer is system in every chat template.
    if role == "developer" { role = "system" }
    let calls = role == "assistant" ? try readCalls(&fields) : []
    let content = try readContent(&fields, isOptional: !calls.isEmpty)
    let callID = role == "tool" ? try fields.text("tool_call_id") : nil
    if role == "tool", callID == nil { throw wrong(fields.name("tool_call_id"), "is missing") }
    let name = try fields.text("name")
    try fields.finish()
    return ChatMessage(role: role, content: content, toolCalls: calls, toolCallID: callID, name: name)
  }

  /// A text, or a list of parts of type `text`, which are joined.
  private static func readContent(
    _ fields: inout RequestFields, isOptional: Bool
  ) throws(InferenceError) -> String {
    guard let content = fields.take("content") else {
      if isOptional { return "" }
      throw wrong(fields.name("content"), "is missing")
    }
    if let text = content.string { return text }
    guard let parts = content.array else {
      throw RequestFields.wrongKind(fields.name("content"), "a text or a list of parts", content)
    }
    var text = ""
    for (index, part) in parts.enumerated() {
      var part = try RequestFields(part, path: "\(fields.name("content"))[\(index)].")
      guard try part.requiredText("type") == "text" else {
        throw wrong(part.name("type"), "must be \"text\": the models of this engine read nothing else")
      }
      text += try part.requiredText("text")
      try part.finish()
    }
    return text
  }

  private static func readCalls(_ fields: inout RequestFields) throws(InferenceError) -> [ToolCall] {
    var calls: [ToolCall] = []
    for (index, value) in (try fields.list("tool_calls") ?? []).enumerated() {
      var call = try RequestFields(value, path: "\(fields.name("tool_calls"))[\(index)].")
      let id = try call.requiredText("id")
      guard try call.text("type") ?? "function" == "function" else {
        throw wrong(call.name("type"), "must be \"function\"")
      }
      var function = try RequestFields(try call.required("function"), path: call.name("function."))
      let name = try function.requiredText("name")
      let arguments = try function.requiredText("arguments")
      do throws(JSONParser.Fault) { _ = try JSONParser.parse(arguments) } catch {
        throw wrong(function.name("arguments"), "must be JSON text: \(error.reason), at byte \(error.offset)")
      }
      try function.finish()
      try call.finish()
      calls.append(ToolCall(id: id, name: name, arguments: arguments))
    }
    return calls
  }

  private static func readTools(_ fields: inout RequestFields) throws(InferenceError) -> [Tool] {
    var tools: [Tool] = []
    for (index, value) in (try fields.list("tools") ?? []).enumerated() {
      var element = try RequestFields(value, path: "tools[\(index)].")
      guard try element.requiredText("type") == "function" else {
        throw wrong(element.name("type"), "must be \"function\"")
      }
      var function = try RequestFields(try element.required("function"), path: element.name("function."))
      let name = try function.requiredText("name")
      _ = try function.text("description")
      let parameters = function.take("parameters")
      if let parameters, parameters.object == nil {
        throw RequestFields.wrongKind(function.name("parameters"), "a JSON schema of an object", parameters)
      }
      let isStrict = try function.bool("strict") ?? false
      try function.finish()
      try element.finish()
      tools.append(Tool(name: name, parameters: parameters, isStrict: isStrict, element: value))
    }
    return tools
  }

  private static func readToolChoice(_ fields: inout RequestFields) throws(InferenceError) -> ToolChoice {
    guard let value = fields.take("tool_choice") else { return .auto }
    switch value {
    case "none": return .none
    case "auto": return .auto
    case "required": return .required
    case .object:
      var choice = try RequestFields(value, path: "tool_choice.")
      guard try choice.requiredText("type") == "function" else {
        throw wrong(choice.name("type"), "must be \"function\"")
      }
      var function = try RequestFields(try choice.required("function"), path: choice.name("function."))
      let name = try function.requiredText("name")
      try function.finish()
      try choice.finish()
      return .named(name)
    default:
      throw wrong(
        "tool_choice",
        "must be \"none\", \"auto\", \"required\" or {\"type\":\"function\",\"function\":{\"name\":…}}")
    }
  }

  private static func readResponseFormat(_ fields: inout RequestFields) throws(InferenceError) -> ResponseFormat {
    guard let value = fields.take("response_format") else { return .text }
    var format = try RequestFields(value, path: "response_format.")
    let type = try format.requiredText("type")
    switch type {
    case "text", "json_object":
      try format.finish()
      return type == "text" ? .text : .jsonObject
    case "json_schema":
      var wrapper = try RequestFields(try format.required("json_schema"), path: "response_format.json_schema.")
      let name = try wrapper.requiredText("name")
      _ = try wrapper.text("description")
      let schema = try wrapper.required("schema")
      let isStrict = try wrapper.bool("strict") ?? false
      try wrapper.finish()
      try format.finish()
      return .jsonSchema(name: name, schema: schema, isStrict: isStrict)
    default: throw wrong("response_format.type", "must be \"text\", \"json_object\" or \"json_schema\"")
    }
  }

  private static func readSampling(
    _ fields: inout RequestFields, seed: () -> UInt64
  ) throws(InferenceError) -> SamplingParameters {
    var sampling = SamplingParameters()
    sampling.temperature = try fields.number("temperature") ?? sampling.temperature
    sampling.topK = try fields.whole("top_k", Int.self, "a whole number from 0 (all) to \(Limit.topK)") ?? 0
    sampling.topP = try fields.number("top_p") ?? sampling.topP
    sampling.minP = try fields.number("min_p") ?? sampling.minP
    sampling.typicalP = try fields.number("typical_p") ?? sampling.typicalP
    sampling.repetitionPenalty = try fields.number("repetition_penalty") ?? sampling.repetitionPenalty
    sampling.frequencyPenalty = try fields.number("frequency_penalty") ?? sampling.frequencyPenalty
    sampling.presencePenalty = try fields.number("presence_penalty") ?? sampling.presencePenalty
    sampling.bias = try readBias(&fields)
    sampling.seed =
      try fields.whole("seed", UInt64.self, "a whole number from 0 to 18446744073709551615") ?? seed()
    return sampling
  }

  private static func readBias(_ fields: inout RequestFields) throws(InferenceError) -> [SamplingParameters.Bias] {
    guard let value = fields.take("logit_bias") else { return [] }
    guard let members = value.object else { throw RequestFields.wrongKind("logit_bias", "an object", value) }
    var biases: [SamplingParameters.Bias] = []
    for member in members {
      guard let token = Int32(member.name), token >= 0, String(token) == member.name else {
        throw wrong("logit_bias", "has the member \"\(member.name.prefix(32))\", which is not a token's number")
      }
      guard let bias = member.value.double else {
        throw RequestFields.wrongKind("logit_bias.\(token)", "a number", member.value)
      }
      biases.append(SamplingParameters.Bias(token: token, value: bias))
    }
    return biases.sorted { $0.token < $1.token }
  }

  private static func readStops(_ fields: inout RequestFields) throws(InferenceError) -> [String] {
    guard let value = fields.take("stop") else { return [] }
    if let text = value.string { return [text] }
    guard let list = value.array else { throw RequestFields.wrongKind("stop", "a text or a list of texts", value) }
    var stops: [String] = []
    for (index, element) in list.enumerated() {
      guard let text = element.string else { throw RequestFields.wrongKind("stop[\(index)]", "a text", element) }
      stops.append(text)
    }
    return stops
  }

  private static func readLogprobs(_ fields: inout RequestFields) throws(InferenceError) -> Int? {
    let isWanted = try fields.bool("logprobs") ?? false
    let top = try fields.whole("top_logprobs", Int.self, "a whole number from 0 to 20")
    guard isWanted else {
      if let top, top != 0 { throw wrong("top_logprobs", "needs `logprobs` to be true") }
      return nil
    }
    return top ?? 0
  }
}
