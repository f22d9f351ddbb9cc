/// Texts as vectors.
extension InferenceEngine {
  /// What a caller wants as vectors.
  package struct EmbeddingRequest: Sendable {
    package var model: String?
    package var input: [String]
    /// Who asks, for fairness between callers.
    package var caller: String?

    package init(model: String? = nil, input: [String], caller: String? = nil) {
      self.model = model
      self.input = input
      self.caller = caller
    }

    /// The most texts of a request, and the most tokens of all together.
    package static let mostTexts = 2048
    package static let mostTokens = 300_000
  }

  /// Vectors of texts, in their order.
  package struct Embeddings: Sendable {
    /// The id of the model.
    package let model: String
    /// [text][width], each of length 1.
    package let vectors: [[Float]]
    package let promptTokens: Int
  }

  /// How many texts of one request are in the scheduler at once.
  private static let textsAhead = 4

  /// The mean of the model's last vectors over the tokens of each text, scaled to length 1.
  ///
  /// Sums run over positions ascending, in binary32 for each dimension; mean and length are computed in binary64, so the
  /// bits do not depend on how the text was cut into steps.
  package func embed(
    _ request: EmbeddingRequest, deadline: UInt64? = nil, isCancelled: () -> Bool = { false }
  ) throws -> Embeddings {
    guard (1...EmbeddingRequest.mostTexts).contains(request.input.count) else {
      throw GenerationRequest.wrong("input", "must hold 1 to \(EmbeddingRequest.mostTexts) texts")
    }
    return try library.use(request.model, isCancelled: isCancelled, deadline: deadline) { id, model in
      let texts = try request.input.map { text throws(InferenceError) in try tokens(ofInput: text, for: model) }
      let total = texts.reduce(0) { $0 + $1.count }
      guard total <= EmbeddingRequest.mostTokens else {
        throw GenerationRequest.wrong(
          "input", "has \(total) tokens, and \(EmbeddingRequest.mostTokens) are taken at once: send fewer texts")
      }
      var vectors: [[Float]] = []
      var jobs: [Job] = []
      defer {
        if !jobs.isEmpty {
          for job in jobs { job.cancel() }
          scheduler.nudge()
        }
      }
      for (index, tokens) in texts.enumerated() {
        let job = Job(prompt: tokens, work: .embedding, caller: request.caller ?? "", deadline: deadline)
        // The first text stands in the queue for all.
        try scheduler.submit(job, to: id, beyond: index > 0)
        jobs.append(job)
        while !jobs.isEmpty, jobs.count >= Self.textsAhead || index == texts.count - 1 {
          let job = jobs.removeFirst()
          guard case .embedded(let sums) = try follow(job, isCancelled: isCancelled, emit: { _ in }) else { continue }
          vectors.append(Self.unit(sums, count: job.prompt.count))
        }
      }
      return Embeddings(model: id, vectors: vectors, promptTokens: total)
    }
  }

  private func tokens(ofInput text: String, for model: Model) throws(InferenceError) -> [Int32] {
    let tokens = (model.tokenizer.begin.map { [$0] } ?? []) + model.tokenizer.encode(text)
    guard !tokens.isEmpty else { throw GenerationRequest.wrong("input", "must not hold an empty text") }
    let context = self.context(of: model)
    guard tokens.count <= context else {
      throw InferenceError(
        .invalidRequest, "context_length_exceeded",
        "This model's context is \(context) tokens, but a text of `input` has \(tokens.count): shorten it.",
        parameter: "input")
    }
    return tokens
  }

  /// Sums over `count` positions as a mean of length 1; zeros stay zeros.
  private static func unit(_ sums: [Float], count: Int) -> [Float] {
    var squares = 0.0
    let means = sums.map { Double($0) / Double(count) }
    for mean in means { squares += mean * mean }
    let length = squares.squareRoot()
    return means.map { length > 0 ? Float($0 / length) : 0 }
  }
}
