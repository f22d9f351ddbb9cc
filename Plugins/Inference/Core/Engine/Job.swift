/// One answer in the making: what the scheduler and the caller share.
final class Job: Sendable {
  /// What passes from the scheduler to the caller.
  struct Mailbox {
    var events: [GenerationEvent] = []
    var failure: InferenceError?
    var cancelled = false
    /// No more events come.
    var finished = false
  }

  /// What a caller finds in the mailbox.
  enum Delivery {
    case event(GenerationEvent)
    case failure(InferenceError)
    case finished
  }

  /// How many events may wait for a slow receiver before its sequence pauses.
  static let mostWaiting = 64

  let prompt: [Int32]
  let maxTokens: Int
  let sampling: SamplingParameters
  let stops: [String]
  let mailbox = Monitor(Mailbox())

  init(prompt: [Int32], maxTokens: Int, sampling: SamplingParameters, stops: [String]) {
    self.prompt = prompt
    self.maxTokens = maxTokens
    self.sampling = sampling
    self.stops = stops
  }

  /// The next event in order; nil when none came in time.
  func next(milliseconds: Int) -> Delivery? {
    mailbox.wait(milliseconds: milliseconds) { box in
      if !box.events.isEmpty { return .event(box.events.removeFirst()) }
      if let failure = box.failure { return .failure(failure) }
      return box.finished ? .finished : nil
    }
  }

  func cancel() { mailbox.withLock { $0.cancelled = true } }

  func fail(_ error: InferenceError) {
    mailbox.withLock { box in
      box.failure = error
      box.finished = true
    }
  }

  func post(_ event: GenerationEvent, last: Bool = false) {
    mailbox.withLock { box in
      box.events.append(event)
      box.finished = box.finished || last
    }
  }

  var isCancelled: Bool { mailbox.withLock { $0.cancelled } }

  /// The receiver took one event from a full mailbox, so its sequence may go on.
  var hasJustMadeRoom: Bool { mailbox.withLock { $0.events.count == Self.mostWaiting - 1 } }

  /// The receiver is too slow; its sequence waits.
  var isFull: Bool { mailbox.withLock { $0.events.count >= Self.mostWaiting } }
}
