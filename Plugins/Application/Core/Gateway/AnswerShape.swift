/// Builds the JSON of answers in OpenAI's form, whole or in chunks, for one request.
struct AnswerShape {
  let endpoint: AnswerRequest.Endpoint
  let id: String
  /// Unix seconds.
  let created: UInt64
  let model: String
  let fingerprint: String
  /// Whether every chunk has a `usage` member, null until the last.
  let includesUsage: Bool

  static func usage(_ tokens: TokenCounts) -> JSONValue {
    [
      "prompt_tokens": .integer(tokens.prompt), "completion_tokens": .integer(tokens.completion),
      "total_tokens": .integer(tokens.prompt + tokens.completion),
    ]
  }

  private func envelope(_ object: String, _ choices: JSONValue, usage: JSONValue?) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("id", .string(id)), .init("object", .string(object)), .init("created", .integer(created)),
      .init("model", .string(model)), .init("choices", choices),
    ]
    if let usage { members.append(.init("usage", usage)) }
    members.append(.init("system_fingerprint", .string(fingerprint)))
    return .object(members)
  }

  func whole(_ text: String, finishReason: String, tokens: TokenCounts) -> JSONValue {
    switch endpoint {
    case .chat:
      let message: JSONValue = ["role": "assistant", "content": .string(text), "refusal": .null]
      let choice: JSONValue = [
        "index": 0, "message": message, "logprobs": .null, "finish_reason": .string(finishReason),
      ]
      return envelope("chat.completion", [choice], usage: Self.usage(tokens))
    case .completion:
      return envelope("text_completion", [completionChoice(text, finishReason)], usage: Self.usage(tokens))
    }
  }

  private func completionChoice(_ text: String, _ finishReason: String?) -> JSONValue {
    [
      "text": .string(text), "index": 0, "logprobs": .null,
      "finish_reason": finishReason.map { .string($0) } ?? .null,
    ]
  }

  private func chunk(_ choices: JSONValue, usage: JSONValue? = nil) -> [UInt8] {
    let object = endpoint == .chat ? "chat.completion.chunk" : "text_completion"
    return Self.event(envelope(object, choices, usage: usage ?? (includesUsage ? .null : nil)))
  }

  private func chatChunk(_ delta: JSONValue, _ finishReason: String? = nil) -> [UInt8] {
    let choice: JSONValue = [
      "index": 0, "delta": delta, "logprobs": .null, "finish_reason": finishReason.map { .string($0) } ?? .null,
    ]
    return chunk([choice])
  }

  /// The chunk before any text: it says who speaks; completions have none.
  var opening: [UInt8]? { endpoint == .chat ? chatChunk(["role": "assistant", "content": ""]) : nil }

  func text(_ text: String) -> [UInt8] {
    endpoint == .chat ? chatChunk(["content": .string(text)]) : chunk([completionChoice(text, nil)])
  }

  func finish(_ reason: String) -> [UInt8] {
    endpoint == .chat ? chatChunk(.object([]), reason) : chunk([completionChoice("", reason)])
  }

  /// The chunk without choices that ends a stream with `include_usage`.
  func usage(_ tokens: TokenCounts) -> [UInt8] { chunk([], usage: Self.usage(tokens)) }

  static func event(_ json: JSONValue) -> [UInt8] { Array("data: ".utf8) + json.encoded + Array("\n\n".utf8) }

  static let done = Array("data: [DONE]\n\n".utf8)
}
