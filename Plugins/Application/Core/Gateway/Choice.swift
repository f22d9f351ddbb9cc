/// One answer of a request while it grows.
struct Choice {
  /// Its number among all answers of the request.
  let index: Int
  /// Which of the request's prompts it answers.
  let prompt: Int
  let allowsSeveralCalls: Bool
  private(set) var hasBegun = false
  private(set) var text = ""
  private(set) var logprobs: [TokenLogprob] = []
  private(set) var toolCalls: [ToolCall] = []
  /// Tokens that were read and written for it so far.
  private(set) var tokens = TokenCounts()
  /// Of the prompt's tokens, those that were known from before.
  private(set) var cachedTokens: UInt64 = 0
  /// nil until it is complete.
  private(set) var finishReason: String?
  private(set) var receipt: JSONValue?

  init(index: Int, prompt: Int, allowsSeveralCalls: Bool) {
    self.index = index
    self.prompt = prompt
    self.allowsSeveralCalls = allowsSeveralCalls
  }

  /// Whether an event adds something that a client sees; a call beyond the one that was allowed does not.
  func shows(_ event: EngineEvent) -> Bool {
    switch event {
    case .text(let piece, _, let logprobs): !piece.isEmpty || !logprobs.isEmpty
    case .toolCall: allowsSeveralCalls || toolCalls.isEmpty
    case .start, .end: true
    }
  }

  /// Takes in an event that was, or will be, delivered.
  mutating func take(_ event: EngineEvent) {
    hasBegun = true
    switch event {
    case .start(let prompt, let cached):
      tokens.prompt = prompt
      cachedTokens = cached
    case .text(let piece, let count, let entries):
      text += piece
      logprobs += entries
      tokens.completion = max(tokens.completion, count)
    case .toolCall(let call): if shows(event) { toolCalls.append(call) }
    case .end(let reason, let counts, let cached, let receipt):
      finishReason = reason
      tokens = counts
      cachedTokens = cached
      self.receipt = receipt
    }
  }
}

/// What a request's answers used together: every prompt once, and all that was written.
struct Usage {
  var tokens = TokenCounts()
  var cachedTokens: UInt64 = 0

  init(_ choices: [Choice]) {
    var prompts: Set<Int> = []
    for choice in choices where choice.hasBegun {
      tokens.completion += choice.tokens.completion
      guard prompts.insert(choice.prompt).inserted else { continue }
      tokens.prompt += choice.tokens.prompt
      cachedTokens += choice.cachedTokens
    }
  }

  /// What is paid for: nothing, when nothing was written.
  var billable: TokenCounts { tokens.completion > 0 ? tokens : TokenCounts() }

  /// The member `usage` of chats and completions.
  var json: JSONValue {
    [
      "prompt_tokens": .integer(tokens.prompt), "completion_tokens": .integer(tokens.completion),
      "total_tokens": .integer(tokens.prompt + tokens.completion),
      "prompt_tokens_details": ["cached_tokens": .integer(cachedTokens), "audio_tokens": 0],
      "completion_tokens_details": [
        "reasoning_tokens": 0, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
      ],
    ]
  }

  /// The member `usage` of responses.
  var responseJSON: JSONValue {
    [
      "input_tokens": .integer(tokens.prompt),
      "input_tokens_details": ["cached_tokens": .integer(cachedTokens), "cache_write_tokens": 0],
      "output_tokens": .integer(tokens.completion), "output_tokens_details": ["reasoning_tokens": 0],
      "total_tokens": .integer(tokens.prompt + tokens.completion),
    ]
  }
}
