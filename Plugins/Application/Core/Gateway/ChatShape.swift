/// `/v1/chat/completions`: messages, or deltas of them.
struct ChatShape: AnswerShape {
  let envelope: AnswerEnvelope
  let tellsLogprobs: Bool

  private static let chunk = "chat.completion.chunk"

  private func logprobs(_ entries: [TokenLogprob]) -> JSONValue {
    tellsLogprobs ? ["content": .array(entries.map(\.json)), "refusal": .null] : .null
  }

  func whole(_ choices: [Choice], _ usage: Usage) -> JSONValue {
    let written = choices.map { choice in
      // An answer that only calls tools has no content, as clients expect.
      let isCall = !choice.toolCalls.isEmpty
      var message: [JSONValue.Member] = [
        .init("role", "assistant"), .init("content", isCall && choice.text.isEmpty ? .null : .string(choice.text)),
        .init("refusal", .null), .init("annotations", []),
      ]
      if isCall { message.append(.init("tool_calls", .array(choice.toolCalls.map(\.json)))) }
      return AnswerEnvelope.choice(
        [
          .init("index", .integer(choice.index)), .init("message", .object(message)),
          .init("logprobs", logprobs(choice.logprobs)), .init("finish_reason", .string(orNull: choice.finishReason)),
        ], receipt: choice.receipt)
    }
    return envelope.object("chat.completion", written, usage: usage.json)
  }

  private func chunk(_ delta: JSONValue, of choice: Choice, logprobs: JSONValue = .null) -> [UInt8] {
    let written = AnswerEnvelope.choice(
      [
        .init("index", .integer(choice.index)), .init("delta", delta), .init("logprobs", logprobs),
        .init("finish_reason", .string(orNull: choice.finishReason)),
      ], receipt: choice.receipt)
    return envelope.chunk(Self.chunk, [written])
  }

  /// Says who speaks.
  func begin(_ choice: Choice) -> [UInt8] {
    chunk(["role": "assistant", "content": "", "refusal": .null], of: choice)
  }

  func text(_ piece: String, _ logprobs: [TokenLogprob], of choice: Choice) -> [UInt8] {
    chunk(["content": .string(piece)], of: choice, logprobs: self.logprobs(logprobs))
  }

  func toolCall(_ call: ToolCall, of choice: Choice) -> [UInt8] {
    guard case .object(let members) = call.json else { return [] }
    let number: [JSONValue.Member] = [.init("index", .integer(choice.toolCalls.count))]
    return chunk(["tool_calls": [.object(number + members)]], of: choice)
  }

  func finish(_ choice: Choice) -> [UInt8] { chunk(.object([]), of: choice) }

  /// With `include_usage` a chunk without choices, and the end.
  func end(_ usage: Usage) -> [UInt8] {
    (envelope.includesUsage ? envelope.chunk(Self.chunk, [], usage: usage.json) : []) + ServerEvent.done
  }

  func failure(_ refusal: Refusal) -> [UInt8] { ServerEvent.data(refusal.wire) }
}
