/// A token of an answer, how likely it was, and the most likely ones at its place.
package struct TokenLogprob: Equatable, Sendable {
  /// One token.
  package struct Candidate: Equatable, Sendable {
    /// Its text; a part of a character is shown as U+FFFD.
    package var text: String
    package var bytes: [UInt8]
    /// Natural logarithm of its probability, as a JSON number.
    package var logprob: String

    package init(text: String, bytes: [UInt8], logprob: String) {
      self.text = text
      self.bytes = bytes
      self.logprob = logprob
    }

    fileprivate init?(_ json: JSONValue) {
      guard let text = json["token"]?.stringValue, case .number(let logprob)? = json["logprob"],
        let list = json["bytes"]?.arrayValue
      else { return nil }
      self.init(text: text, bytes: list.compactMap { $0.unsignedValue.flatMap(UInt8.init(exactly:)) }, logprob: logprob)
    }

    fileprivate var members: [JSONValue.Member] {
      [
        .init("token", .string(text)), .init("logprob", .number(logprob)),
        .init("bytes", .array(bytes.map { .integer($0) })),
      ]
    }

    /// The token as completions show it, where no bytes stand beside it: what is no whole text is written out.
    var legacyText: String {
      guard String(validating: bytes, as: UTF8.self) == nil else { return text }
      return "bytes:" + bytes.map { "\\x" + Hex.string([$0]) }.joined()
    }
  }

  package var chosen: Candidate
  /// By descending probability.
  package var top: [Candidate]

  package init(chosen: Candidate, top: [Candidate]) {
    self.chosen = chosen
    self.top = top
  }

  fileprivate init?(_ json: JSONValue) {
    guard let chosen = Candidate(json) else { return nil }
    self.init(chosen: chosen, top: (json["top"]?.arrayValue ?? []).compactMap(Candidate.init))
  }

  /// The entry as chat and responses show it.
  var json: JSONValue {
    .object(chosen.members + [.init("top_logprobs", .array(top.map { .object($0.members) }))])
  }
}

/// What the engine says while it generates.
package enum EngineEvent: Equatable, Sendable {
  case start(promptTokens: UInt64, cachedTokens: UInt64 = 0)
  /// A piece of text, and how many tokens were generated up to its end.
  case text(String, tokens: UInt64, logprobs: [TokenLogprob] = [])
  /// A complete call.
  case toolCall(ToolCall)
  case end(finishReason: String, tokens: TokenCounts, cachedTokens: UInt64 = 0, receipt: JSONValue? = nil)

  /// Reads an event of `inference.generate`; nil when it is none of these.
  package init?(_ json: JSONValue) {
    let cached = json["cached_tokens"]?.unsignedValue ?? 0
    switch json["type"]?.stringValue {
    case "start":
      guard let tokens = json["prompt_tokens"]?.unsignedValue else { return nil }
      self = .start(promptTokens: tokens, cachedTokens: cached)
    case "text":
      guard let text = json["text"]?.stringValue, let tokens = json["tokens"]?.unsignedValue else { return nil }
      self = .text(text, tokens: tokens, logprobs: (json["logprobs"]?.arrayValue ?? []).compactMap(TokenLogprob.init))
    case "tool_call":
      guard let id = json["id"]?.stringValue, let name = json["name"]?.stringValue,
        let arguments = json["arguments"]?.stringValue
      else { return nil }
      self = .toolCall(ToolCall(id: id, name: name, arguments: arguments))
    case "end":
      guard let reason = json["finish_reason"]?.stringValue, let prompt = json["prompt_tokens"]?.unsignedValue,
        let completion = json["completion_tokens"]?.unsignedValue
      else { return nil }
      self = .end(
        finishReason: reason, tokens: TokenCounts(prompt: prompt, completion: completion), cachedTokens: cached,
        receipt: json["receipt"])
    default: return nil
    }
  }
}
