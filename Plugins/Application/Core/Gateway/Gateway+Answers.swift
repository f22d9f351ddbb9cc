extension Gateway {
  /// What an endpoint was asked for.
  enum Task {
    case answer(AnswerRequest)
    case embeddings(EmbeddingRequest)

    /// The paths that take a task.
    static let resources = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings"]

    init(_ resource: String, _ body: [UInt8]) throws(Refusal) {
      switch resource {
      case "/v1/completions": self = .answer(try AnswerRequest.completion(body))
      case "/v1/responses": self = .answer(try AnswerRequest.response(body))
      case "/v1/embeddings": self = .embeddings(try EmbeddingRequest.parse(body))
      default: self = .answer(try AnswerRequest.chat(body))
      }
    }

    var model: String {
      switch self {
      case .answer(let request): request.model
      case .embeddings(let request): request.model
      }
    }
  }

  /// A checked request with everything that answering it needs.
  struct Work {
    var request: AnswerRequest
    var key: KeyHash
    /// What the engine is asked, one a choice.
    var engine: [EngineRequest]
    var reservation: Meter.Reservation
    /// Name of the request in the journal, if it carried an `Idempotency-Key`.
    var paymentID: [UInt8]?

    /// The choices before any of them begins; those of the first prompt come first.
    var choices: [Choice] {
      engine.indices.map {
        Choice(index: $0, prompt: $0 / request.choices, allowsSeveralCalls: request.allowsSeveralCalls)
      }
    }
  }

  /// Does what a request with a body asks for.
  func answer(
    _ request: HTTPRequest, _ surroundings: some Surroundings, _ responder: Responder, _ summary: inout Summary
  ) throws {
    let key = try bearer(request)
    summary.key = key.id
    let standing = try meter.admit(key)
    defer { meter.leave(key) }
    responder.headers += Self.headers(standing)
    let task = try Task(request.resource, request.body)
    summary.model = String(task.model.prefix(128))
    guard let repeatKey = request[header: "idempotency-key"] else {
      return try serve(task, key, surroundings, responder, &summary, payment: nil, keep: { _ in })
    }
    let (id, payment, fingerprint) = try Self.identify(repeatKey, key, request)
    if let kept = try cache.begin(id, fingerprint: fingerprint, now: clock.unixMilliseconds()) {
      responder.headers.append(.init("idempotent-replayed", "true"))
      return try responder.send(200, kept.body, kept.headers + [.init("x-symbolon-charged", "0")])
    }
    var answer: AnswerCache.Answer?
    defer { cache.finish(id, answer) }
    try serve(task, key, surroundings, responder, &summary, payment: payment, keep: { answer = $0 })
  }

  private static func headers(_ standing: RateStanding) -> [JSONValue.Member] {
    [
      .init("x-ratelimit-limit-requests", .string(String(standing.limit))),
      .init("x-ratelimit-remaining-requests", .string(String(standing.remaining))),
      .init("x-ratelimit-reset-requests", .string("\(standing.resetMilliseconds)ms")),
    ]
  }

  /// Names a repeatable request: for the cache by key and header, in the journal by these, the path and the body.
  private static func identify(
    _ header: String, _ key: KeyHash, _ request: HTTPRequest
  ) throws(Refusal) -> (cache: [UInt8], payment: [UInt8], fingerprint: [UInt8]) {
    guard !header.isEmpty, header.utf8.count <= Limits.labelBytes else {
      throw Refusal(
        .invalid, "invalid_idempotency_key", "An Idempotency-Key has 1 to \(Limits.labelBytes) bytes.",
        parameter: "Idempotency-Key")
    }
    let fingerprint = SHA256.hash(SHA256.hash(Array(request.resource.utf8)) + request.body)
    let name = SHA256.hash(key.bytes + Array(header.utf8))
    return (Array(name.prefix(16)), Array(SHA256.hash(name + fingerprint).prefix(16)), fingerprint)
  }

  private func serve(
    _ task: Task, _ key: KeyHash, _ surroundings: some Surroundings, _ responder: Responder,
    _ summary: inout Summary, payment: [UInt8]?, keep: (AnswerCache.Answer) -> Void
  ) throws {
    switch task {
    case .embeddings(let request):
      try embed(request, key, surroundings, responder, &summary, payment: payment, keep: keep)
    case .answer(let request):
      let parameters = try surroundings.parameters()
      let model = try Self.find(request.model, try surroundings.models())
      responder.headers.append(.init("x-symbolon-params", .string(parameters.hash)))
      let work = try prepare(request, key, model, parameters, surroundings, payment: payment)
      let shape = shape(of: work, model)
      if request.isStreamed {
        try stream(work, shape, surroundings, responder, &summary)
      } else {
        try whole(work, shape, surroundings, responder, &summary, keep)
      }
    }
  }

  private func shape(of work: Work, _ model: Model) -> any AnswerShape {
    let request = work.request
    let id = Hex.string(random(12))
    let created = clock.unixMilliseconds() / 1000
    let fingerprint = Self.fingerprint(model)
    func envelope(_ prefix: String) -> AnswerEnvelope {
      AnswerEnvelope(
        id: prefix + id, created: created, model: model.id, fingerprint: fingerprint,
        includesUsage: request.includesUsage)
    }
    switch request.endpoint {
    case .chat: return ChatShape(envelope: envelope("chatcmpl-"), tellsLogprobs: request.logprobs != nil)
    case .completion:
      let echoes = request.prompts.map { prompt in
        if request.isEchoed, case .text(let text) = prompt { text } else { "" }
      }
      return CompletionShape(envelope: envelope("cmpl-"), alternatives: request.logprobs, echoes: echoes)
    case .response:
      return ResponseShape(
        id: id, created: created, model: model.id, fingerprint: fingerprint, engine: work.engine[0],
        repeated: request.repeated)
    }
  }

  /// Stops a generation that nobody will read or pay for.
  private func checkStillWanted(_ work: Work, _ surroundings: some Surroundings, _ responder: Responder) throws {
    if surroundings.isCancelled || responder.isGone { throw Responder.Gone() }
    guard meter.isOpen(work.key) else {
      throw Refusal(.unauthenticated, "invalid_api_key", "This ticket key was revoked while it was answered.")
    }
  }

  private func whole(
    _ work: Work, _ shape: any AnswerShape, _ surroundings: some Surroundings, _ responder: Responder,
    _ summary: inout Summary, _ keep: (AnswerCache.Answer) -> Void
  ) throws {
    var delivered = TokenCounts()
    defer {
      summary.tokens = delivered
      summary.charged = meter.charge(work.reservation, delivered, request: work.paymentID)
    }
    var choices = work.choices
    try generate(work, surroundings, responder) { index, event in choices[index].take(event) }
    guard choices.allSatisfy({ $0.finishReason != nil }) else {
      throw Refusal(.internalFault, "engine_stopped", "The engine stopped before the answer was complete. Try again.")
    }
    let usage = Usage(choices)
    let body = shape.whole(choices, usage).encoded
    let charged = meter.owed(work.reservation, usage.billable)
    try responder.send(200, body, [.init("x-symbolon-charged", .string(String(charged.micro)))])
    if surroundings.isCancelled { throw Responder.Gone() }
    delivered = usage.billable
    keep(AnswerCache.Answer(body: body, headers: []))
  }

  private func stream(
    _ work: Work, _ shape: any AnswerShape, _ surroundings: some Surroundings, _ responder: Responder,
    _ summary: inout Summary
  ) throws {
    var shape = shape
    var choices = work.choices
    var isCharged = false
    func charge(_ summary: inout Summary) {
      guard !isCharged else { return }
      isCharged = true
      summary.tokens = Usage(choices).billable
      summary.charged = meter.charge(
        work.reservation, summary.tokens, request: work.paymentID, renewsCredit: false)
    }
    defer { charge(&summary) }
    do {
      try generate(work, surroundings, responder) { index, event in
        try deliver(event, &choices[index], &shape, responder)
      }
      guard choices.allSatisfy({ $0.finishReason != nil }) else {
        throw Refusal(.internalFault, "engine_stopped", "The engine stopped before the answer was complete.")
      }
    } catch {
      if responder.status != nil { responder.streamFailure = shape.failure(Self.refusal(error)) }
      throw error
    }
    // Charged before the stream ends: a client that has read it all sees its charge.
    charge(&summary)
    try responder.write(shape.end(Usage(choices)))
  }

  /// Writes what a client sees of an event, and notes it as delivered once it is written.
  private func deliver(
    _ event: EngineEvent, _ choice: inout Choice, _ shape: inout any AnswerShape, _ responder: Responder
  ) throws {
    if responder.status == nil {
      try responder.begin(
        200, "text/event-stream; charset=utf-8",
        [.init("cache-control", "no-cache"), .init("x-accel-buffering", "no")])
    }
    if !choice.hasBegun { try write(shape.begin(choice), responder) }
    switch event {
    case .start: choice.take(event)
    case .text(let piece, _, let logprobs):
      if choice.shows(event) { try write(shape.text(piece, logprobs, of: choice), responder) }
      choice.take(event)
    case .toolCall(let call):
      if choice.shows(event) { try write(shape.toolCall(call, of: choice), responder) }
      choice.take(event)
    case .end:
      var finished = choice
      finished.take(event)
      try write(shape.finish(finished), responder)
      choice = finished
    }
  }

  private func write(_ bytes: [UInt8], _ responder: Responder) throws {
    if !bytes.isEmpty { try responder.write(bytes) }
  }

  /// Runs the engine; each event comes with the number of its choice, on this thread.
  private func generate(
    _ work: Work, _ surroundings: some Surroundings, _ responder: Responder,
    _ onEvent: (Int, EngineEvent) throws -> Void
  ) throws {
    // The engine may turn the closure's error into its own; the first one is what happened.
    var first: (any Error)?
    func take(_ index: Int, _ event: EngineEvent) throws {
      do {
        try checkStillWanted(work, surroundings, responder)
        try onEvent(index, event)
      } catch {
        first = first ?? error
        throw error
      }
    }
    do {
      if work.engine.count == 1 {
        try surroundings.generate(work.engine[0]) { try take(0, $0) }
      } else {
        try ChoiceRunner(work.engine, choicesOfPrompt: work.request.choices).run(surroundings, take)
      }
    } catch {
      if let first { throw first }
      if surroundings.isCancelled { throw Responder.Gone() }
      throw error
    }
    if let first { throw first }
  }
}
