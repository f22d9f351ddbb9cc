/// What the engine tells about an answer while it comes.
package enum GenerationEvent: Equatable, Sendable {
  /// The prompt has been read; `cachedTokens` of it were known from before.
  case start(promptTokens: Int, cachedTokens: Int = 0)
  /// More text; `tokens` is how many tokens the answer has so far. Log-probabilities come if the request wants them.
  case text(String, tokens: Int, logprobs: [TokenLogprob]? = nil)
  /// The model asks for a call of a tool: complete, once each, `arguments` as JSON text.
  case toolCall(index: Int, id: String, name: String, arguments: String)
  /// The answer is complete; the receipt is JSON text.
  case end(
    FinishReason, promptTokens: Int, completionTokens: Int, cachedTokens: Int = 0, receipt: String? = nil)

  /// Why an answer ended.
  package enum FinishReason: String, Sendable {
    /// The model ended it, a stop string came, or the grammar allows nothing more.
    case stop
    /// As many tokens as allowed.
    case length
    /// The model ended it after asking for calls.
    case toolCalls = "tool_calls"
  }

  /// A token, and how likely it was among all tokens before any parameter of the request changed that.
  package struct Candidate: Equatable, Sendable {
    package let token: Int32
    /// The bytes of its text; none for a control token.
    package let bytes: [UInt8]
    /// Natural logarithm of its probability.
    package let logprob: Double

    package init(token: Int32, bytes: [UInt8], logprob: Double) {
      self.token = token
      self.bytes = bytes
      self.logprob = logprob
    }

    fileprivate func write(into json: inout [UInt8]) {
      json += "\"token\":".utf8
      JSONValue.quote(String(decoding: bytes, as: UTF8.self), into: &json)
      json += ",\"bytes\":[\(bytes.map(String.init).joined(separator: ","))],\"logprob\":\(logprob)".utf8
    }
  }

  /// The token that was chosen, and the most likely ones at its place.
  package struct TokenLogprob: Equatable, Sendable {
    package let chosen: Candidate
    /// By descending probability.
    package let top: [Candidate]

    package init(chosen: Candidate, top: [Candidate]) {
      self.chosen = chosen
      self.top = top
    }
  }

  /// The JSON form.
  package var json: String {
    var json: [UInt8] = []
    switch self {
    case .start(let prompt, let cached):
      json += "{\"type\":\"start\",\"prompt_tokens\":\(prompt),\"cached_tokens\":\(cached)}".utf8
    case .text(let text, let tokens, let logprobs):
      json += "{\"type\":\"text\",\"text\":".utf8
      JSONValue.quote(text, into: &json)
      json += ",\"tokens\":\(tokens)".utf8
      if let logprobs { Self.write(logprobs, into: &json) }
      json.append(UInt8(ascii: "}"))
    case .toolCall(let index, let id, let name, let arguments):
      json += "{\"type\":\"tool_call\",\"index\":\(index)".utf8
      for (member, value) in [("id", id), ("name", name), ("arguments", arguments)] {
        json += ",\"\(member)\":".utf8
        JSONValue.quote(value, into: &json)
      }
      json.append(UInt8(ascii: "}"))
    case .end(let reason, let prompt, let completion, let cached, let receipt):
      json +=
        "{\"type\":\"end\",\"finish_reason\":\"\(reason.rawValue)\",\"prompt_tokens\":\(prompt),".utf8
      json += "\"completion_tokens\":\(completion),\"cached_tokens\":\(cached)".utf8
      if let receipt { json += ",\"receipt\":\(receipt)".utf8 }
      json.append(UInt8(ascii: "}"))
    }
    return String(decoding: json, as: UTF8.self)
  }

  private static func write(_ logprobs: [TokenLogprob], into json: inout [UInt8]) {
    json += ",\"logprobs\":[".utf8
    for (index, entry) in logprobs.enumerated() {
      json += (index > 0 ? ",{" : "{").utf8
      entry.chosen.write(into: &json)
      json += ",\"top\":[".utf8
      for (index, candidate) in entry.top.enumerated() {
        json += (index > 0 ? ",{" : "{").utf8
        candidate.write(into: &json)
        json.append(UInt8(ascii: "}"))
      }
      json += "]}".utf8
    }
    json.append(UInt8(ascii: "]"))
  }
}
