/// What the engine tells about an answer while it comes.
package enum GenerationEvent: Equatable, Sendable {
  /// The prompt has been read.
  case start(promptTokens: Int)
  /// More text; `tokens` is how many tokens the answer has so far.
  case text(String, tokens: Int)
  /// The answer is complete.
  case end(FinishReason, promptTokens: Int, completionTokens: Int)

  /// Why an answer ended.
  package enum FinishReason: String, Sendable {
    /// The model ended it, or a stop string came.
    case stop
    /// As many tokens as allowed.
    case length
  }

  /// The JSON form.
  package var json: String {
    switch self {
    case .start(let promptTokens): "{\"type\":\"start\",\"prompt_tokens\":\(promptTokens)}"
    case .text(let text, let tokens): "{\"type\":\"text\",\"text\":\(Self.quoted(text)),\"tokens\":\(tokens)}"
    case .end(let reason, let promptTokens, let completionTokens):
      "{\"type\":\"end\",\"finish_reason\":\"\(reason.rawValue)\",\"prompt_tokens\":\(promptTokens),"
        + "\"completion_tokens\":\(completionTokens)}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
