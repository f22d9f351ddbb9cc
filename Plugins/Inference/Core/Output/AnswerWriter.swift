/// Chooses the tokens of one answer and turns them into events.
///
/// A value, used by one thread at a time.
struct AnswerWriter: Sendable {
  /// What a row of logits led to.
  struct Choice {
    /// The token that follows; recorded even when it ends the answer.
    var token: Int32
    var events: [GenerationEvent]
    /// Why the answer ends here; nil when it goes on.
    var finish: GenerationEvent.FinishReason?
  }

  private var sampler: Sampler
  private var stream: TextStream
  private let tokenizer: Tokenizer
  private let maxTokens: Int
  /// Tokens of the answer so far, without the one that ends it.
  private(set) var completionTokens = 0

  init(
    _ request: GenerationRequest, prompt: [Int32], maxTokens: Int, model: Model
  ) throws(InferenceError) {
    sampler = Sampler(request.sampling)
    stream = TextStream(stops: request.stops)
    tokenizer = model.tokenizer
    self.maxTokens = maxTokens
  }

  /// Chooses the token after `position` tokens; called once for each token of the answer, in order.
  mutating func take(
    _ logits: UnsafeMutableBufferPointer<Float>, position: Int, path: Int32
  ) throws(InferenceError) -> Choice {
    guard let token = sampler.pick(UnsafeBufferPointer(logits), position: position, path: path) else {
      throw InferenceError(.internal, "numeric_fault", "The model produced a number that is not finite.")
    }
    var choice = Choice(token: token, events: [], finish: nil)
    if tokenizer.ends.contains(token) {
      choice.finish = .stop
    } else {
      completionTokens += 1
      add(stream.add(tokenizer.bytes(of: token)), to: &choice)
      if stream.stopped { choice.finish = .stop } else if completionTokens == maxTokens { choice.finish = .length }
    }
    if choice.finish != nil { add(stream.finish(), to: &choice) }
    return choice
  }

  private func add(_ text: String, to choice: inout Choice) {
    if !text.isEmpty { choice.events.append(.text(text, tokens: completionTokens)) }
  }
}
