extension AnswerRequest {
  /// Reads the body of `POST /v1/chat/completions`.
  package static func chat(_ body: [UInt8]) throws(Refusal) -> AnswerRequest {
    var fields = try Fields(document(body))
    let model = try readModel(&fields)
    guard let messages = fields.take("messages") else { throw fields.missing("messages") }
    var request = AnswerRequest(endpoint: .chat, model: model, prompt: .messages(try readMessages(messages)))
    try request.readMaximum(&fields)
    try request.readShared(&fields)
    try fields.refuse("logprobs") { $0 == false }
    try fields.refuse("top_logprobs") { $0 == 0 }
    try fields.refuse("tools") { $0 == [] }
    try fields.refuse("tool_choice") { $0 == "none" || $0 == "auto" }
    try fields.refuse("functions") { $0 == [] }
    try fields.refuse("function_call") { $0 == "none" || $0 == "auto" }
    try fields.refuse("response_format") { $0 == ["type": "text"] }
    try fields.refuse("modalities") { $0 == ["text"] }
    try fields.refuse("store") { $0 == false }
    for name in ["audio", "prediction", "reasoning_effort", "verbosity", "web_search_options", "moderation"] {
      try fields.refuse(name)
    }
    _ = try fields.bool("parallel_tool_calls")
    try fields.finish()
    return request
  }

  /// Reads the body of `POST /v1/completions`.
  package static func completion(_ body: [UInt8]) throws(Refusal) -> AnswerRequest {
    var fields = try Fields(document(body))
    let model = try readModel(&fields)
    var request = AnswerRequest(endpoint: .completion, model: model, prompt: .text(try readPrompt(&fields)))
    request.maximumTokens = try fields.unsigned("max_tokens", 1...Limits.tokens)
    try request.readShared(&fields)
    try fields.refuse("logprobs")
    try fields.refuse("echo") { $0 == false }
    try fields.refuse("suffix") { $0 == "" }
    try fields.refuse("best_of") { $0 == 1 }
    try fields.finish()
    return request
  }

  private static func document(_ body: [UInt8]) throws(Refusal) -> JSONValue {
    guard body.count <= Limits.bodyBytes else {
      throw Refusal(
        .tooLarge, "request_too_large",
        "The request body has \(body.count) bytes; the most is \(Limits.bodyBytes). Shorten the conversation.")
    }
    do {
      return try JSONParser.parse(body)
    } catch {
      throw Refusal(
        .invalid, "invalid_json", "The request body is not valid JSON: \(error.reason), at byte \(error.offset).")
    }
  }

  private static func readModel(_ fields: inout Fields) throws(Refusal) -> String {
    guard let model = try fields.string("model", maximumBytes: Limits.labelBytes) else { throw fields.missing("model") }
    guard !model.isEmpty else { throw fields.missing("model") }
    return model
  }

  private static func readPrompt(_ fields: inout Fields) throws(Refusal) -> String {
    guard let prompt = fields.take("prompt") else { throw fields.missing("prompt") }
    if let text = prompt.stringValue { return text }
    guard let list = prompt.arrayValue else { throw Fields.invalidType("prompt", "a string", prompt) }
    if list.count == 1, let text = list.first?.stringValue { return text }
    if list.allSatisfy({ $0.stringValue != nil }) {
      throw Refusal(
        .invalid, "unsupported_value", "This node answers one prompt a request, and 'prompt' holds \(list.count).",
        parameter: "prompt")
    }
    throw Refusal(
      .invalid, "unsupported_value", "This node takes 'prompt' as text, not as token ids.", parameter: "prompt")
  }

  private mutating func readMaximum(_ fields: inout Fields) throws(Refusal) {
    let old = try fields.unsigned("max_tokens", 1...Limits.tokens)
    let new = try fields.unsigned("max_completion_tokens", 1...Limits.tokens)
    if let old, let new, old != new {
      throw Refusal(
        .invalid, "invalid_value",
        "'max_tokens' (\(old)) and 'max_completion_tokens' (\(new)) differ: give one of them.",
        parameter: "max_tokens")
    }
    maximumTokens = new ?? old
    if new != nil { maximumTokensName = "max_completion_tokens" }
  }

  /// Reads what both endpoints have in common.
  private mutating func readShared(_ fields: inout Fields) throws(Refusal) {
    sampling.temperature = try fields.decimal("temperature", 0...2)
    sampling.topP = try fields.decimal("top_p", 0...1)
    sampling.topK = try fields.unsigned("top_k", 0...Limits.topK)
    sampling.seed = try fields.signed("seed")
    sampling.stop = try Self.readStop(&fields)
    isStreamed = try fields.bool("stream") ?? false
    try readStreamOptions(&fields)
    let choices = try fields.unsigned("n", 1...128) ?? 1
    guard choices == 1 else { throw fields.unsupportedValue("n", String(choices), "1") }
    try fields.refuse("presence_penalty") { $0.doubleValue == 0 }
    try fields.refuse("frequency_penalty") { $0.doubleValue == 0 }
    try fields.refuse("logit_bias") { $0 == .object([]) }
    try fields.refuse("service_tier") { $0 == "auto" || $0 == "default" }
    // Labels that change nothing about the answer; they are checked and not kept.
    for label in ["user", "safety_identifier", "prompt_cache_key"] {
      _ = try fields.string(label, maximumBytes: Limits.labelBytes)
    }
    if let metadata = fields.take("metadata") {
      guard case .object = metadata else { throw Fields.invalidType("metadata", "an object", metadata) }
    }
  }

  private mutating func readStreamOptions(_ fields: inout Fields) throws(Refusal) {
    guard let value = fields.take("stream_options") else { return }
    guard isStreamed else {
      throw Refusal(
        .invalid, "invalid_value", "The 'stream_options' parameter is only allowed when 'stream' is true.",
        parameter: "stream_options")
    }
    var options = try Fields(value, path: "stream_options.")
    includesUsage = try options.bool("include_usage") ?? false
    try options.refuse("include_obfuscation") { $0 == false }
    try options.finish()
  }

  private static func readStop(_ fields: inout Fields) throws(Refusal) -> [String] {
    guard let value = fields.take("stop") else { return [] }
    let list = value.arrayValue ?? [value]
    guard list.count <= Limits.stops else {
      throw Refusal(
        .invalid, "array_above_max_length",
        "Invalid 'stop': expected at most \(Limits.stops) texts, but got \(list.count).", parameter: "stop")
    }
    var stops: [String] = []
    for (index, element) in list.enumerated() {
      let name = value.arrayValue == nil ? "stop" : "stop[\(index)]"
      guard let text = element.stringValue else {
        throw Fields.invalidType(name, value.arrayValue == nil ? "a string or a list of strings" : "a string", element)
      }
      guard !text.isEmpty, text.utf8.count <= Limits.stopBytes else {
        throw Refusal(
          .invalid, "invalid_value", "Invalid '\(name)': a stop text has 1 to \(Limits.stopBytes) bytes.",
          parameter: name)
      }
      stops.append(text)
    }
    return stops
  }
}
