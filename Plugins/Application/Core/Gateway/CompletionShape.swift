/// `/v1/completions`: texts, or pieces of them.
struct CompletionShape: AnswerShape {
  let envelope: AnswerEnvelope
  /// How many alternatives are told with each token; nil tells no log-probabilities.
  let alternatives: UInt64?
  /// What each choice begins with, by prompt; empty when nothing is echoed.
  let echoes: [String]
  /// Characters of each choice so far, for a stream's offsets.
  private var offsets: [Int: Int] = [:]

  private static let type = "text_completion"

  init(envelope: AnswerEnvelope, alternatives: UInt64?, echoes: [String]) {
    self.envelope = envelope
    self.alternatives = alternatives
    self.echoes = echoes
  }

  private func echo(of choice: Choice) -> String {
    echoes.indices.contains(choice.prompt) ? echoes[choice.prompt] : ""
  }

  /// Four lists with one element a token; offsets count the characters before it.
  private func logprobs(_ entries: [TokenLogprob], from offset: inout Int) -> JSONValue {
    guard let alternatives else { return .null }
    var offsets: [JSONValue] = []
    for entry in entries {
      offsets.append(.integer(offset))
      // A character counts with its first byte.
      offset += entry.chosen.bytes.count { $0 & 0xC0 != 0x80 }
    }
    let top: [JSONValue] = entries.map { entry in
      var members: [JSONValue.Member] = []
      for candidate in entry.top + [entry.chosen] where !members.contains(where: { $0.name == candidate.legacyText }) {
        members.append(.init(candidate.legacyText, .number(candidate.logprob)))
      }
      return .object(members)
    }
    return [
      "tokens": .array(entries.map { .string($0.chosen.legacyText) }),
      "token_logprobs": .array(entries.map { .number($0.chosen.logprob) }),
      "top_logprobs": alternatives > 0 ? .array(top) : .null, "text_offset": .array(offsets),
    ]
  }

  private func choice(_ choice: Choice, _ text: String, _ logprobs: JSONValue) -> JSONValue {
    AnswerEnvelope.choice(
      [
        .init("text", .string(text)), .init("index", .integer(choice.index)), .init("logprobs", logprobs),
        .init("finish_reason", .string(orNull: choice.finishReason)),
      ], receipt: choice.receipt)
  }

  func whole(_ choices: [Choice], _ usage: Usage) -> JSONValue {
    let written = choices.map { each in
      var offset = 0
      return choice(each, echo(of: each) + each.text, logprobs(each.logprobs, from: &offset))
    }
    return envelope.object(Self.type, written, usage: usage.json)
  }

  func begin(_ choice: Choice) -> [UInt8] {
    let echo = echo(of: choice)
    return echo.isEmpty ? [] : envelope.chunk(Self.type, [self.choice(choice, echo, .null)])
  }

  mutating func text(_ piece: String, _ logprobs: [TokenLogprob], of choice: Choice) -> [UInt8] {
    var offset = offsets[choice.index, default: 0]
    let told = self.logprobs(logprobs, from: &offset)
    offsets[choice.index] = offset
    return envelope.chunk(Self.type, [self.choice(choice, piece, told)])
  }

  /// A completion has no tools.
  func toolCall(_ call: ToolCall, of choice: Choice) -> [UInt8] { [] }

  func finish(_ choice: Choice) -> [UInt8] { envelope.chunk(Self.type, [self.choice(choice, "", .null)]) }

  func end(_ usage: Usage) -> [UInt8] {
    (envelope.includesUsage ? envelope.chunk(Self.type, [], usage: usage.json) : []) + ServerEvent.done
  }

  func failure(_ refusal: Refusal) -> [UInt8] { ServerEvent.data(refusal.wire) }
}
