import Synchronization

/// One piece of work in the making: what the scheduler and the caller share.
final class Job: Sendable {
  /// What is to be made of the prompt.
  enum Work: Sendable {
    /// An answer; `traced` keeps the leaves of its positions.
    case answer(AnswerWriter, mostTokens: Int, traced: Bool)
    /// The mean of the model's last vectors.
    case embedding
  }

  /// An answer that is complete.
  struct Answer: Sendable {
    var finish: GenerationEvent.FinishReason
    /// Every token that was chosen, with the one that ended it.
    var output: [Int32]
    var completionTokens: Int
    var cachedTokens: Int
    /// 32 bytes for each position that was fed, if it was traced.
    var leaves: [UInt8]
  }

  /// What passes from the scheduler to the caller.
  private struct Mailbox {
    var events: [GenerationEvent] = []
    var ending: Ending?
  }

  /// How a job ended.
  enum Ending: Sendable {
    case answered(Answer)
    /// The sum of the vectors over all positions.
    case embedded([Float])
    case failed(InferenceError)
  }

  /// What a caller finds in the mailbox: events in order, and the end if nothing follows.
  struct Delivery {
    var events: [GenerationEvent]
    var ending: Ending?
    /// The sequence waited because the mailbox was full, so the scheduler wants to know that it is not.
    var madeRoom: Bool
  }

  /// How many events may wait for a slow receiver before its sequence pauses.
  static let mostWaiting = 64

  let prompt: [Int32]
  let work: Work
  /// Who asks, for fairness; empty when nobody said.
  let caller: String
  /// When nobody wants the result any more, on the monotonic clock in nanoseconds.
  let deadline: UInt64?

  private let mailbox = Monitor(Mailbox())
  private let cancelled = Atomic(false)
  private let waitingEvents = Atomic(0)

  init(prompt: [Int32], work: Work, caller: String, deadline: UInt64?) {
    self.prompt = prompt
    self.work = work
    self.caller = caller
    self.deadline = deadline
  }

  /// The most tokens that the answer may have.
  var mostAnswerTokens: Int { if case .answer(_, let most, _) = work { most } else { 0 } }

  /// What has come since the last call; nil when nothing did in time.
  func next(milliseconds: Int) -> Delivery? {
    mailbox.wait(milliseconds: milliseconds) { box in
      guard !box.events.isEmpty || box.ending != nil else { return nil }
      defer { box.events = [] }
      let before = waitingEvents.exchange(0, ordering: .relaxed)
      return Delivery(events: box.events, ending: box.ending, madeRoom: before >= Self.mostWaiting)
    }
  }

  func cancel() { cancelled.store(true, ordering: .relaxed) }

  /// Adds events, and the end if nothing follows.
  func post(_ events: [GenerationEvent], ending: Ending? = nil) {
    guard !events.isEmpty || ending != nil else { return }
    mailbox.withLock { box in
      box.events += events
      if box.ending == nil { box.ending = ending }
      waitingEvents.store(box.events.count, ordering: .relaxed)
    }
  }

  func fail(_ error: InferenceError) { post([], ending: .failed(error)) }

  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  /// The receiver is too slow; its sequence waits.
  var isFull: Bool { waitingEvents.load(ordering: .relaxed) >= Self.mostWaiting }

  /// Whether the deadline has passed.
  func isLate(_ now: UInt64) -> Bool { deadline.map { $0 <= now } ?? false }
}
