import InferenceKernels

/// Loads one model: checks its hash, lays out its weights, tests the kernels, and puts it into the scheduler.
struct ModelLoading {
  let options: InferenceEngine.Options
  let scheduler: Scheduler

  /// The model, ready to be used, and what is known of it.
  func load(
    _ source: InferenceEngine.Source, _ known: InferenceEngine.Description
  ) throws(InferenceError) -> (Model, InferenceEngine.Description) {
    let id = known.id
    let began = monotonicNanoseconds()
    func tell(_ share: Double, _ stage: InferenceEngine.LoadProgress.Stage) {
      options.progress?(
        InferenceEngine.LoadProgress(
          model: id, stage: stage, share: share, seconds: Double(monotonicNanoseconds() - began) / 1e9))
    }
    tell(0, .hashing)
    let file = try MappedFile(source.path)
    let hash = try VerifiedHashes(folder: options.storage).sha256(of: file) { tell($0 * 0.5, .hashing) }
    if let wanted = source.sha256?.lowercased(), wanted != hash {
      throw InferenceError.model(
        source.path, "has the SHA-256 \(hash), not \(wanted) as configured: fetch it again, or correct `sha256`.",
        code: "wrong_hash")
    }
    tell(0.5, .packing)
    // Threads of its own: the scheduler's go on with other models.
    let pool = try WorkerPool(threads: scheduler.pool.threads)
    let model = try Model(file, context: options.context, pool: pool)
    let room = scheduler.budget.limit / KVPage.byteCount(of: model) * KVPage.positions
    guard room > 0 else {
      throw InferenceError(
        .exhausted, "kv_memory_too_small",
        "The model \"\(id)\" needs \(KVPage.byteCount(of: model) >> 20) MiB for \(KVPage.positions) tokens, and "
          + "`kv_memory` is \(scheduler.budget.limit >> 20) MiB: raise it.")
    }
    let lane = try Lane(
      id: id, model: model, pool: scheduler.pool, budget: scheduler.budget,
      limits: Lane.Limits(
        mostActive: max(1, options.maxActive), prefixCache: options.prefixCache, speculation: options.speculation,
        guesses: options.guesses),
      path: options.path)
    scheduler.add(lane)
    tell(1, .ready)
    var description = known
    description.sha256 = hash
    description.context_length = min(model.context, room)
    description.state = "loaded"
    return (model, description)
  }
}
