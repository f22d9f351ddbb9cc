/// One turn of a conversation.
package struct Message: Equatable, Sendable {
  package var role: String
  package var content: String

  package init(role: String, content: String) {
    self.role = role
    self.content = content
  }
}

/// What the model is to continue.
package enum Prompt: Equatable, Sendable {
  case messages([Message])
  case text(String)
}

/// How tokens are chosen; nil leaves a choice to the parameters in force.
package struct Sampling: Equatable, Sendable {
  package var temperature: Double?
  package var topP: Double?
  package var topK: UInt64?
  package var seed: Int64?
  package var stop: [String] = []

  package init() {}
}

/// A request for an answer, as the client sent it and checked.
package struct AnswerRequest: Equatable, Sendable {
  /// Which of the two endpoints was asked; they differ in the shape of the answer.
  package enum Endpoint: Sendable {
    case chat, completion
  }

  package var endpoint: Endpoint
  package var model: String
  package var prompt: Prompt
  /// nil when the client left it to the node.
  package var maximumTokens: UInt64?
  /// The name under which the client gave `maximumTokens`.
  package var maximumTokensName = "max_tokens"
  package var sampling = Sampling()
  package var isStreamed = false
  package var includesUsage = false
}
