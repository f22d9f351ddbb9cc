import InferenceKernels

/// The models that an engine knows: which are loaded, which may be loaded when asked for, which have to go.
///
/// Loading happens on the thread that asks; others who want the same model wait for it. Running answers finish before
/// their model is unloaded.
final class ModelLibrary: Sendable {
  /// What a model's place in memory is.
  enum Residence: Sendable {
    case unloaded
    case loading
    case loaded(Model)
    /// Nobody new may use it; it goes when the last has done.
    case leaving
  }

  struct Entry: Sendable {
    var source: InferenceEngine.Source
    var description: InferenceEngine.Description
    var residence = Residence.unloaded
    /// Bytes that it takes, or will take, in memory.
    var bytes: Int
    /// Whether these bytes are its own; a loading waits until they are.
    var isGranted = false
    /// Requests that use it.
    var users = 0
    /// Grows with use; the smallest is the least recently used.
    var used: UInt64 = 0
    /// Counts loads that failed, with the last failure, for those who waited.
    var failures = 0
    var failure: InferenceError?
  }

  private struct State {
    var entries: [Entry] = []
    var clock: UInt64 = 0

    /// Bytes that are taken, or promised to a loading that has begun.
    var bytes: Int { entries.reduce(0) { $0 + ($1.isGranted ? $1.bytes : 0) } }

    func index(_ id: String) -> Int? { entries.firstIndex { $0.description.id == id } }
  }

  /// Buffers of a step beside the weights.
  private static let overhead = 64 << 20

  private let state = Monitor(State())
  private let options: InferenceEngine.Options
  private let scheduler: Scheduler
  private let memory: Int
  /// Why no model may be used here.
  private let refusal: InferenceError?

  init(options: InferenceEngine.Options, scheduler: Scheduler, refusal: InferenceError?) {
    self.refusal = refusal
    self.options = options
    self.scheduler = scheduler
    memory = options.modelMemory > 0 ? options.modelMemory : MachineMemory.bytes / 8 * 5
  }

  var descriptions: [InferenceEngine.Description] { state.quietly { $0.entries.map(Self.described) } }

  private static func described(_ entry: Entry) -> InferenceEngine.Description {
    var description = entry.description
    description.state =
      switch entry.residence {
      case .unloaded: "unloaded"
      case .loading: "loading"
      case .loaded: "loaded"
      case .leaving: "unloading"
      }
    if !description.sha256.isEmpty {
      description.fingerprint = Specification.fingerprint(modelSHA256: description.sha256)
    }
    return description
  }

  /// Makes a model known without loading it; returns its id.
  func register(_ source: InferenceEngine.Source) throws(InferenceError) -> String {
    let id = source.id ?? ModelFolder.name(of: source.path)
    let file = try MappedFile(source.path)
    let gguf = try GGUFFile(file)
    let context = try Hyperparameters(gguf).contextLength
    let description = InferenceEngine.Description(
      id: id, sha256: VerifiedHashes(folder: options.storage).known(file) ?? source.sha256?.lowercased() ?? "",
      architecture: gguf.keys["general.architecture"]?.string ?? "", quantization: Model.quantization(gguf),
      context_length: options.context > 0 ? min(options.context, context) : context, size_bytes: file.bytes.count,
      created: file.modified, state: "unloaded")
    let entry = Entry(source: source, description: description, bytes: file.bytes.count + Self.overhead)
    let isNew = state.withLock { state in
      if let index = state.index(id) {
        // The same file again only tells what hash it should have.
        guard state.entries[index].source.path == source.path else { return false }
        if let sha256 = source.sha256 { state.entries[index].source.sha256 = sha256 }
        return true
      }
      state.entries.append(entry)
      return true
    }
    guard isNew else {
      throw InferenceError.model(source.path, "has the name \(id), which another has: give it an `id`.")
    }
    return id
  }

  /// Whether a model would find room without another having to go.
  func hasRoom(for id: String) -> Bool {
    state.quietly { state in
      guard let index = state.index(id) else { return false }
      return state.bytes + state.entries[index].bytes <= memory
    }
  }

  /// The id of the model that requests without one get.
  private func first() throws(InferenceError) -> String {
    guard let id = state.quietly({ $0.entries.first?.description.id }) else {
      throw InferenceError(
        .notFound, "model_not_found",
        "This node has no model: name one in plugins.conf, or load one with `symbolon inference load`.",
        parameter: "model")
    }
    return id
  }

  /// Runs the body with a model that stays loaded meanwhile; loads it first if need be and allowed.
  func use<Value>(
    _ id: String?, isCancelled: () -> Bool, deadline: UInt64?, _ body: (String, Model) throws -> Value
  ) throws -> Value {
    let id = try id ?? first()
    let model = try acquire(id, loads: options.loadsOnDemand, isCancelled, deadline)
    defer { release(id) }
    return try body(id, model)
  }

  /// Loads a model unless it is loaded.
  func load(_ id: String, isCancelled: () -> Bool) throws(InferenceError) {
    _ = try acquire(id, loads: true, isCancelled, nil)
    release(id)
  }

  /// Unloads a model when its running answers have ended; waits for that.
  func unload(_ id: String) throws(InferenceError) {
    enum Answer { case unknown, nothing, leaves }
    let answer: Answer = state.withLock { state in
      guard let index = state.index(id) else { return .unknown }
      guard case .loaded = state.entries[index].residence else { return .nothing }
      state.entries[index].residence = .leaving
      return .leaves
    }
    switch answer {
    case .unknown: throw unknown(id)
    case .nothing: return
    case .leaves:
      awaitUsers(id)
      finishLeaving(id)
    }
  }

  private func release(_ id: String) {
    state.withLock { state in if let index = state.index(id) { state.entries[index].users -= 1 } }
  }

  private enum Next {
    case use(Model)
    case load(InferenceEngine.Source, InferenceEngine.Description)
    case failed(InferenceError)
  }

  private func acquire(
    _ id: String, loads: Bool, _ isCancelled: () -> Bool, _ deadline: UInt64?
  ) throws(InferenceError) -> Model {
    if let refusal { throw refusal }
    let failuresBefore = state.quietly { state in state.index(id).map { state.entries[$0].failures } }
    guard let failuresBefore else { throw unknown(id) }
    while true {
      if isCancelled() { throw Self.cancelledError }
      if let deadline, monotonicNanoseconds() >= deadline {
        throw InferenceError(.late, "deadline_exceeded", "The time for this request is over: allow more.")
      }
      let next = state.wait(milliseconds: 50) { state in self.next(id, loads, failuresBefore, &state) }
      switch next {
      case nil: continue
      case .use(let model): return model
      case .failed(let error): throw error
      case .load(let source, let description): try load(source, description, isCancelled)
      }
    }
  }

  /// What one who wants a model does next; nil to wait.
  private func next(_ id: String, _ loads: Bool, _ failuresBefore: Int, _ state: inout State) -> Next? {
    guard let index = state.index(id) else { return .failed(unknown(id)) }
    switch state.entries[index].residence {
    case .loaded(let model):
      state.clock += 1
      state.entries[index].used = state.clock
      state.entries[index].users += 1
      return .use(model)
    case .loading, .leaving: return nil
    case .unloaded:
      if state.entries[index].failures > failuresBefore, let error = state.entries[index].failure {
        return .failed(error)
      }
      guard loads else {
        return .failed(
          InferenceError(
            .unavailable, "model_not_loaded",
            "The model \"\(id)\" is not loaded, and this node loads none on demand: ask its operator to load it.",
            parameter: "model"))
      }
      state.entries[index].residence = .loading
      return .load(state.entries[index].source, state.entries[index].description)
    }
  }

  /// Loads a model whose entry says `loading`; afterwards it says `loaded` or, after a failure, `unloaded`.
  private func load(
    _ source: InferenceEngine.Source, _ description: InferenceEngine.Description, _ isCancelled: () -> Bool
  ) throws(InferenceError) {
    let id = description.id
    do throws(InferenceError) {
      try makeRoom(for: id, isCancelled)
      let loading = ModelLoading(options: options, scheduler: scheduler)
      defer { symbolon_trim_memory() }
      let (model, loaded) = try loading.load(source, description)
      state.withLock { state in
        guard let index = state.index(id) else { return }
        state.entries[index].residence = .loaded(model)
        state.entries[index].description = loaded
        state.clock += 1
        state.entries[index].used = state.clock
      }
    } catch {
      state.withLock { state in
        guard let index = state.index(id) else { return }
        state.entries[index].residence = .unloaded
        state.entries[index].isGranted = false
        // Who gave up waiting has learned nothing about the model: the next of those who wait loads it.
        guard error.kind != .cancelled else { return }
        state.entries[index].failures += 1
        state.entries[index].failure = error
      }
      throw error
    }
  }

  /// Unloads the least recently used models until there is room; idle ones first, then one whose answers must end.
  private func makeRoom(for id: String, _ isCancelled: () -> Bool) throws(InferenceError) {
    while true {
      enum Step { case enough, goes(String), wait, never(Int) }
      let step: Step = state.withLock { state in
        guard let own = state.index(id) else { return .enough }
        if state.entries[own].bytes > self.memory { return .never(state.entries[own].bytes) }
        if state.bytes + state.entries[own].bytes <= self.memory {
          state.entries[own].isGranted = true
          return .enough
        }
        let loaded = state.entries.indices.filter { index in
          if case .loaded = state.entries[index].residence { true } else { false }
        }
        let idle = loaded.filter { state.entries[$0].users == 0 }
        guard let victim = (idle.isEmpty ? loaded : idle).min(by: { state.entries[$0].used < state.entries[$1].used })
        else { return .wait }
        state.entries[victim].residence = .leaving
        return .goes(state.entries[victim].description.id)
      }
      switch step {
      case .enough: return
      case .never(let bytes):
        throw InferenceError(
          .exhausted, "model_too_large",
          "The model \"\(id)\" takes \(bytes >> 20) MiB, and `model_memory` is \(memory >> 20) MiB: raise it.")
      case .goes(let victim):
        awaitUsers(victim)
        finishLeaving(victim)
      case .wait:
        if isCancelled() { throw Self.cancelledError }
        _ = state.wait(milliseconds: 50) { _ in Never?.none }
      }
    }
  }

  /// Waits until nobody uses a model that leaves.
  private func awaitUsers(_ id: String) {
    _ = state.wait { state in state.index(id).map { state.entries[$0].users == 0 } ?? true ? true : nil }
  }

  private func finishLeaving(_ id: String) {
    scheduler.remove(id)
    state.withLock { state in
      guard let index = state.index(id) else { return }
      state.entries[index].residence = .unloaded
      state.entries[index].isGranted = false
    }
    symbolon_trim_memory()
  }

  private func unknown(_ id: String) -> InferenceError {
    let names = state.quietly { $0.entries.map(\.description.id) }
    let known = names.isEmpty ? "none" : names.joined(separator: ", ")
    return InferenceError(
      .notFound, "model_not_found", "There is no model \"\(id)\" here; this node has \(known).", parameter: "model")
  }

  private static let cancelledError = InferenceError(.cancelled, "cancelled", "The request was cancelled.")
}
