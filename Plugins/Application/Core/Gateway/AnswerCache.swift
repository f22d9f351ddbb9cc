/// Answers to requests with an `Idempotency-Key`, kept in memory for ten minutes so that a repeat costs nothing.
///
/// Answers are never written anywhere. Bounded by count and by size; the oldest go first.
final class AnswerCache: Sendable {
  /// A whole answer, ready to be sent again.
  struct Answer: Equatable {
    var body: [UInt8]
    var headers: [JSONValue.Member]
  }

  private struct Entry {
    /// Of the request's body: another body under the same key is a client's mistake.
    var fingerprint: [UInt8]
    var answer: Answer?
    var milliseconds: UInt64
  }

  private struct State {
    var entries: [[UInt8]: Entry] = [:]
    var bytes = 0
  }

  private let state = Monitor(State())
  private let maximumEntries: Int
  private let maximumBytes: Int

  init(maximumEntries: Int = 256, maximumBytes: Int = 16 << 20) {
    self.maximumEntries = maximumEntries
    self.maximumBytes = maximumBytes
  }

  /// The kept answer to a request, or nil when it is new and now counts as running.
  ///
  /// A second request with the same id is refused meanwhile.
  func begin(_ id: [UInt8], fingerprint: [UInt8], now: UInt64) throws(Refusal) -> Answer? {
    let found: Result<Answer?, Refusal> = state.withLock { state in
      Self.forget(&state) { $0.answer != nil && $0.milliseconds + Book.paymentLifetimeMilliseconds <= now }
      guard let entry = state.entries[id] else {
        state.entries[id] = Entry(fingerprint: fingerprint, milliseconds: now)
        return .success(nil)
      }
      guard entry.fingerprint == fingerprint else {
        return .failure(
          Refusal(
            .invalid, "idempotency_key_reused",
            "This Idempotency-Key was used with another request body. Use a new one for a new request.",
            parameter: "Idempotency-Key"))
      }
      guard let answer = entry.answer else {
        return .failure(
          Refusal(
            .conflict, "idempotency_key_in_use",
            "The request with this Idempotency-Key is still running. Wait for its answer.", retryAfterSeconds: 1))
      }
      return .success(answer)
    }
    return try found.get()
  }

  /// Ends a running request, with its answer if a repeat may have it.
  func finish(_ id: [UInt8], _ answer: Answer?) {
    state.withLock { state in
      guard let answer, answer.body.count <= maximumBytes else {
        state.entries[id] = nil
        return
      }
      state.entries[id]?.answer = answer
      state.bytes += answer.body.count
      while state.bytes > maximumBytes || state.entries.count > maximumEntries {
        let kept = state.entries.filter { $0.value.answer != nil && $0.key != id }
        guard let oldest = kept.min(by: { $0.value.milliseconds < $1.value.milliseconds }) else { return }
        Self.remove(oldest.key, &state)
      }
    }
  }

  private static func forget(_ state: inout State, _ isOld: (Entry) -> Bool) {
    for (id, entry) in state.entries where isOld(entry) { remove(id, &state) }
  }

  private static func remove(_ id: [UInt8], _ state: inout State) {
    guard let entry = state.entries.removeValue(forKey: id) else { return }
    state.bytes -= entry.answer?.body.count ?? 0
  }
}
