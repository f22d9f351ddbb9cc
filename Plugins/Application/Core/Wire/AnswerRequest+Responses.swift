extension AnswerRequest {
  /// Reads the body of `POST /v1/responses`.
  ///
  /// Nothing is kept between requests, so what refers to an earlier one is refused.
  package static func response(_ body: [UInt8]) throws(Refusal) -> AnswerRequest {
    var fields = try Fields(body: body)
    let model = try fields.model()
    try refuseState(&fields)
    guard let input = fields.take("input") else { throw fields.missing("input") }
    var messages = try readInput(input)
    let instructions = try fields.string("instructions")
    if let instructions { messages.insert(Message(role: "system", content: instructions), at: 0) }
    var request = AnswerRequest(endpoint: .response, model: model, prompts: [.messages(messages)])
    let metadata = fields.take("metadata")
    request.maximumTokens = try fields.unsigned("max_output_tokens", 1...Limits.tokens)
    request.maximumTokensName = "max_output_tokens"
    try request.readShared(&fields)
    try request.readInclude(&fields)
    let tools = fields.take("tools")
    let choice = fields.take("tool_choice")
    try request.takeTools(try readResponseTools(tools), choice: try readResponseChoice(choice))
    request.allowsSeveralCalls = try fields.bool("parallel_tool_calls") ?? true
    let text = try request.readText(&fields)
    try refuseUnsupported(&fields)
    try fields.finish()
    request.repeated = [
      .init("instructions", instructions.map { .string($0) } ?? .null),
      .init("max_output_tokens", request.maximumTokens.map { .integer($0) } ?? .null),
      .init("metadata", metadata ?? .object([])), .init("parallel_tool_calls", .bool(request.allowsSeveralCalls)),
      .init("text", text), .init("tool_choice", choice ?? "auto"), .init("tools", tools ?? []),
      .init("top_logprobs", .integer(request.logprobs ?? 0)),
    ]
    return request
  }

  private static func refuseState(_ fields: inout Fields) throws(Refusal) {
    for name in ["previous_response_id", "conversation"] {
      try fields.refuse(name, "it keeps no answers, so send the whole conversation as `input`")
    }
    try fields.refuse("prompt", "it keeps no templates, so send `instructions` and `input`")
    try fields.refuse("background", "the answer comes with this request") { $0 == false }
  }

  private static func refuseUnsupported(_ fields: inout Fields) throws(Refusal) {
    try fields.refuse("truncation", "shorten the input if it is too long") { $0 == "disabled" }
    try fields.refuse("max_tool_calls")
    try fields.refuse("context_management")
    guard let reasoning = fields.take("reasoning") else { return }
    var options = try Fields(reasoning, path: "reasoning.")
    try options.refuse("effort") { $0 == "none" }
    for name in ["summary", "generate_summary"] { try options.refuse(name) }
    try options.finish()
  }

  /// Reads what the answer shall contain beyond the text.
  private mutating func readInclude(_ fields: inout Fields) throws(Refusal) {
    let top = try fields.unsigned("top_logprobs", 0...Limits.chatLogprobs)
    if let top, top > 0 { logprobs = top }
    guard let value = fields.take("include") else { return }
    guard let list = value.arrayValue else { throw Fields.invalidType("include", "an array of strings", value) }
    for (index, element) in list.enumerated() {
      switch element {
      case "message.output_text.logprobs": logprobs = top ?? 0
      case "reasoning.encrypted_content": break  // The models served here do not reason apart from the text.
      default:
        throw Refusal(
          .invalid, "unsupported_value",
          "Unsupported value: 'include[\(index)]'. Supported: 'message.output_text.logprobs'.",
          parameter: "include[\(index)]")
      }
    }
  }

  /// Tools in the form of chat, whose members lie one level deeper.
  private static func readResponseTools(_ value: JSONValue?) throws(Refusal) -> [JSONValue] {
    var tools: [JSONValue] = []
    for (index, tool) in (try list(value, "tools")).enumerated() {
      var fields = try Fields(tool, path: "tools[\(index)].")
      guard let type = try fields.string("type") else { throw fields.missing("type") }
      guard type == "function" else { throw fields.unsupportedValue("type", type, "'function'") }
      guard let name = try fields.string("name", maximumBytes: Limits.labelBytes) else { throw fields.missing("name") }
      var function: [JSONValue.Member] = [.init("name", .string(name))]
      for member in ["description", "parameters", "strict"] {
        if let value = fields.take(member) { function.append(.init(member, value)) }
      }
      try fields.finish()
      tools.append(["type": "function", "function": .object(function)])
    }
    return tools
  }

  private static func readResponseChoice(_ value: JSONValue?) throws(Refusal) -> JSONValue? {
    guard let value, case .object = value else { return value }
    var fields = try Fields(value, path: "tool_choice.")
    guard let type = try fields.string("type") else { throw fields.missing("type") }
    guard type == "function" else { throw fields.unsupportedValue("type", type, "'function'") }
    guard let name = try fields.string("name") else { throw fields.missing("name") }
    try fields.finish()
    return ["type": "function", "function": ["name": .string(name)]]
  }

  /// Reads the form of the text, and returns what the answer repeats of it.
  private mutating func readText(_ fields: inout Fields) throws(Refusal) -> JSONValue {
    let plain: JSONValue = ["format": ["type": "text"]]
    guard let value = fields.take("text") else { return plain }
    var text = try Fields(value, path: "text.")
    try text.refuse("verbosity") { $0 == "medium" }
    let wanted = text.take("format")
    try text.finish()
    guard let wanted else { return plain }
    var format = try Fields(wanted, path: "text.format.")
    guard let type = try format.string("type") else { throw format.missing("type") }
    switch type {
    case "text": return plain
    case "json_object": form.responseFormat = wanted
    case "json_schema":
      var members: [JSONValue.Member] = []
      for name in ["name", "description", "schema", "strict"] {
        if let value = format.take(name) { members.append(.init(name, value)) }
      }
      form.responseFormat = ["type": "json_schema", "json_schema": .object(members)]
    default: throw format.unsupportedValue("type", type, "'text', 'json_object' and 'json_schema'")
    }
    try format.finish()
    return ["format": wanted]
  }
}

extension AnswerRequest {
  /// Reads a text or a list of items as a conversation.
  private static func readInput(_ value: JSONValue) throws(Refusal) -> [Message] {
    if let text = value.stringValue { return [Message(role: "user", content: text)] }
    guard let list = value.arrayValue else { throw Fields.invalidType("input", "a string or an array of items", value) }
    guard !list.isEmpty else {
      throw Refusal(
        .invalid, "empty_array", "Invalid 'input': empty array. Expected at least one item.", parameter: "input")
    }
    guard list.count <= Limits.messages else {
      throw Refusal(
        .invalid, "array_above_max_length",
        "Invalid 'input': expected at most \(Limits.messages) items, but got \(list.count).", parameter: "input")
    }
    var messages: [Message] = []
    for (index, item) in list.enumerated() { try readItem(item, path: "input[\(index)].", &messages) }
    return messages
  }

  private static func readItem(_ value: JSONValue, path: String, _ messages: inout [Message]) throws(Refusal) {
    var fields = try Fields(value, path: path)
    // Items of an earlier answer may be sent again as they were.
    for name in ["id", "status"] { _ = try fields.string(name, maximumBytes: Limits.labelBytes) }
    for name in ["phase", "caller", "namespace"] { _ = fields.take(name) }
    let type = try fields.string("type") ?? "message"
    switch type {
    case "message": messages.append(try readMessageItem(&fields))
    case "function_call":
      guard let id = try fields.string("call_id", maximumBytes: Limits.labelBytes) else {
        throw fields.missing("call_id")
      }
      let call = try readCall(&fields, id: id)
      // Calls belong to the assistant's turn before them; the calls of one turn are items one after another.
      if let last = messages.indices.last, messages[last].role == "assistant" {
        messages[last].toolCalls.append(call)
      } else {
        messages.append(Message(role: "assistant", content: "", toolCalls: [call]))
      }
    case "function_call_output":
      guard let id = try fields.string("call_id", maximumBytes: Limits.labelBytes) else {
        throw fields.missing("call_id")
      }
      let output = try readContent(
        &fields, "output", types: ["input_text", "output_text", "text"], isOptional: false)
      messages.append(Message(role: "tool", content: output, toolCallID: id))
    default:
      throw fields.unsupportedValue("type", type, "'message', 'function_call' and 'function_call_output'")
    }
    try fields.finish()
  }

  private static func readMessageItem(_ fields: inout Fields) throws(Refusal) -> Message {
    guard let role = try fields.string("role") else { throw fields.missing("role") }
    guard ["system", "developer", "user", "assistant"].contains(role) else {
      throw fields.unsupportedValue("role", role, "'system', 'developer', 'user' and 'assistant'")
    }
    let content = try readContent(
      &fields, "content", types: ["input_text", "output_text", "text"], isOptional: false)
    return Message(role: role == "developer" ? "system" : role, content: content)
  }
}
