import InferenceKernels

/// The models of a node, and answers from them.
package final class InferenceEngine: Sendable {
  /// A model to load.
  package struct Source: Sendable {
    package var path: String
    /// The hash that the file must have, in lowercase hex.
    package var sha256: String?
    /// The name to call it by; otherwise the file's, without `.gguf`.
    package var id: String?

    package init(path: String, sha256: String? = nil, id: String? = nil) {
      self.path = path
      self.sha256 = sha256
      self.id = id
    }
  }

  /// How the engine works.
  package struct Options: Sendable {
    /// Threads that compute; 0 for one a core.
    package var threads = 0
    /// The most positions of one sequence; 0 for the model's own limit.
    package var context = 0
    /// Requests that may wait for their turn.
    package var maxQueue = 32
    /// Answers in the making at once.
    package var maxActive = 8
    /// A folder for hashes already computed; nil computes them at every start.
    package var storage: String?

    package init() {}
  }

  /// What is known of a loaded model.
  package struct Description: Codable, Equatable, Sendable {
    package let id: String
    package let sha256: String
    package let architecture: String
    package let quantization: String
    package let context_length: Int
    package let size_bytes: Int
    package let created: Int
  }

  private struct Entry: Sendable {
    let description: Description
    let scheduler: Scheduler
  }

  private let entries: [Entry]

  /// Loads the models and starts their threads.
  ///
  /// The first is the one that requests without a model get.
  package init(_ sources: [Source], options: Options = Options()) throws(InferenceError) {
    var entries: [Entry] = []
    let limits = Scheduler.Limits(mostActive: max(1, options.maxActive), mostWaiting: max(1, options.maxQueue))
    do throws(InferenceError) {
      for source in sources {
        let pool = try WorkerPool(threads: options.threads > 0 ? options.threads : Int(symbolon_processors()))
        let hashes = VerifiedHashes(folder: options.storage)
        let hash = try hashes.sha256(of: try MappedFile(source.path))
        if let wanted = source.sha256?.lowercased(), wanted != hash {
          throw InferenceError.model(
            source.path, "has the SHA-256 \(hash), not \(wanted) as configured: fetch it again, or correct `sha256`.",
            code: "wrong_hash")
        }
        let model = try Model(path: source.path, context: options.context, pool: pool)
        let id = source.id ?? Self.name(of: source.path)
        guard !entries.contains(where: { $0.description.id == id }) else {
          throw InferenceError.model(source.path, "has the name \(id), which another has: give it an `id`.")
        }
        let description = Description(
          id: id, sha256: hash, architecture: "llama", quantization: model.quantization,
          context_length: model.context, size_bytes: model.file.bytes.count, created: model.file.modified)
        let scheduler = try Scheduler(model, pool: pool, limits: limits)
        try scheduler.start()
        entries.append(Entry(description: description, scheduler: scheduler))
      }
    } catch {
      for entry in entries { entry.scheduler.stop() }
      throw error
    }
    self.entries = entries
  }

  /// Ends all answers and the threads.
  ///
  /// Nothing may be asked afterwards.
  package func close() { for entry in entries { entry.scheduler.stop() } }

  package var models: [Description] { entries.map(\.description) }

  /// The instruction set that computes.
  package var path: String { String(cString: symbolon_path_name(symbolon_path_best())) }

  /// The tokens a request's prompt has.
  package func count(_ request: GenerationRequest) throws(InferenceError) -> Int {
    try prompt(of: request, for: try entry(request.model).scheduler.model).count
  }

  /// Answers a request: calls `emit` with every event, on the calling thread, until the answer is complete.
  ///
  /// Stops soon after `isCancelled` turns true or `emit` throws; then throws `cancelled` or what `emit` threw.
  package func generate(
    _ request: GenerationRequest, isCancelled: () -> Bool = { false }, emit: (GenerationEvent) throws -> Void
  ) throws {
    try request.check()
    let scheduler = try entry(request.model).scheduler
    let prompt = try prompt(of: request, for: scheduler.model)
    let room = scheduler.model.context - prompt.count
    guard room > 0, request.maxTokens ?? 1 <= room else {
      let wanted = request.maxTokens.map { " and \($0) for the answer" } ?? ""
      throw InferenceError(
        .invalidRequest, "context_length_exceeded",
        "This model's context is \(scheduler.model.context) tokens, but the request takes \(prompt.count) for the prompt"
          + "\(wanted): shorten the messages or lower `max_tokens`.",
        parameter: room > 0 ? "max_tokens" : "messages")
    }
    let job = Job(
      prompt: prompt, maxTokens: request.maxTokens ?? room, sampling: request.sampling, stops: request.stops)
    try scheduler.submit(job)
    // Whatever ends the loop early, the scheduler must not go on for nobody.
    var complete = false
    defer {
      if !complete {
        job.cancel()
        scheduler.nudge()
      }
    }
    while true {
      if isCancelled() { throw InferenceError(.cancelled, "cancelled", "The request was cancelled.") }
      switch job.next(milliseconds: 50) {
      case nil: continue
      case .event(let event):
        if job.hasJustMadeRoom { scheduler.nudge() }
        try emit(event)
      case .failure(let error): throw error
      case .finished:
        complete = true
        return
      }
    }
  }

  private func entry(_ id: String?) throws(InferenceError) -> Entry {
    guard let id else {
      guard let first = entries.first else {
        throw InferenceError(.notFound, "model_not_found", "This node has no model: name one in plugins.conf.")
      }
      return first
    }
    guard let entry = entries.first(where: { $0.description.id == id }) else {
      let names = entries.map(\.description.id).joined(separator: ", ")
      throw InferenceError(
        .notFound, "model_not_found", "There is no model \"\(id)\" here; this node has \(names).", parameter: "model")
    }
    return entry
  }

  /// The tokens the model starts from: at least one.
  private func prompt(of request: GenerationRequest, for model: Model) throws(InferenceError) -> [Int32] {
    var tokens = model.tokenizer.begin.map { [$0] } ?? []
    switch request.prompt {
    case .text(let text): tokens += model.tokenizer.encode(text)
    case .messages(let messages):
      do throws(TemplateError) {
        tokens += model.tokenizer.encode(try model.template.get().render(messages))
      } catch {
        throw InferenceError(
          .invalidRequest, "template_failed",
          "The model's chat template does not take these messages (\(error.reason)): use `prompt`, or other roles.",
          parameter: "messages")
      }
    }
    guard !tokens.isEmpty else { throw GenerationRequest.wrong("prompt", "must not be empty") }
    return tokens
  }

  /// The last part of a path, without `.gguf`.
  private static func name(of path: String) -> String {
    let last = path.split(separator: "/").last.map(String.init) ?? path
    return last.hasSuffix(".gguf") ? String(last.dropLast(5)) : last
  }
}
