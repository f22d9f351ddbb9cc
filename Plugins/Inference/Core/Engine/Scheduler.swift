#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Runs the sequences of all models on a thread of its own: every step advances those of one model together.
///
/// `@unchecked Sendable`: what is not constant or in `shared` belongs to the scheduler's thread.
final class Scheduler: @unchecked Sendable {
  /// What callers and the thread share.
  struct Shared {
    var incoming: [(lane: String, job: Job)] = []
    var newLanes: [Lane] = []
    /// Models that are in the scheduler, or on their way into it.
    var present: Set<String> = []
    /// Models that shall leave it.
    var leaving: Set<String> = []
    var queues: [String: QueueOutlook] = [:]
    var counters = ServingCounters()
    /// Raised when a job was cancelled or a slow receiver caught up.
    var nudged = false
    var stopping = false
    var stopped = false
  }

  let budget: PageBudget
  let pool: WorkerPool
  private let mostWaiting: Int
  let shared = Monitor(Shared())
  var lanes: [Lane] = []
  /// Counts the loops: the clock by which prefixes grow old.
  private(set) var turn: UInt64 = 0
  private var arrivals: UInt64 = 0
  private var nextLane = 0
  /// Copied to `shared` after each step.
  var counters = ServingCounters()

  /// At most `mostWaiting` jobs of a model may wait for their turn; keys and values may take `memory` bytes.
  init(pool: WorkerPool, mostWaiting: Int, memory: Int) {
    self.pool = pool
    self.mostWaiting = mostWaiting
    budget = PageBudget(limit: memory)
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

  /// Ends all jobs with an error and waits for the thread to leave.
  func stop() {
    shared.withLock { $0.stopping = true }
    _ = shared.wait { $0.stopped ? true : nil }
  }

  /// Takes a model in.
  func add(_ lane: Lane) {
    shared.withLock { shared in
      shared.newLanes.append(lane)
      shared.present.insert(lane.id)
      shared.queues[lane.id] = QueueOutlook()
    }
  }

  /// Lets a model go when its jobs have ended, and waits for that.
  func remove(_ id: String) {
    shared.withLock { _ = $0.leaving.insert(id) }
    _ = shared.wait { shared in shared.present.contains(id) && !shared.stopped ? nil : true }
  }

  /// Puts a job in a model's queue, or refuses it when the queue is full; `beyond` ignores that limit.
  func submit(_ job: Job, to lane: String, beyond: Bool = false) throws(InferenceError) {
    enum Answer { case queued, full(Int, seconds: Int), gone }
    let answer: Answer = shared.withLock { shared in
      guard !shared.stopping, shared.present.contains(lane), var queue = shared.queues[lane] else { return .gone }
      defer { shared.queues[lane] = queue }
      if queue.count >= mostWaiting, !beyond { return .full(queue.count, seconds: queue.refuse()) }
      queue.add(job)
      shared.incoming.append((lane, job))
      return .queued
    }
    switch answer {
    case .queued: return
    case .gone: throw Self.stoppingError
    case .full(let count, let seconds):
      throw InferenceError(
        .exhausted, "queue_full",
        "\(count) requests wait already: try again in \(seconds) second\(seconds == 1 ? "" : "s").",
        retryAfterSeconds: seconds)
    }
  }

  /// Tells the thread that a job was cancelled or its mailbox emptied.
  func nudge() { shared.withLock { $0.nudged = true } }

  static let stoppingError = InferenceError(
    .unavailable, "engine_stopping", "The engine is stopping: try again when the node is back.", retryAfterSeconds: 5)

  private func run() {
    var isIdle = false
    while receive(wait: isIdle) {
      turn += 1
      drop()
      var admitted = false
      for lane in lanes where admit(to: lane) { admitted = true }
      isIdle = !stepNext() && !admitted
      removeLanes()
    }
    end()
  }

  /// Takes in what callers have left, and waits for something if told to; false when the engine stops.
  private func receive(wait: Bool) -> Bool {
    func take(_ shared: inout Shared) -> (jobs: [(lane: String, job: Job)], lanes: [Lane], stopping: Bool) {
      defer { (shared.incoming, shared.newLanes, shared.nudged) = ([], [], false) }
      return (shared.incoming, shared.newLanes, shared.stopping)
    }
    let news =
      wait
      ? shared.wait(milliseconds: millisecondsToDeadline()) { shared in
        let isNew =
          !shared.incoming.isEmpty || !shared.newLanes.isEmpty || shared.nudged || shared.stopping
          || shared.leaving.contains { id in self.lanes.contains { $0.id == id && $0.isEmpty } }
        return isNew ? take(&shared) : nil
      } : shared.quietly { take(&$0) }
    guard let news else { return true }
    lanes += news.lanes
    for (id, job) in news.jobs {
      guard let lane = lanes.first(where: { $0.id == id }), !news.stopping else {
        job.fail(Self.stoppingError)
        continue
      }
      arrivals += 1
      lane.waiting.append(
        TokenSequence(job, arrival: arrivals, model: lane.model), order: arrivals, caller: job.caller)
    }
    return !news.stopping
  }

  /// Until the first deadline of a job; nil when none has one.
  private func millisecondsToDeadline() -> Int? {
    var first = UInt64.max
    for lane in lanes {
      for sequence in lane.active + lane.preempted { first = min(first, sequence.job.deadline ?? .max) }
      lane.waiting.forEach { first = min(first, $0.job.deadline ?? .max) }
    }
    guard first < .max else { return nil }
    let now = monotonicNanoseconds()
    return first > now ? Int(clamping: (first - now) / 1_000_000 + 1) : 1
  }

  /// Lets go of jobs that nobody wants any more.
  private func drop() {
    let now = monotonicNanoseconds()
    for lane in lanes {
      let gone = lane.removeAll(now: turn) { $0.job.isCancelled || $0.job.isLate(now) }
      for sequence in gone.begun + gone.unbegun where !sequence.job.isCancelled {
        sequence.job.fail(
          InferenceError(.late, "deadline_exceeded", "The time for this request is over: ask for less, or allow more."))
      }
      if !gone.unbegun.isEmpty { left(gone.unbegun, lane) }
    }
  }

  /// Takes note of jobs that wait no longer.
  func left(_ sequences: [TokenSequence], _ lane: Lane) {
    shared.quietly { shared in
      for sequence in sequences { shared.queues[lane.id]?.remove(sequence.job) }
    }
  }

  /// One step of the next model that has something to do.
  private func stepNext() -> Bool {
    for offset in lanes.indices {
      let index = (nextLane + offset) % lanes.count
      if step(lanes[index]) {
        nextLane = index + 1
        return true
      }
    }
    return false
  }

  /// Lets go of models that shall leave and have nothing to do.
  private func removeLanes() {
    guard lanes.contains(where: \.isEmpty) else { return }
    let leaving = shared.quietly { shared in
      shared.leaving.filter { id in !shared.incoming.contains { $0.lane == id } }
    }
    for lane in lanes where lane.isEmpty && leaving.contains(lane.id) {
      lanes.removeAll { $0 === lane }
      lane.close()
      shared.withLock { shared in
        shared.present.remove(lane.id)
        shared.leaving.remove(lane.id)
        shared.queues[lane.id] = nil
      }
    }
  }

  private func end() {
    let abandoned = shared.quietly { shared in
      defer { shared.incoming = [] }
      return shared.incoming.map(\.job)
    }
    for job in abandoned { job.fail(Self.stoppingError) }
    for lane in lanes {
      let gone = lane.removeAll(now: turn) { _ in true }
      for sequence in gone.begun + gone.unbegun { sequence.job.fail(Self.stoppingError) }
      lane.close()
    }
    lanes = []
    shared.withLock { shared in
      shared.present = []
      shared.stopped = true
    }
  }
}

/// The clock of deadlines.
func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
