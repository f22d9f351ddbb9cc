extension AnswerRequest {
  /// Reads the body of `POST /v1/chat/completions`.
  package static func chat(_ body: [UInt8]) throws(Refusal) -> AnswerRequest {
    var fields = try Fields(body: body)
    let model = try fields.model()
    guard let messages = fields.take("messages") else { throw fields.missing("messages") }
    var request = AnswerRequest(endpoint: .chat, model: model, prompts: [.messages(try readMessages(messages))])
    try request.readMaximum(&fields)
    try request.readShared(&fields)
    try request.readChoices(&fields)
    try request.readChatLogprobs(&fields)
    try request.readTools(&fields)
    try request.readResponseFormat(&fields)
    try fields.refuse("functions", "use `tools`") { $0 == [] }
    try fields.refuse("function_call", "use `tool_choice`") { $0 == "none" || $0 == "auto" }
    try fields.refuse("modalities") { $0 == ["text"] }
    try fields.refuse("verbosity") { $0 == "medium" }
    try fields.refuse("reasoning_effort") { $0 == "none" }
    for name in ["audio", "prediction", "web_search_options", "moderation"] { try fields.refuse(name) }
    try fields.finish()
    return request
  }

  /// Reads the body of `POST /v1/completions`.
  package static func completion(_ body: [UInt8]) throws(Refusal) -> AnswerRequest {
    var fields = try Fields(body: body)
    let model = try fields.model()
    var request = AnswerRequest(endpoint: .completion, model: model, prompts: try readPrompts(&fields))
    request.maximumTokens = try fields.unsigned("max_tokens", 1...Limits.tokens)
    try request.readShared(&fields)
    try request.readChoices(&fields)
    request.logprobs = try fields.unsigned("logprobs", 0...Limits.completionLogprobs)
    request.isEchoed = try fields.bool("echo") ?? false
    if request.isEchoed, request.logprobs != nil {
      throw Refusal(
        .invalid, "unsupported_value",
        "This node tells no log-probabilities of the prompt: leave out 'echo' or 'logprobs'.", parameter: "echo")
    }
    try fields.refuse("suffix") { $0 == "" }
    if let best = try fields.unsigned("best_of", 1...128), best != request.choices {
      throw fields.unsupportedValue("best_of", String(best), "the value of 'n', because all choices are given")
    }
    try fields.finish()
    return request
  }

  private static func readPrompts(_ fields: inout Fields) throws(Refusal) -> [Prompt] {
    guard let prompt = fields.take("prompt") else { throw fields.missing("prompt") }
    return try texts(of: prompt, "prompt", maximum: Limits.choices).map { .text($0) }
  }

  /// A text or a list of texts; token ids are refused.
  static func texts(of value: JSONValue, _ name: String, maximum: Int) throws(Refusal) -> [String] {
    if let text = value.stringValue { return [text] }
    guard let list = value.arrayValue else {
      throw Fields.invalidType(name, "a string or an array of strings", value)
    }
    guard !list.isEmpty else {
      throw Refusal(
        .invalid, "empty_array", "Invalid '\(name)': empty array. Expected at least one text.", parameter: name)
    }
    guard list.count <= maximum else {
      throw Refusal(
        .invalid, "array_above_max_length",
        "Invalid '\(name)': expected at most \(maximum) texts, but got \(list.count).", parameter: name)
    }
    var texts: [String] = []
    for (index, element) in list.enumerated() {
      guard let text = element.stringValue else {
        switch element {
        case .number, .array:
          throw Refusal(
            .invalid, "unsupported_value",
            "This node takes '\(name)' as text, not as token ids: whose tokenizer made them it cannot know.",
            parameter: name)
        default: throw Fields.invalidType("\(name)[\(index)]", "a string", element)
        }
      }
      texts.append(text)
    }
    return texts
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

  /// Reads what all endpoints that answer have in common.
  mutating func readShared(_ fields: inout Fields) throws(Refusal) {
    sampling.temperature = try fields.decimal("temperature", 0...2)
    sampling.topP = try fields.decimal("top_p", 0...1)
    sampling.topK = try fields.unsigned("top_k", 0...Limits.topK)
    sampling.minP = try fields.decimal("min_p", 0...1)
    sampling.typicalP = try fields.decimal("typical_p", 0...1)
    sampling.presencePenalty = try fields.decimal("presence_penalty", -2...2)
    sampling.frequencyPenalty = try fields.decimal("frequency_penalty", -2...2)
    sampling.repetitionPenalty = try fields.decimal("repetition_penalty", 0.01...2)
    sampling.seed = try fields.signed("seed")
    sampling.stop = try Self.readStop(&fields)
    sampling.bias = try Self.readBias(&fields)
    wantsReceipt = try fields.bool("receipt") ?? false
    isStreamed = try fields.bool("stream") ?? false
    try readStreamOptions(&fields)
    try fields.refuse("service_tier") { $0 == "auto" || $0 == "default" }
    _ = try fields.bool("store")  // Nothing is stored, whatever it says.
    try fields.ignoreLabels()
  }

  /// Reads how many answers are wanted.
  private mutating func readChoices(_ fields: inout Fields) throws(Refusal) {
    let most = UInt64(Limits.choices)
    choices = Int(try fields.unsigned("n", 1...most) ?? 1)
    guard choices * prompts.count <= Limits.choices else {
      throw Refusal(
        .invalid, "invalid_value",
        "A request has at most \(most) answers, and \(prompts.count) prompts with 'n' of \(choices) are more.",
        parameter: "n")
    }
  }

  private mutating func readChatLogprobs(_ fields: inout Fields) throws(Refusal) {
    let isWanted = try fields.bool("logprobs") ?? false
    let top = try fields.unsigned("top_logprobs", 0...Limits.chatLogprobs)
    guard isWanted else {
      guard top ?? 0 == 0 else {
        throw Refusal(
          .invalid, "invalid_value", "The 'top_logprobs' parameter is only allowed when 'logprobs' is true.",
          parameter: "top_logprobs")
      }
      return
    }
    logprobs = top ?? 0
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

  private static func readBias(_ fields: inout Fields) throws(Refusal) -> [JSONValue.Member] {
    guard let value = fields.take("logit_bias") else { return [] }
    guard case .object(let members) = value else { throw Fields.invalidType("logit_bias", "an object", value) }
    guard members.count <= Limits.biases else {
      throw Refusal(
        .invalid, "object_above_max_properties",
        "Invalid 'logit_bias': expected at most \(Limits.biases) tokens, but got \(members.count).",
        parameter: "logit_bias")
    }
    var biases = try Fields(value, path: "logit_bias.")
    for member in members {
      guard let token = Int32(member.name), token >= 0, String(token) == member.name else {
        throw Refusal(
          .invalid, "invalid_value",
          "Invalid key in 'logit_bias': \(member.name.prefix(32)). You should only be submitting non-negative integers.",
          parameter: "logit_bias")
      }
      _ = try biases.decimal(member.name, -100...100)
    }
    return members.filter { $0.value != .null }
  }
}
