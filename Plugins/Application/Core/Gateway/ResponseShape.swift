/// `/v1/responses`: one answer as a list of items, or as numbered events that build the list.
struct ResponseShape: AnswerShape {
  /// Digits that the ids of the response and of its items have in common.
  let id: String
  /// Unix seconds.
  let created: UInt64
  let model: String
  let fingerprint: JSONValue
  let temperature: Double
  let topP: Double
  /// Members that repeat the request's.
  let repeated: [JSONValue.Member]
  private var sequence = 0
  /// Items that are complete.
  private var output: [JSONValue] = []
  /// The message that is being written.
  private var open: (text: String, logprobs: [TokenLogprob])?
  /// The choice, once it is complete.
  private var finished: Choice?

  init(
    id: String, created: UInt64, model: String, fingerprint: JSONValue, engine: EngineRequest,
    repeated: [JSONValue.Member]
  ) {
    (self.id, self.created, self.model, self.fingerprint) = (id, created, model, fingerprint)
    (temperature, topP) = (engine.temperature, engine.sampling.topP ?? 1)
    self.repeated = repeated
  }

  // MARK: Objects

  /// The id of an item, by its kind and its place in the output.
  private func itemID(_ kind: String, _ number: Int) -> JSONValue {
    .string("\(kind)_\(id)" + Hex.string([UInt8(truncatingIfNeeded: number)]))
  }

  private func message(_ content: [JSONValue], number: Int, status: String) -> JSONValue {
    [
      "id": itemID("msg", number), "type": "message", "status": .string(status), "role": "assistant",
      "content": .array(content),
    ]
  }

  private func part(_ text: String, _ logprobs: [TokenLogprob]) -> JSONValue {
    [
      "type": "output_text", "text": .string(text), "annotations": [], "logprobs": .array(logprobs.map(\.json)),
    ]
  }

  private func call(_ call: ToolCall, number: Int, isComplete: Bool) -> JSONValue {
    [
      "id": itemID("fc", number), "type": "function_call", "status": isComplete ? "completed" : "in_progress",
      "call_id": .string(call.id), "name": .string(call.name),
      "arguments": .string(isComplete ? call.arguments : ""),
    ]
  }

  private func response(
    _ status: String, _ output: [JSONValue], usage: JSONValue = .null, incomplete: JSONValue = .null,
    error: JSONValue = .null, receipt: JSONValue? = nil
  ) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("id", .string("resp_\(id)")), .init("object", "response"), .init("created_at", .integer(created)),
      .init("status", .string(status)), .init("background", false), .init("error", error),
      .init("incomplete_details", incomplete), .init("model", .string(model)), .init("output", .array(output)),
      .init("previous_response_id", .null), .init("reasoning", ["effort": .null, "summary": .null]),
      .init("service_tier", "default"), .init("store", false), .init("temperature", .number("\(temperature)")),
      .init("top_p", .number("\(topP)")), .init("truncation", "disabled"), .init("usage", usage),
      .init("system_fingerprint", fingerprint),
    ]
    members += repeated
    if let receipt { members.append(.init("receipt", receipt)) }
    return .object(members)
  }

  /// The finished response: incomplete when the tokens ran out.
  private func response(of choice: Choice, _ output: [JSONValue], _ usage: Usage) -> JSONValue {
    let isCut = choice.finishReason == "length"
    return response(
      isCut ? "incomplete" : "completed", output, usage: usage.responseJSON,
      incomplete: isCut ? ["reason": "max_output_tokens"] : .null, receipt: choice.receipt)
  }

  func whole(_ choices: [Choice], _ usage: Usage) -> JSONValue {
    guard let choice = choices.first else { return .null }
    var output: [JSONValue] = []
    if !choice.text.isEmpty || choice.toolCalls.isEmpty {
      let status = choice.finishReason == "length" ? "incomplete" : "completed"
      output.append(message([part(choice.text, choice.logprobs)], number: 0, status: status))
    }
    for call in choice.toolCalls { output.append(self.call(call, number: output.count, isComplete: true)) }
    return response(of: choice, output, usage)
  }

  // MARK: Events

  private mutating func event(_ type: String, _ members: [JSONValue.Member]) -> [UInt8] {
    defer { sequence += 1 }
    return ServerEvent.named(
      type, .object([.init("type", .string(type)), .init("sequence_number", .integer(sequence))] + members))
  }

  private func place(inMessage: Bool = true) -> [JSONValue.Member] {
    let number = output.count
    let item: [JSONValue.Member] = [
      .init("item_id", inMessage ? itemID("msg", number) : itemID("fc", number)),
      .init("output_index", .integer(number)),
    ]
    return item + (inMessage ? [.init("content_index", 0)] : [])
  }

  mutating func begin(_ choice: Choice) -> [UInt8] {
    let started = response("in_progress", [])
    return event("response.created", [.init("response", started)])
      + event("response.in_progress", [.init("response", started)])
  }

  private mutating func openMessage() -> [UInt8] {
    open = ("", [])
    let item = message([], number: output.count, status: "in_progress")
    return event(
      "response.output_item.added", [.init("output_index", .integer(output.count)), .init("item", item)])
      + event("response.content_part.added", place() + [.init("part", part("", []))])
  }

  private mutating func closeMessage(_ choice: Choice) -> [UInt8] {
    let (text, logprobs) = open ?? ("", [])
    open = nil
    let part = part(text, logprobs)
    let item = message(
      [part], number: output.count, status: choice.finishReason == "length" ? "incomplete" : "completed")
    let done: [JSONValue.Member] = [
      .init("text", .string(text)), .init("logprobs", .array(logprobs.map(\.json))),
    ]
    let bytes =
      event("response.output_text.done", place() + done)
      + event("response.content_part.done", place() + [.init("part", part)])
      + event("response.output_item.done", [.init("output_index", .integer(output.count)), .init("item", item)])
    output.append(item)
    return bytes
  }

  mutating func text(_ piece: String, _ logprobs: [TokenLogprob], of choice: Choice) -> [UInt8] {
    let opening = open == nil ? openMessage() : []
    open?.text += piece
    open?.logprobs += logprobs
    return opening
      + event(
        "response.output_text.delta",
        place() + [.init("delta", .string(piece)), .init("logprobs", .array(logprobs.map(\.json)))])
  }

  mutating func toolCall(_ call: ToolCall, of choice: Choice) -> [UInt8] {
    var bytes = open == nil ? [] : closeMessage(choice)
    let number = output.count
    let index = JSONValue.Member("output_index", .integer(number))
    let item = self.call(call, number: number, isComplete: true)
    let place = place(inMessage: false)
    bytes += event(
      "response.output_item.added", [index, .init("item", self.call(call, number: number, isComplete: false))])
    bytes += event(
      "response.function_call_arguments.delta", place + [.init("delta", .string(call.arguments))])
    bytes += event(
      "response.function_call_arguments.done",
      place + [.init("name", .string(call.name)), .init("arguments", .string(call.arguments))])
    bytes += event("response.output_item.done", [index, .init("item", item)])
    output.append(item)
    return bytes
  }

  mutating func finish(_ choice: Choice) -> [UInt8] {
    finished = choice
    if open != nil { return closeMessage(choice) }
    return output.isEmpty ? openMessage() + closeMessage(choice) : []
  }

  mutating func end(_ usage: Usage) -> [UInt8] {
    guard let finished else { return [] }
    let type = finished.finishReason == "length" ? "response.incomplete" : "response.completed"
    return event(type, [.init("response", response(of: finished, output, usage))])
  }

  /// The event that clients raise an error for, and the response's own end.
  mutating func failure(_ refusal: Refusal) -> [UInt8] {
    let error: JSONValue = [
      "code": .string(refusal.code ?? "server_error"), "message": .string(refusal.message),
    ]
    let members: [JSONValue.Member] = [
      .init("code", .string(orNull: refusal.code)), .init("message", .string(refusal.message)),
      .init("param", .string(orNull: refusal.parameter)), .init("error", refusal.wire["error"] ?? .null),
    ]
    return event("error", members)
      + event("response.failed", [.init("response", response("failed", output, error: error))])
  }
}
