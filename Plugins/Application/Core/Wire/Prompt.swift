/// A call of a function that the model asked for.
package struct ToolCall: Equatable, Sendable {
  package var id: String
  package var name: String
  /// JSON text.
  package var arguments: String

  package init(id: String, name: String, arguments: String) {
    self.id = id
    self.name = name
    self.arguments = arguments
  }

  /// As messages carry it, in requests and in answers.
  package var json: JSONValue {
    [
      "id": .string(id), "type": "function",
      "function": ["name": .string(name), "arguments": .string(arguments)],
    ]
  }
}

/// One turn of a conversation.
package struct Message: Equatable, Sendable {
  package var role: String
  package var content: String
  /// What an assistant's turn asked to call.
  package var toolCalls: [ToolCall]
  /// For a tool's turn: which call it answers.
  package var toolCallID: String?
  /// Who speaks, where the model's template shows it.
  package var name: String?

  package init(
    role: String, content: String, toolCalls: [ToolCall] = [], toolCallID: String? = nil, name: String? = nil
  ) {
    self.role = role
    self.content = content
    self.toolCalls = toolCalls
    self.toolCallID = toolCallID
    self.name = name
  }

  /// The form that the engine takes.
  package var json: JSONValue {
    var members: [JSONValue.Member] = [.init("role", .string(role)), .init("content", .string(content))]
    if !toolCalls.isEmpty { members.append(.init("tool_calls", .array(toolCalls.map(\.json)))) }
    if let toolCallID { members.append(.init("tool_call_id", .string(toolCallID))) }
    if let name { members.append(.init("name", .string(name))) }
    return .object(members)
  }
}

/// What the model is to continue.
package enum Prompt: Equatable, Sendable {
  case messages([Message])
  case text(String)
}
