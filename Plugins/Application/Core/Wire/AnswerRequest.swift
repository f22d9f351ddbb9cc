/// How tokens are chosen; nil leaves a choice to the parameters in force or to the engine.
package struct Sampling: Equatable, Sendable {
  package var temperature: Double?
  package var topP: Double?
  package var topK: UInt64?
  package var minP: Double?
  package var typicalP: Double?
  package var frequencyPenalty: Double?
  package var presencePenalty: Double?
  package var repetitionPenalty: Double?
  package var seed: Int64?
  package var stop: [String] = []
  /// What is added to the logits of tokens, by the token's number.
  package var bias: [JSONValue.Member] = []

  package init() {}

  /// The sampling of the choice with this number; 0 is as the client asked.
  ///
  /// A request that names a seed gets the same choices again: each further one has a seed made of it.
  package func forChoice(_ number: Int) -> Sampling {
    guard let seed, number > 0 else { return self }
    var message = Array("sca1.chc".utf8)
    withUnsafeBytes(of: seed.bigEndian) { message += $0 }
    withUnsafeBytes(of: UInt64(number).bigEndian) { message += $0 }
    var sampling = self
    sampling.seed = SHA256.hash(message).prefix(8).reduce(0) { $0 << 8 | Int64($1) }
    return sampling
  }
}

/// What the answer may consist of, as the client sent it: the engine reads it.
package struct AnswerForm: Equatable, Sendable {
  package var tools: JSONValue?
  package var toolChoice: JSONValue?
  package var responseFormat: JSONValue?

  package init() {}

  /// The members of the engine's request.
  package var members: [JSONValue.Member] {
    [("tools", tools), ("tool_choice", toolChoice), ("response_format", responseFormat)]
      .compactMap { name, value in value.map { .init(name, $0) } }
  }
}

/// A request for an answer, as the client sent it and checked.
package struct AnswerRequest: Equatable, Sendable {
  /// Which endpoint was asked; they differ in the shape of the answer.
  package enum Endpoint: Sendable {
    case chat, completion, response
  }

  package var endpoint: Endpoint
  package var model: String
  /// One, except where `/v1/completions` was given a list.
  package var prompts: [Prompt]
  /// nil when the client left it to the node.
  package var maximumTokens: UInt64?
  /// The name under which the client gave `maximumTokens`.
  package var maximumTokensName = "max_tokens"
  package var sampling = Sampling()
  /// How many answers to each prompt.
  package var choices = 1
  /// How many alternatives are told with each token's log-probability; nil tells none.
  package var logprobs: UInt64?
  package var form = AnswerForm()
  /// Whether one answer may call several tools; of an answer that may not, the first call is given.
  package var allowsSeveralCalls = true
  /// Whether a completion begins with its prompt.
  package var isEchoed = false
  package var wantsReceipt = false
  package var isStreamed = false
  package var includesUsage = false
  /// What an answer of `/v1/responses` repeats of its request.
  package var repeated: [JSONValue.Member] = []

  package init(endpoint: Endpoint, model: String, prompts: [Prompt]) {
    self.endpoint = endpoint
    self.model = model
    self.prompts = prompts
  }

  /// What the endpoint calls its input.
  package var promptName: String {
    switch endpoint {
    case .chat: "messages"
    case .completion: "prompt"
    case .response: "input"
    }
  }
}
