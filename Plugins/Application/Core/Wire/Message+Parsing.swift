extension AnswerRequest {
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
    guard ["system", "developer", "user", "assistant"].contains(role) else {
      throw fields.unsupportedValue("role", role, "'system', 'developer', 'user' and 'assistant'")
    }
    if role == "developer" { role = "system" }
    let content = try readContent(&fields, isOptional: role == "assistant")
    // The models served here do not see a participant's name.
    _ = try fields.string("name", maximumBytes: Limits.labelBytes)
    if role == "assistant" {
      try fields.refuse("tool_calls") { $0 == [] }
      for name in ["refusal", "audio", "function_call"] { try fields.refuse(name) }
      try fields.refuse("annotations") { $0 == [] }
    }
    try fields.finish()
    return Message(role: role, content: content)
  }

  private static func readContent(_ fields: inout Fields, isOptional: Bool) throws(Refusal) -> String {
    guard let content = fields.take("content") else {
      if isOptional { return "" }
      throw fields.missing("content")
    }
    if let text = content.stringValue { return text }
    guard let parts = content.arrayValue else {
      throw Fields.invalidType(fields.name("content"), "a string or an array of parts", content)
    }
    var texts: [String] = []
    for (index, part) in parts.enumerated() {
      var part = try Fields(part, path: "\(fields.name("content"))[\(index)].")
      guard let type = try part.string("type") else { throw part.missing("type") }
      guard type == "text" else { throw part.unsupportedValue("type", type, "'text'") }
      guard let text = try part.string("text") else { throw part.missing("text") }
      try part.finish()
      texts.append(text)
    }
    return texts.joined()
  }
}
