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
  private var logprobs: LogprobQueue?
  /// What the answer's text may be; nil for anything.
  private let form: FormReader?
  /// Takes calls out of the text where tools are offered.
  private var calls: ToolCallParser?
  /// The control token that begins calls, and the text that stands for it.
  private let marker: (token: Int32, bytes: [UInt8])?
  private let seed: UInt64
  /// Log-probabilities of text that is kept back.
  private var kept: [GenerationEvent.TokenLogprob] = []
  private let tokenizer: Tokenizer
  /// The token before the next one.
  private var previous: Int32?
  private let maxTokens: Int
  /// Tokens of the answer so far, without the one that ends it.
  private(set) var completionTokens = 0

  init(
    _ request: GenerationRequest, prompt: [Int32], maxTokens: Int, model: Model
  ) throws(InferenceError) {
    let vocabulary = model.tokenizer.vocabularySize
    if let bias = request.sampling.bias.last, bias.token >= vocabulary {
      throw GenerationRequest.wrong(
        "logit_bias", "names the token \(bias.token), but this model's tokens are 0 to \(vocabulary - 1)")
    }
    sampler = Sampler(request.sampling, prompt: prompt)
    stream = TextStream(stops: request.stops)
    logprobs = request.logprobs.map { LogprobQueue(alternatives: $0) }
    tokenizer = model.tokenizer
    previous = prompt.last
    let callForm = (try? model.template.get())?.toolForm ?? .tagged
    form = try model.forms.reader(request, model.tokenizer, calls: callForm)
    seed = request.sampling.seed
    let hasTools = !request.offeredTools.isEmpty
    calls = hasTools ? ToolCallParser(callForm) : nil
    marker =
      hasTools
      ? callForm.marker.flatMap { name in model.tokenizer.special(name).map { ($0, Array(name.utf8)) } } : nil
    self.maxTokens = maxTokens
  }

  /// Chooses the token after `position` tokens.
  ///
  /// Called once for each token of the answer, in order. Changes the row.
  mutating func take(
    _ logits: UnsafeMutableBufferPointer<Float>, position: Int, path: Int32
  ) throws(InferenceError) -> Choice {
    let likelihoods = logprobs == nil ? nil : Likelihoods(logits, path: path)
    let allowed = try allowed()
    guard let token = sampler.pick(logits, position: position, path: path, allowed: allowed) else {
      throw InferenceError(.internal, "numeric_fault", "The model produced a number that is not finite.")
    }
    var choice = Choice(token: token, events: [], finish: nil)
    if tokenizer.ends.contains(token) {
      choice.finish = .stop
    } else {
      completionTokens += 1
      if let likelihoods { logprobs?.add(token, among: likelihoods, tokenizer) }
      let isWhole = try read(token)
      let added = tokenizer.addedBytes(of: token, after: previous)
      let bytes = marker.flatMap { $0.token == token ? $0.bytes : nil } ?? tokenizer.bytes(of: token)
      add(stream.add(bytes, skipping: added), to: &choice)
      previous = token
      if stream.stopped || isWhole {
        choice.finish = .stop
      } else if completionTokens == maxTokens {
        choice.finish = .length
      }
    }
    if choice.finish != nil { add(stream.finish(), isLast: true, to: &choice) }
    if choice.finish == .stop, calls.map({ $0.calls > 0 }) ?? false { choice.finish = .toolCalls }
    return choice
  }

  /// The tokens that the form allows now; nil for all.
  private func allowed() throws(InferenceError) -> [UInt64]? {
    guard let form else { return nil }
    do throws(GrammarFault) {
      let mask = try form.allowed()
      guard mask.contains(where: { $0 != 0 }) else {
        throw GrammarFault("cannot be written with this model's tokens")
      }
      return mask
    } catch {
      throw AnswerForms.refusal(error)
    }
  }

  /// Takes note of a token; whether the answer is whole and nothing, not even a token that ends it, may follow.
  private func read(_ token: Int32) throws(InferenceError) -> Bool {
    guard let form else { return false }
    do throws(GrammarFault) { try form.read(tokenizer.bytes(of: token)) } catch { throw AnswerForms.refusal(error) }
    return form.isAtEnd && tokenizer.ends.isEmpty
  }

  private mutating func add(_ text: String, isLast: Bool = false, to choice: inout Choice) {
    let entries = logprobs?.take(before: stream.givenBytes, all: isLast && !stream.stopped)
    guard calls != nil else {
      guard !text.isEmpty || entries?.isEmpty == false else { return }
      choice.events.append(.text(text, tokens: completionTokens, logprobs: entries))
      return
    }
    kept += entries ?? []
    let before = calls?.calls ?? 0
    var pieces = text.isEmpty ? [] : calls?.add(text) ?? []
    if isLast { pieces += calls?.finish() ?? [] }
    var index = before
    for piece in pieces {
      switch piece {
      case .text(let text):
        choice.events.append(.text(text, tokens: completionTokens, logprobs: entries == nil ? nil : kept))
        kept = []
      case .call(let call):
        choice.events.append(
          .toolCall(index: index, id: id(of: call, index), name: call.name, arguments: call.arguments))
        kept = []
        index += 1
      }
    }
  }

  /// A name for a call that the same answer always has.
  private func id(of call: ToolCallParser.Call, _ index: Int) -> String {
    var message = Array("symbolon.call/1".utf8)
    message.append(number: seed)
    message.append(number: UInt32(clamping: index))
    message.append(slice: call.name.utf8)
    message.append(slice: call.arguments.utf8)
    return "call_" + Hexadecimal.text(Array(Digest(of: message).bytes.prefix(12)))
  }
}
