extension AnswerRequest {
  /// Takes tools and the choice among them as they are, once it is clear that they are functions.
  ///
  /// The engine reads the rest, because it decides which schemas it can hold.
  mutating func readTools(_ fields: inout Fields) throws(Refusal) {
    let tools = try Self.list(fields.take("tools"), "tools")
    for (index, tool) in tools.enumerated() {
      var fields = try Fields(tool, path: "tools[\(index)].")
      guard let type = try fields.string("type") else { throw fields.missing("type") }
      guard type == "function" else { throw fields.unsupportedValue("type", type, "'function'") }
      guard let function = fields.take("function") else { throw fields.missing("function") }
      var inner = try Fields(function, path: fields.name("function."))
      guard try inner.string("name", maximumBytes: Limits.labelBytes) != nil else { throw inner.missing("name") }
      try fields.finish()
    }
    try takeTools(tools, choice: fields.take("tool_choice"))
    allowsSeveralCalls = try fields.bool("parallel_tool_calls") ?? true
  }

  /// Notes tools in the engine's form and the choice among them; a choice without tools must ask for nothing.
  mutating func takeTools(_ tools: [JSONValue], choice: JSONValue?) throws(Refusal) {
    guard !tools.isEmpty else {
      guard choice == nil || choice == "none" || choice == "auto" else {
        throw Refusal(
          .invalid, "invalid_value", "'tool_choice' is only allowed when 'tools' are specified.",
          parameter: "tool_choice")
      }
      return
    }
    form.tools = .array(tools)
    form.toolChoice = choice
  }

  mutating func readResponseFormat(_ fields: inout Fields) throws(Refusal) {
    guard let value = fields.take("response_format") else { return }
    var format = try Fields(value, path: "response_format.")
    guard let type = try format.string("type") else { throw format.missing("type") }
    switch type {
    case "text": break
    case "json_object", "json_schema": form.responseFormat = value
    default: throw format.unsupportedValue("type", type, "'text', 'json_object' and 'json_schema'")
    }
  }

  /// The elements of a list of tools within its bound; none when there is no list.
  static func list(_ value: JSONValue?, _ name: String) throws(Refusal) -> [JSONValue] {
    guard let value else { return [] }
    guard let list = value.arrayValue else { throw Fields.invalidType(name, "an array of objects", value) }
    guard list.count <= Limits.tools else {
      throw Refusal(
        .invalid, "array_above_max_length",
        "Invalid '\(name)': expected at most \(Limits.tools) tools, but got \(list.count).", parameter: name)
    }
    return list
  }
}
