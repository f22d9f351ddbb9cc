import Glibc

/// Runs the choices of a request at once, on threads of their own, and gathers their events for the request's thread.
///
/// The first choice of a prompt begins alone: when it has read the prompt, the others find it read.
final class ChoiceRunner: Sendable {
  /// Events that may wait; beyond them the engine waits for the client.
  private static let mostWaiting = 256

  private struct State {
    var events: [(choice: Int, event: EngineEvent)] = []
    /// Choices before this one have begun.
    var next = 0
    var promptsRead: Set<Int> = []
    var running = 0
    var failure: (any Error)?
    var isStopped = false
  }

  /// Thrown into the engine when nobody wants its events any more.
  private struct Stopped: Error {}

  private let requests: [EngineRequest]
  private let choicesOfPrompt: Int
  private let state = Monitor(State())

  /// `requests` are those of all choices; so many in a row belong to one prompt.
  init(_ requests: [EngineRequest], choicesOfPrompt: Int) {
    self.requests = requests
    self.choicesOfPrompt = choicesOfPrompt
  }

  var isStopped: Bool { state.withLock { $0.isStopped } }

  /// Starts the threads, hands every event to the closure on the calling thread, and returns when all have ended.
  ///
  /// Throws what a choice or the closure threw first; no thread runs any more then.
  func run(_ surroundings: some Surroundings, _ onEvent: (Int, EngineEvent) throws -> Void) throws {
    var threads: [pthread_t] = []
    defer {
      state.withLock { $0.isStopped = true }
      state.wakeAll()
      for thread in threads { WorkerThread.join(thread) }
    }
    for _ in 0..<min(requests.count, Limits.choicesAtOnce) {
      state.withLock { $0.running += 1 }
      guard let thread = WorkerThread.start({ self.work(surroundings) }) else {
        state.withLock { $0.running -= 1 }
        break
      }
      threads.append(thread)
    }
    guard !threads.isEmpty else {
      throw Refusal(.unavailable, "no_thread", "The node has no thread for several choices: ask for one, or later.")
    }
    while true {
      let (events, failure, isOver) = take()
      for (choice, event) in events { try onEvent(choice, event) }
      if let failure { throw failure }
      if isOver { return }
    }
  }

  /// The events since the last time, once there are any or no more will come.
  private func take() -> (events: [(choice: Int, event: EngineEvent)], failure: (any Error)?, isOver: Bool) {
    state.wait { !$0.events.isEmpty || $0.failure != nil || $0.running == 0 }
    defer { state.wakeAll() }
    return state.withLock { state in
      defer { state.events = [] }
      return (state.events, state.failure, state.running == 0)
    }
  }

  /// One thread: choice after choice, until there is none left.
  private func work(_ surroundings: some Surroundings) {
    var failure: (any Error)?
    do {
      while let index = nextChoice() {
        try surroundings.onOtherThread(isStopped: { self.isStopped }) { surroundings in
          try surroundings.generate(requests[index]) { try add($0, of: index) }
        }
        // Also after an engine that said nothing: the others must not wait for it.
        state.withLock { _ = $0.promptsRead.insert(index / choicesOfPrompt) }
      }
    } catch {
      failure = error
    }
    state.withLock { state in
      state.running -= 1
      if let failure, state.failure == nil, !state.isStopped {
        state.failure = failure
        state.isStopped = true
      }
    }
    state.wakeAll()
  }

  private func nextChoice() -> Int? {
    var found: Int?
    state.wait { state in
      guard !state.isStopped, state.next < requests.count else { return true }
      let prompt = state.next / choicesOfPrompt
      guard state.next.isMultiple(of: choicesOfPrompt) || state.promptsRead.contains(prompt) else { return false }
      found = state.next
      state.next += 1
      return true
    }
    // Whoever waited for this choice may look at the next one.
    state.wakeAll()
    return found
  }

  private func add(_ event: EngineEvent, of choice: Int) throws {
    var isTaken = false
    state.wait { state in
      guard !state.isStopped else { return true }
      guard state.events.count < Self.mostWaiting else { return false }
      state.events.append((choice, event))
      state.promptsRead.insert(choice / choicesOfPrompt)
      isTaken = true
      return true
    }
    state.wakeAll()
    if !isTaken { throw Stopped() }
  }
}
