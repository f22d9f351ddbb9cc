#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Runs the sequences of one model on a thread of its own: every step advances all of them together.
///
/// `@unchecked Sendable`: `session` and `active` belong to the scheduler's thread; the rest is constant or in a `Monitor`.
final class Scheduler: @unchecked Sendable {
  /// What callers and the thread share.
  private struct Shared {
    var waiting: [Job] = []
    var stopping = false
    var stopped = false
    /// Raised when a job was cancelled or a slow receiver caught up.
    var nudged = false
  }

  /// Limits of the scheduler.
  package struct Limits: Sendable {
    /// Answers in the making at once.
    var mostActive: Int
    /// Requests that may wait for their turn.
    var mostWaiting: Int
  }

  let model: Model
  private let limits: Limits
  private let shared = Monitor(Shared())
  private let session: Session
  private var active: [ActiveSequence] = []

  /// Prompt columns of a step while others wait for their next token: bounds how long they wait.
  private static let prefillBesideDecode = 64

  init(_ model: Model, pool: WorkerPool, limits: Limits) throws(InferenceError) {
    self.model = model
    self.limits = limits
    session = try Session(model, pool: pool, logitRows: limits.mostActive)
  }

  /// Starts the thread; it holds the scheduler until `stop`.
  func start() throws(InferenceError) {
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self).toOpaque()
    let status = pthread_create(
      &thread, nil,
      { context in
        guard let context else { return nil }
        Unmanaged<Scheduler>.fromOpaque(context).takeRetainedValue().run()
        return nil
      }, context)
    guard status == 0 else {
      Unmanaged<Scheduler>.fromOpaque(context).release()
      throw InferenceError(.internal, "no_threads", "The system refuses another thread: close some programs.")
    }
    pthread_detach(thread)
  }

  /// Ends all answers with an error and waits for the thread to leave.
  func stop() {
    shared.withLock { $0.stopping = true }
    _ = shared.wait { $0.stopped ? true : nil }
  }

  /// Puts a job in the queue, or refuses it when the queue is full.
  func submit(_ job: Job) throws(InferenceError) {
    enum Answer { case queued, full(Int), stopping }
    let answer: Answer = shared.withLock { shared in
      if shared.stopping { return .stopping }
      if shared.waiting.count >= limits.mostWaiting { return .full(shared.waiting.count) }
      shared.waiting.append(job)
      return .queued
    }
    switch answer {
    case .queued: return
    case .stopping: throw Self.stoppingError
    case .full(let count):
      throw InferenceError(
        .exhausted, "queue_full", "\(count) requests wait already: try again in a few seconds.",
        retryAfterSeconds: max(1, count / 4))
    }
  }

  /// Tells the thread that a job was cancelled or its mailbox emptied.
  func nudge() { shared.withLock { $0.nudged = true } }

  private static let stoppingError = InferenceError(
    .unavailable, "engine_stopping", "The engine is stopping: try again when the node is back.", retryAfterSeconds: 5)

  private func run() {
    while true {
      let runnable = active.contains { !$0.job.isFull }
      let room = limits.mostActive - active.count
      let admitted: [Job]? = shared.wait { shared in
        if shared.stopping { return [] }
        let admits = room > 0 && !shared.waiting.isEmpty
        guard runnable || admits || shared.nudged else { return nil }
        shared.nudged = false
        let jobs = Array(shared.waiting.prefix(max(room, 0)))
        shared.waiting.removeFirst(jobs.count)
        return jobs
      }
      if shared.withLock({ $0.stopping }) { break }
      for job in admitted ?? [] { admit(job) }
      active.removeAll { $0.job.isCancelled }
      step()
    }
    let abandoned = shared.withLock { shared in
      defer { shared.waiting = [] }
      return shared.waiting
    }
    for job in abandoned + active.map(\.job) { job.fail(Self.stoppingError) }
    active = []
    shared.withLock { $0.stopped = true }
  }

  private func admit(_ job: Job) {
    guard !job.isCancelled else { return }
    do throws(InferenceError) {
      let cache = try SequenceCache(model, positions: job.prompt.count + job.maxTokens)
      active.append(ActiveSequence(job, cache: cache))
    } catch { job.fail(error) }
  }

  /// One step: a column for each answer in progress, then prompts in the order they came.
  private func step() {
    var columns: [Session.Column] = []
    var parts: [(sequence: Int, count: Int)] = []
    for index in active.indices where active[index].isDecoding && !active[index].job.isFull {
      columns.append(contentsOf: active[index].columns(limit: 1))
      parts.append((index, 1))
    }
    let prefillLimit =
      columns.isEmpty ? session.columns : min(columns.count + Self.prefillBesideDecode, session.columns)
    for index in active.indices where !active[index].isDecoding && columns.count < prefillLimit {
      let part = active[index].columns(limit: prefillLimit - columns.count)
      columns.append(contentsOf: part)
      parts.append((index, part.count))
    }
    guard !columns.isEmpty else { return }
    do throws(StepFailure) {
      let logits = try session.step(columns)
      deliver(logits, columns, parts)
    } catch { fail(error, parts) }
  }

  /// Gives each sequence its row of logits; drops those that are complete.
  private func deliver(
    _ logits: UnsafeBufferPointer<Float>, _ columns: [Session.Column], _ parts: [(sequence: Int, count: Int)]
  ) {
    let vocabulary = model.tokenizer.vocabularySize
    var finished: Set<Int> = []
    var row = 0
    var column = 0
    for (index, count) in parts {
      column += count
      active[index].advance(count)
      guard columns[column - 1].wantsLogits else { continue }
      let own = UnsafeBufferPointer(rebasing: logits[row * vocabulary..<(row + 1) * vocabulary])
      row += 1
      if active[index].take(own, model.tokenizer, path: session.path) { finished.insert(index) }
    }
    guard !finished.isEmpty else { return }
    active = active.indices.filter { !finished.contains($0) }.map { active[$0] }
  }

  /// A fault belongs to the sequence whose column it struck; the others run on.
  private func fail(_ failure: StepFailure, _ parts: [(sequence: Int, count: Int)]) {
    var column = 0
    for (index, count) in parts {
      if (column..<column + count).contains(failure.column) {
        active[index].job.fail(failure.error)
        active.remove(at: index)
        return
      }
      column += count
    }
  }
}
