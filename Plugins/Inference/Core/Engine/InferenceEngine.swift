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

  /// How far the loading of a model is.
  package struct LoadProgress: Sendable {
    /// What is being done.
    package enum Stage: String, Sendable { case hashing, packing, ready }

    package let model: String
    package let stage: Stage
    /// 0 to 1.
    package let share: Double
    /// Since the loading began.
    package let seconds: Double
  }

  /// How the engine works.
  package struct Options: Sendable {
    /// Threads that compute; 0 for one a core.
    package var threads = 0
    /// The most positions of one sequence; 0 for the model's own limit.
    package var context = 0
    /// Requests that may wait for their turn, for each model.
    package var maxQueue = 64
    /// Answers in the making at once, for each model.
    package var maxActive = 16
    /// Bytes for keys and values of all models; 0 for an eighth of the machine's memory, 256 MiB to 4 GiB.
    package var kvMemory = 0
    /// Bytes for the weights of all models; 0 for five eighths of the machine's memory.
    package var modelMemory = 0
    /// Whether a request for a known model loads it.
    package var loadsOnDemand = true
    /// Whether prefixes that were read before are used again.
    package var prefixCache = true
    /// Whether tokens are guessed from the text so far and verified together.
    package var speculation = true
    /// How many tokens are guessed at a time; nil for as many as pay, by what steps were measured to cost.
    package var guesses: Int?
    /// The instruction set that computes; nil for the best.
    package var path: Int32?
    /// The known-answer test of an instruction set: what fails it, or nil.
    package var kernelTest: @Sendable (Int32) -> String? = KnownAnswers.failure
    /// A folder for hashes already computed; nil computes them at every start.
    package var storage: String?
    /// Makes the receipt of an answer whose request wants one, as JSON text; on the caller's thread.
    package var receipts: (@Sendable (AnswerRecord) throws -> String)?
    /// Hears how far the loading of models is, on the threads that load.
    package var progress: (@Sendable (LoadProgress) -> Void)?

    package init() {}

    var kvBytes: Int { kvMemory > 0 ? kvMemory : min(max(MachineMemory.bytes / 8, 256 << 20), 4 << 30) }
  }

  /// What is known of a model.
  package struct Description: Codable, Equatable, Sendable {
    package let id: String
    /// Empty while nobody has read the file.
    package internal(set) var sha256: String
    package let architecture: String
    package let quantization: String
    package internal(set) var context_length: Int
    package let size_bytes: Int
    package let created: Int
    /// `loaded`, `loading`, `unloading` or `unloaded`.
    package internal(set) var state: String
    /// The class of nodes whose answers have the same bits; empty while the file's hash is not known.
    package internal(set) var fingerprint = ""
  }

  let scheduler: Scheduler
  let library: ModelLibrary
  private let options: Options
  /// Why this engine serves nothing; nil for one that may.
  package let refusal: InferenceError?

  /// Makes the models known, starts the threads, and loads as many models as there is room for.
  ///
  /// The first is the one that requests without a model get. With kernels that fail their test there is an engine,
  /// which knows the models and refuses to load any.
  package init(_ sources: [Source], options: Options = Options()) throws(InferenceError) {
    self.options = options
    let path = options.path ?? symbolon_path_best()
    refusal = options.kernelTest(path).map { KnownAnswers.refusal($0, path) }
    let pool = try WorkerPool(threads: options.threads > 0 ? options.threads : Int(symbolon_processors()))
    scheduler = Scheduler(pool: pool, mostWaiting: max(1, options.maxQueue), memory: options.kvBytes)
    library = ModelLibrary(options: options, scheduler: scheduler, refusal: refusal)
    try scheduler.start()
    do throws(InferenceError) {
      let ids = try sources.map { source throws(InferenceError) in try library.register(source) }
      guard refusal == nil else { return }
      for (index, id) in ids.enumerated() where index == 0 || !options.loadsOnDemand || library.hasRoom(for: id) {
        try library.load(id) { false }
      }
    } catch {
      scheduler.stop()
      throw error
    }
  }

  /// Ends all answers and the threads.
  ///
  /// Nothing may be asked afterwards.
  package func close() { scheduler.stop() }

  package var models: [Description] { library.descriptions }

  /// What the scheduler has done so far.
  package var counters: ServingCounters { scheduler.shared.quietly { $0.counters } }

  /// The instruction set that computes.
  package var path: String { String(cString: symbolon_path_name(options.path ?? symbolon_path_best())) }

  /// Loads a model, known or new; returns what is known of it.
  package func load(_ source: Source, isCancelled: () -> Bool = { false }) throws(InferenceError) -> Description {
    let id = try library.register(source)
    try library.load(id, isCancelled: isCancelled)
    guard let description = models.first(where: { $0.id == id }) else {
      throw InferenceError(.internal, "model_lost", "The model \"\(id)\" went away while it was loaded: try again.")
    }
    return description
  }

  /// Loads a model that is known by its id.
  package func load(id: String, isCancelled: () -> Bool = { false }) throws(InferenceError) -> Description {
    try library.load(id, isCancelled: isCancelled)
    guard let description = models.first(where: { $0.id == id }) else {
      throw InferenceError(.internal, "model_lost", "The model \"\(id)\" went away while it was loaded: try again.")
    }
    return description
  }

  /// Unloads a model after its running answers; it stays known.
  package func unload(_ id: String) throws(InferenceError) { try library.unload(id) }

  /// The tokens a request's prompt has.
  package func count(_ request: GenerationRequest) throws -> Int {
    try library.use(request.model, isCancelled: { false }, deadline: nil) { _, model in
      try model.promptTokens(of: request).count
    }
  }

  /// Answers a request: calls `emit` with every event, on the calling thread, until the answer is complete.
  ///
  /// Stops soon after `isCancelled` turns true or `emit` throws; then throws `cancelled` or what `emit` threw.
  /// `deadline` is on the monotonic clock, in nanoseconds.
  package func generate(
    _ request: GenerationRequest, deadline: UInt64? = nil, isCancelled: () -> Bool = { false },
    emit: (GenerationEvent) throws -> Void
  ) throws {
    try request.check()
    try library.use(request.model, isCancelled: isCancelled, deadline: deadline) { id, model in
      let prompt = try model.promptTokens(of: request)
      let most = try room(for: request, prompt, model)
      let writer = try AnswerWriter(request, prompt: prompt, maxTokens: most, model: model)
      let job = Job(
        prompt: prompt, work: .answer(writer, mostTokens: most, traced: request.receipt),
        caller: request.caller ?? "", deadline: deadline)
      try scheduler.submit(job, to: id)
      let ending = try follow(job, isCancelled: isCancelled, emit: emit)
      guard case .answered(let answer) = ending else { return }
      let receipt = try request.receipt ? receipt(of: answer, request, prompt, id) : nil
      try emit(
        .end(
          answer.finish, promptTokens: prompt.count, completionTokens: answer.completionTokens,
          cachedTokens: answer.cachedTokens, receipt: receipt))
    }
  }

  /// The receipt of an answer; nil when nobody makes receipts here.
  private func receipt(
    of answer: Job.Answer, _ request: GenerationRequest, _ prompt: [Int32], _ id: String
  ) throws -> String? {
    guard let make = options.receipts, let model = models.first(where: { $0.id == id }) else { return nil }
    return try make(
      AnswerRecord(
        model: model, prompt: prompt, output: answer.output, request: request, finish: answer.finish,
        leaves: answer.leaves))
  }

  /// Hands a job's events on until it ends; cancels it when anything else ends the loop.
  func follow(
    _ job: Job, isCancelled: () -> Bool, emit: (GenerationEvent) throws -> Void
  ) throws -> Job.Ending {
    var complete = false
    defer {
      if !complete {
        job.cancel()
        scheduler.nudge()
      }
    }
    while true {
      if isCancelled() { throw InferenceError(.cancelled, "cancelled", "The request was cancelled.") }
      guard let delivery = job.next(milliseconds: 50) else { continue }
      if delivery.madeRoom { scheduler.nudge() }
      for event in delivery.events { try emit(event) }
      guard let ending = delivery.ending else { continue }
      complete = true
      if case .failed(let error) = ending { throw error }
      return ending
    }
  }

  /// The most tokens of one sequence: the model's limit, or less where the memory for keys and values holds less.
  func context(of model: Model) -> Int {
    min(model.context, scheduler.budget.limit / KVPage.byteCount(of: model) * KVPage.positions)
  }

  /// How many tokens the answer may have.
  private func room(for request: GenerationRequest, _ prompt: [Int32], _ model: Model) throws(InferenceError) -> Int {
    let context = self.context(of: model)
    let room = context - prompt.count
    guard room > 0, request.maxTokens ?? 1 <= room else {
      let wanted = request.maxTokens.map { " and \($0) for the answer" } ?? ""
      throw InferenceError(
        .invalidRequest, "context_length_exceeded",
        "This model's context is \(context) tokens, but the request takes \(prompt.count) for the prompt"
          + "\(wanted): shorten the messages or lower `max_tokens`.",
        parameter: room > 0 ? "max_tokens" : "messages")
    }
    return request.maxTokens ?? room
  }
}
