extension Gateway {
  /// The completion that a client gets at least when it named no maximum and its balance is low.
  private static let leastDefaultTokens: UInt64 = 16

  /// A checked request with everything that answering it needs.
  struct Work {
    var request: AnswerRequest
    var key: KeyHash
    var engine: EngineRequest
    var shape: AnswerShape
    var reservation: Meter.Reservation
    /// Name of the request in the journal, if it carried an `Idempotency-Key`.
    var paymentID: [UInt8]?
  }

  /// Answers a chat or a completion.
  func answer(
    _ request: HTTPRequest, _ surroundings: some Surroundings, _ responder: Responder, _ summary: inout Summary
  ) throws {
    let key = try bearer(request)
    summary.key = key.id
    let standing = try meter.admit(key)
    defer { meter.leave(key) }
    responder.headers += Self.headers(standing)
    let answerRequest =
      request.resource == "/v1/completions"
      ? try AnswerRequest.completion(request.body) : try AnswerRequest.chat(request.body)
    summary.model = String(answerRequest.model.prefix(128))
    guard let repeatKey = request[header: "idempotency-key"] else {
      return try serve(answerRequest, key, surroundings, responder, &summary, payment: nil, keep: { _ in })
    }
    let (id, payment, fingerprint) = try Self.identify(repeatKey, key, request.body)
    if let kept = try cache.begin(id, fingerprint: fingerprint, now: clock.unixMilliseconds()) {
      responder.headers.append(.init("idempotent-replayed", "true"))
      return try responder.send(200, kept.body, kept.headers + [.init("x-symbolon-charged", "0")])
    }
    var answer: AnswerCache.Answer?
    defer { cache.finish(id, answer) }
    try serve(answerRequest, key, surroundings, responder, &summary, payment: payment, keep: { answer = $0 })
  }

  private static func headers(_ standing: RateStanding) -> [JSONValue.Member] {
    [
      .init("x-ratelimit-limit-requests", .string(String(standing.limit))),
      .init("x-ratelimit-remaining-requests", .string(String(standing.remaining))),
      .init("x-ratelimit-reset-requests", .string("\(standing.resetMilliseconds)ms")),
    ]
  }

  /// Names a repeatable request: for the cache by key and header, in the journal by these and the body.
  private static func identify(
    _ header: String, _ key: KeyHash, _ body: [UInt8]
  ) throws(Refusal) -> (cache: [UInt8], payment: [UInt8], fingerprint: [UInt8]) {
    guard !header.isEmpty, header.utf8.count <= Limits.labelBytes else {
      throw Refusal(
        .invalid, "invalid_idempotency_key", "An Idempotency-Key has 1 to \(Limits.labelBytes) bytes.",
        parameter: "Idempotency-Key")
    }
    let fingerprint = SHA256.hash(body)
    let name = SHA256.hash(key.bytes + Array(header.utf8))
    return (Array(name.prefix(16)), Array(SHA256.hash(name + fingerprint).prefix(16)), fingerprint)
  }

  /// Reserves, generates, delivers and charges.
  private func serve(
    _ request: AnswerRequest, _ key: KeyHash, _ surroundings: some Surroundings, _ responder: Responder,
    _ summary: inout Summary, payment: [UInt8]?, keep: (AnswerCache.Answer) -> Void
  ) throws {
    let parameters = try surroundings.parameters()
    let model = try Self.find(request.model, try surroundings.models())
    responder.headers.append(.init("x-symbolon-params", .string(parameters.hash)))
    var engine = Self.compose(request, parameters)
    let prompt = try surroundings.count(engine)
    let demand = try demand(request, parameters, model, prompt: prompt, price: surroundings.price(), payment)
    let reservation = try meter.reserve(key, demand)
    engine.maximumTokens = reservation.maximumCompletion
    let name = (request.endpoint == .chat ? "chatcmpl-" : "cmpl-") + Hex.string(random(12))
    let shape = AnswerShape(
      endpoint: request.endpoint, id: name, created: clock.unixMilliseconds() / 1000, model: model.id,
      fingerprint: Self.fingerprint(model, parameters), includesUsage: request.includesUsage)
    let work = Work(
      request: request, key: key, engine: engine, shape: shape, reservation: reservation, paymentID: payment)
    if request.isStreamed {
      try stream(work, surroundings, responder, &summary)
    } else {
      try whole(work, surroundings, responder, &summary, keep)
    }
  }

  /// Fills in the parameters in force; governance's system prompt always comes first.
  private static func compose(_ request: AnswerRequest, _ parameters: Parameters) -> EngineRequest {
    var prompt = request.prompt
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
      temperature: request.sampling.temperature ?? parameters.temperature, sampling: request.sampling)
  }

  private func demand(
    _ request: AnswerRequest, _ parameters: Parameters, _ model: Model, prompt: UInt64, price: Price,
    _ payment: [UInt8]?
  ) throws(Refusal) -> Meter.Demand {
    let wanted = request.maximumTokens ?? 1
    guard prompt < model.contextLength, wanted <= model.contextLength - prompt else {
      let promptName = request.endpoint == .chat ? "messages" : "prompt"
      throw Refusal(
        .invalid, "context_length_exceeded",
        "This model's maximum context length is \(model.contextLength) tokens. However, you requested "
          + "\(prompt + wanted) tokens (\(prompt) in the \(promptName), \(wanted) in the completion). "
          + "Please reduce the length of the \(promptName) or `\(request.maximumTokensName)`.",
        parameter: prompt < model.contextLength ? request.maximumTokensName : promptName)
    }
    let completion = request.maximumTokens ?? max(1, min(parameters.maximumTokens, model.contextLength - prompt))
    return Meter.Demand(
      price: price, promptTokens: prompt, completion: completion,
      leastCompletion: request.maximumTokens ?? Self.leastDefaultTokens, request: payment)
  }

  /// Stops a generation that nobody will read or pay for.
  private func checkStillWanted(_ work: Work, _ surroundings: some Surroundings, _ responder: Responder) throws {
    if surroundings.isCancelled || responder.isGone { throw Responder.Gone() }
    guard meter.isOpen(work.key) else {
      throw Refusal(.unauthenticated, "invalid_api_key", "This ticket key was revoked while it was answered.")
    }
  }

  private func whole(
    _ work: Work, _ surroundings: some Surroundings, _ responder: Responder, _ summary: inout Summary,
    _ keep: (AnswerCache.Answer) -> Void
  ) throws {
    var delivered = TokenCounts()
    defer {
      summary.tokens = delivered
      summary.charged = meter.charge(work.reservation, delivered, request: work.paymentID)
      try? meter.commit()
    }
    var text = ""
    var result: (reason: String, tokens: TokenCounts)?
    try generate(work, surroundings, responder) { event in
      switch event {
      case .start: break
      case .text(let piece, _): text += piece
      case .end(let reason, let tokens): result = (reason, tokens)
      }
    }
    guard let result else {
      throw Refusal(.internalFault, "engine_stopped", "The engine stopped before the answer was complete. Try again.")
    }
    let body = work.shape.whole(text, finishReason: result.reason, tokens: result.tokens).encoded
    let charged = meter.owed(work.reservation, result.tokens)
    try responder.send(200, body, [.init("x-symbolon-charged", .string(String(charged.micro)))])
    if surroundings.isCancelled { throw Responder.Gone() }
    delivered = result.tokens
    keep(AnswerCache.Answer(body: body, headers: []))
  }

  private func stream(
    _ work: Work, _ surroundings: some Surroundings, _ responder: Responder, _ summary: inout Summary
  ) throws {
    var delivered = TokenCounts(prompt: work.reservation.promptTokens)
    var isCharged = false
    func charge(_ summary: inout Summary) {
      guard !isCharged else { return }
      isCharged = true
      summary.tokens = delivered
      summary.charged = meter.charge(work.reservation, delivered, request: work.paymentID, renewsCredit: false)
      try? meter.commit()
    }
    defer { charge(&summary) }
    var hasEnded = false
    try generate(work, surroundings, responder) { event in
      switch event {
      case .start: try open(work, responder)
      case .text(let piece, let tokens):
        if responder.status == nil { try open(work, responder) }
        guard !piece.isEmpty else { return }
        try responder.write(work.shape.text(piece))
        delivered.completion = max(delivered.completion, tokens)
      case .end(let reason, let tokens):
        if responder.status == nil { try open(work, responder) }
        try responder.write(work.shape.finish(reason))
        delivered = tokens
        if work.request.includesUsage { try responder.write(work.shape.usage(tokens)) }
        hasEnded = true
      }
    }
    guard hasEnded else {
      throw Refusal(.internalFault, "engine_stopped", "The engine stopped before the answer was complete.")
    }
    // Charged before the stream ends: a client that has read it all sees its charge.
    charge(&summary)
    try responder.write(AnswerShape.done)
  }

  private func open(_ work: Work, _ responder: Responder) throws {
    try responder.begin(
      200, "text/event-stream; charset=utf-8",
      [.init("cache-control", "no-cache"), .init("x-accel-buffering", "no")])
    if let opening = work.shape.opening { try responder.write(opening) }
  }

  private func generate(
    _ work: Work, _ surroundings: some Surroundings, _ responder: Responder, _ onEvent: (EngineEvent) throws -> Void
  ) throws {
    // The engine may turn the closure's error into its own; the first one is what happened.
    var first: (any Error)?
    do {
      try surroundings.generate(work.engine) { event in
        do {
          try checkStillWanted(work, surroundings, responder)
          try onEvent(event)
        } catch {
          first = first ?? error
          throw error
        }
      }
    } catch {
      if let first { throw first }
      if surroundings.isCancelled { throw Responder.Gone() }
      throw error
    }
    if let first { throw first }
  }
}
