extension Gateway {
  /// The completion that a client gets at least when it named no maximum and its balance is low.
  private static let leastDefaultTokens: UInt64 = 16

  /// Fills in what the client left open, counts the prompts and reserves what the answers can cost.
  func prepare(
    _ request: AnswerRequest, _ key: KeyHash, _ model: Model, _ parameters: Parameters,
    _ surroundings: some Surroundings, payment: [UInt8]?
  ) throws -> Work {
    var prompts: UInt64 = 0
    var most = UInt64.max
    let composed = request.prompts.map { Self.compose(request, $0, key, parameters) }
    for engine in composed {
      let tokens = try surroundings.count(engine)
      most = min(most, try Self.completion(request, parameters, model, prompt: tokens))
      prompts += tokens
    }
    let count = UInt64(request.prompts.count * request.choices)
    let demand = Meter.Demand(
      price: try surroundings.price(), promptTokens: prompts, completion: most * count,
      leastCompletion: request.maximumTokens == nil ? min(most, Self.leastDefaultTokens) * count : most * count,
      request: payment)
    let reservation = try meter.reserve(key, demand)
    let engine = composed.flatMap { engine in
      (0..<request.choices).map { number in
        var engine = engine
        engine.maximumTokens = reservation.maximumCompletion / count
        engine.sampling = engine.sampling.forChoice(number)
        return engine
      }
    }
    return Work(request: request, key: key, engine: engine, reservation: reservation, paymentID: payment)
  }

  /// Fills in the parameters in force; governance's system prompt always comes first.
  private static func compose(
    _ request: AnswerRequest, _ prompt: Prompt, _ key: KeyHash, _ parameters: Parameters
  ) -> EngineRequest {
    var prompt = prompt
    if case .messages(var messages) = prompt, !parameters.systemPrompt.isEmpty {
      if messages.first?.role == "system" {
        // One system message, because many chat templates know only one.
        messages[0].content = parameters.systemPrompt + "\n\n" + messages[0].content
      } else {
        messages.insert(Message(role: "system", content: parameters.systemPrompt), at: 0)
      }
      prompt = .messages(messages)
    }
    return EngineRequest(
      model: request.model, prompt: prompt, maximumTokens: request.maximumTokens ?? parameters.maximumTokens,
      temperature: request.sampling.temperature ?? parameters.temperature, sampling: request.sampling,
      form: request.form, logprobs: request.logprobs, wantsReceipt: request.wantsReceipt, caller: key.id)
  }

  /// The most tokens of one answer to a prompt of so many tokens; refuses what the model's context cannot hold.
  private static func completion(
    _ request: AnswerRequest, _ parameters: Parameters, _ model: Model, prompt: UInt64
  ) throws(Refusal) -> UInt64 {
    let wanted = request.maximumTokens ?? 1
    guard prompt < model.contextLength, wanted <= model.contextLength - prompt else {
      throw Refusal(
        .invalid, "context_length_exceeded",
        "This model's maximum context length is \(model.contextLength) tokens. However, you requested "
          + "\(prompt + wanted) tokens (\(prompt) in the \(request.promptName), \(wanted) in the completion). "
          + "Please reduce the length of the \(request.promptName) or `\(request.maximumTokensName)`.",
        parameter: prompt < model.contextLength ? request.maximumTokensName : request.promptName)
    }
    return request.maximumTokens ?? max(1, min(parameters.maximumTokens, model.contextLength - prompt))
  }
}
