extension Gateway {
  /// Answers with vectors; every token that was read is paid for.
  func embed(
    _ request: EmbeddingRequest, _ key: KeyHash, _ surroundings: some Surroundings, _ responder: Responder,
    _ summary: inout Summary, payment: [UInt8]?, keep: (AnswerCache.Answer) -> Void
  ) throws {
    let parameters = try surroundings.parameters()
    let model = try Self.find(request.model, try surroundings.models())
    let tokens = try count(request, model, key, parameters, surroundings)
    let reservation = try meter.reserve(
      key,
      Meter.Demand(
        price: try surroundings.price(), promptTokens: tokens, completion: 0, leastCompletion: 0, request: payment))
    var delivered = TokenCounts()
    defer {
      summary.tokens = delivered
      summary.charged = meter.charge(reservation, delivered, request: payment)
    }
    let embeddings: Embeddings
    do { embeddings = try surroundings.embed(request, caller: key.id) } catch {
      if surroundings.isCancelled { throw Responder.Gone() }
      throw error
    }
    guard embeddings.vectors.count == request.inputs.count else {
      throw Refusal(.internalFault, "bad_answer", "The engine gave another number of vectors than of texts.")
    }
    let read = TokenCounts(prompt: embeddings.promptTokens)
    let body = embeddings.answer(request, model: model.id).encoded
    let charged = meter.owed(reservation, read)
    try responder.send(200, body, [.init("x-symbolon-charged", .string(String(charged.micro)))])
    if surroundings.isCancelled { throw Responder.Gone() }
    delivered = read
    keep(AnswerCache.Answer(body: body, headers: []))
  }

  private func count(
    _ request: EmbeddingRequest, _ model: Model, _ key: KeyHash, _ parameters: Parameters,
    _ surroundings: some Surroundings
  ) throws -> UInt64 {
    var total: UInt64 = 0
    for (index, input) in request.inputs.enumerated() {
      let tokens = try surroundings.count(
        EngineRequest(
          model: request.model, prompt: .text(input), maximumTokens: 1, temperature: parameters.temperature,
          sampling: Sampling(), form: AnswerForm(), wantsReceipt: false, caller: key.id))
      guard tokens <= model.contextLength else {
        throw Refusal(
          .invalid, "context_length_exceeded",
          "This model's maximum context length is \(model.contextLength) tokens. However, you requested \(tokens) "
            + "tokens. Please reduce the length of the input.",
          parameter: request.inputs.count == 1 ? "input" : "input[\(index)]")
      }
      total += tokens
    }
    return total
  }
}
