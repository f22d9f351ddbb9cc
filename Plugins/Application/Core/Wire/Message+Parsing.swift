extension AnswerRequest {
  /// What clients repeat of an answer that they got, here or elsewhere, and that no model is shown.
  private static let ignoredOfAnswers = [
    "refusal", "annotations", "audio", "function_call", "reasoning", "reasoning_content", "provider_specific_fields",
  ]

  /// Reads the conversation; content may be a text or a list of parts of type `text`.
  static func readMessages(_ value: JSONValue) throws(Refusal) -> [Message] {
    guard let list = value.arrayValue else { throw Fields.invalidType("messages", "an array of objects", value) }
    guard !list.isEmpty else {
      throw Refusal(
        .invalid, "empty_array", "Invalid 'messages': empty array. Expected at least one message.",
        parameter: "messages")
    }
    guard list.count <= Limits.messages else {
      throw Refusal(
        .invalid, "array_above_max_length",
        "Invalid 'messages': expected at most \(Limits.messages) messages, but got \(list.count).",
        parameter: "messages")
    }
    var messages: [Message] = []
    for (index, element) in list.enumerated() {
      messages.append(try readMessage(element, path: "messages[\(index)]."))
    }
    return messages
  }

  private static func readMessage(_ value: JSONValue, path: String) throws(Refusal) -> Message {
    var fields = try Fields(value, path: path)
    guard var role = try fields.string("role") else { throw fields.missing("role") }
    guard ["system", "developer", "user", "assistant", "tool"].contains(role) else {
      throw fields.unsupportedValue("role", role, "'system', 'developer', 'user', 'assistant' and 'tool'")
    }
    // What OpenAI's newer models call developer is system in every chat template.
    if role == "developer" { role = "system" }
    var message = Message(role: role, content: "")
    if role == "assistant" {
      message.toolCalls = try readCalls(&fields)
      for name in ignoredOfAnswers { _ = fields.take(name) }
    }
    if role == "tool" {
      guard let id = try fields.string("tool_call_id", maximumBytes: Limits.labelBytes) else {
        throw fields.missing("tool_call_id")
      }
      message.toolCallID = id
    }
    message.content = try readContent(&fields, "content", types: ["text"], isOptional: role == "assistant")
    message.name = try fields.string("name", maximumBytes: Limits.labelBytes)
    try fields.finish()
    return message
  }

  private static func readCalls(_ fields: inout Fields) throws(Refusal) -> [ToolCall] {
    let name = fields.name("tool_calls")
    var calls: [ToolCall] = []
    for (index, value) in (try list(fields.take("tool_calls"), name)).enumerated() {
      var call = try Fields(value, path: "\(name)[\(index)].")
      guard let id = try call.string("id", maximumBytes: Limits.labelBytes) else { throw call.missing("id") }
      let type = try call.string("type") ?? "function"
      guard type == "function" else { throw call.unsupportedValue("type", type, "'function'") }
      guard let function = call.take("function") else { throw call.missing("function") }
      _ = call.take("index")  // Clients that put a stream together leave it in.
      try call.finish()
      var inner = try Fields(function, path: call.name("function."))
      calls.append(try readCall(&inner, id: id))
      try inner.finish()
    }
    return calls
  }

  /// The name and the arguments of a call.
  static func readCall(_ fields: inout Fields, id: String) throws(Refusal) -> ToolCall {
    guard let name = try fields.string("name", maximumBytes: Limits.labelBytes) else { throw fields.missing("name") }
    guard let arguments = try fields.string("arguments") else { throw fields.missing("arguments") }
    return ToolCall(id: id, name: name, arguments: arguments)
  }

  /// A text, or a list of parts of the given types, which are joined.
  static func readContent(
    _ fields: inout Fields, _ name: String, types: [String], isOptional: Bool
  ) throws(Refusal) -> String {
    guard let content = fields.take(name) else {
      if isOptional { return "" }
      throw fields.missing(name)
    }
    if let text = content.stringValue { return text }
    guard let parts = content.arrayValue else {
      throw Fields.invalidType(fields.name(name), "a string or an array of parts", content)
    }
    var texts: [String] = []
    for (index, part) in parts.enumerated() {
      var part = try Fields(part, path: "\(fields.name(name))[\(index)].")
      guard let type = try part.string("type") else { throw part.missing("type") }
      guard types.contains(type) else {
        throw part.unsupportedValue("type", type, types.map { "'\($0)'" }.joined(separator: ", "))
      }
      guard let text = try part.string("text") else { throw part.missing("text") }
      // What belongs to the text in answers and for other providers.
      for name in ["annotations", "logprobs", "cache_control"] { _ = part.take(name) }
      try part.finish()
      texts.append(text)
    }
    return texts.joined()
  }
}
