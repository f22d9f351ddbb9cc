/// The form of an endpoint's answers, whole or as the events of a stream, for one request.
///
/// Each function returns what is to be written at its moment, which may be nothing. `choice` is as it was before the
/// event, except in `finish`.
protocol AnswerShape {
  func whole(_ choices: [Choice], _ usage: Usage) -> JSONValue
  /// A choice begins: nothing of it is known yet.
  mutating func begin(_ choice: Choice) -> [UInt8]
  mutating func text(_ piece: String, _ logprobs: [TokenLogprob], of choice: Choice) -> [UInt8]
  mutating func toolCall(_ call: ToolCall, of choice: Choice) -> [UInt8]
  mutating func finish(_ choice: Choice) -> [UInt8]
  /// All choices are complete and paid for.
  mutating func end(_ usage: Usage) -> [UInt8]
  /// The stream ends early.
  mutating func failure(_ refusal: Refusal) -> [UInt8]
}

/// One server-sent event.
enum ServerEvent {
  static func data(_ json: JSONValue) -> [UInt8] { Array("data: ".utf8) + json.encoded + Array("\n\n".utf8) }

  /// An event with a name, as the Responses API has them.
  static func named(_ name: String, _ json: JSONValue) -> [UInt8] { Array("event: \(name)\n".utf8) + data(json) }

  static let done = Array("data: [DONE]\n\n".utf8)
}

/// What is the same in every object of one answer of chat or completions.
struct AnswerEnvelope {
  let id: String
  /// Unix seconds.
  let created: UInt64
  let model: String
  /// null while the engine has not read the model's file.
  let fingerprint: JSONValue
  /// Whether every chunk has a `usage` member, null until the last.
  let includesUsage: Bool

  func object(_ type: String, _ choices: [JSONValue], usage: JSONValue?) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("id", .string(id)), .init("object", .string(type)), .init("created", .integer(created)),
      .init("model", .string(model)), .init("choices", .array(choices)),
    ]
    if let usage { members.append(.init("usage", usage)) }
    members.append(.init("system_fingerprint", fingerprint))
    return .object(members)
  }

  func chunk(_ type: String, _ choices: [JSONValue], usage: JSONValue? = nil) -> [UInt8] {
    ServerEvent.data(object(type, choices, usage: usage ?? (includesUsage ? .null : nil)))
  }

  /// A choice; the receipt, which only this node's clients ask for, comes last.
  static func choice(_ members: [JSONValue.Member], receipt: JSONValue?) -> JSONValue {
    .object(members + (receipt.map { [.init("receipt", $0)] } ?? []))
  }
}

extension JSONValue {
  /// A text, or null where there is none.
  static func string(orNull text: String?) -> JSONValue { text.map { .string($0) } ?? .null }
}
