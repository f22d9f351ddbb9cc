/// One message of a conversation.
package struct ChatMessage: Equatable, Sendable {
  package let role: String
  package let content: String
  /// What an assistant's message asked to call.
  package let toolCalls: [ToolCall]
  /// For the answer of a tool: which call it answers.
  package let toolCallID: String?
  /// Who speaks, where the template shows it.
  package let name: String?

  package init(
    role: String, content: String, toolCalls: [ToolCall] = [], toolCallID: String? = nil, name: String? = nil
  ) {
    self.role = role
    self.content = content
    self.toolCalls = toolCalls
    self.toolCallID = toolCallID
    self.name = name
  }
}

/// A call of a tool that a model asked for.
package struct ToolCall: Equatable, Sendable {
  package let id: String?
  package let name: String
  /// JSON text.
  package let arguments: String

  package init(id: String? = nil, name: String, arguments: String) {
    self.id = id
    self.name = name
    self.arguments = arguments
  }
}
