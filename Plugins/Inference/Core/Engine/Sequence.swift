/// A sequence that the scheduler advances: its cache, its place, and the text it has given.
struct ActiveSequence {
  let job: Job
  let cache: SequenceCache
  private(set) var sampler: Sampler
  private var stream: TextStream
  /// Tokens already in the cache.
  private(set) var position = 0
  /// The token to feed next, once the prompt is read.
  private var pending: Int32?
  private var completion = 0

  init(_ job: Job, cache: SequenceCache) {
    self.job = job
    self.cache = cache
    sampler = Sampler(job.sampling)
    stream = TextStream(stops: job.stops)
  }

  /// The prompt has been read; each step now gives one token.
  var isDecoding: Bool { pending != nil }

  /// The columns of the next step, at most `limit` of them.
  func columns(limit: Int) -> [Session.Column] {
    if let pending { return [Session.Column(token: pending, position: position, cache: cache, wantsLogits: true)] }
    let end = min(position + limit, job.prompt.count)
    return (position..<end).map { index in
      Session.Column(
        token: job.prompt[index], position: index, cache: cache, wantsLogits: index == job.prompt.count - 1)
    }
  }

  /// Takes note of a step that read `count` columns without giving logits.
  mutating func advance(_ count: Int) { position += count }

  /// Chooses the next token and posts what it adds; true when the answer is complete.
  mutating func take(_ logits: UnsafeBufferPointer<Float>, _ tokenizer: Tokenizer, path: Int32) -> Bool {
    if pending == nil { job.post(.start(promptTokens: job.prompt.count)) }
    guard let token = sampler.pick(logits, position: position, path: path) else {
      job.fail(InferenceError(.internal, "numeric_fault", "The model produced a number that is not finite."))
      return true
    }
    if tokenizer.ends.contains(token) { return finish(.stop) }
    completion += 1
    let text = stream.add(tokenizer.bytes(of: token))
    if !text.isEmpty { job.post(.text(text, tokens: completion)) }
    if stream.stopped { return finish(.stop) }
    if completion == job.maxTokens { return finish(.length) }
    pending = token
    return false
  }

  private mutating func finish(_ reason: GenerationEvent.FinishReason) -> Bool {
    let rest = stream.finish()
    if !rest.isEmpty { job.post(.text(rest, tokens: completion)) }
    job.post(.end(reason, promptTokens: job.prompt.count, completionTokens: completion), last: true)
    return true
  }
}
