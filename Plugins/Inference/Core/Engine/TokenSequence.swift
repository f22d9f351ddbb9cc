/// A sequence that the scheduler advances: its tokens, its pages, and what it has told its caller.
///
/// Belongs to the scheduler's thread, except while `choose` runs on one of the pool's.
final class TokenSequence {
  let job: Job
  /// Grows with arrival; unique.
  let arrival: UInt64
  /// Prompt and answer, as far as it is known.
  private(set) var tokens: [Int32]
  /// Positions whose keys and values are in the pages.
  private(set) var computed = 0
  /// Leaves of the positions from the start, 32 bytes each; survives the loss of the pages.
  private(set) var leaves: [UInt8] = []
  /// Positions that were found in the prefix cache when the sequence was first admitted.
  private(set) var cachedTokens = 0
  private(set) var lookup = PromptLookup()
  var guesses = GuessRecord()
  /// Tokens that the next step verifies.
  var guessed: ArraySlice<Int32> = []
  /// How many guesses of the last step were right.
  private(set) var lastRight = 0
  /// Set after a guess led to a number that is not finite: the sequence goes on without.
  var guessesFault = false
  let holding: Holding
  /// How the job ended; the sequence leaves the scheduler.
  private(set) var ending: Job.Ending?

  private var writer: AnswerWriter?
  private var mostTokens = 0
  private let isTraced: Bool
  private var sums: [Float] = []
  private var wasAdmitted = false
  private var hasStarted = false

  init(_ job: Job, arrival: UInt64, model: Model) {
    self.job = job
    self.arrival = arrival
    tokens = job.prompt
    holding = Holding(model)
    switch job.work {
    case .answer(let writer, let most, let traced):
      self.writer = writer
      mostTokens = most
      isTraced = traced
    case .embedding:
      sums = [Float](repeating: 0, count: model.sizes.width)
      isTraced = false
    }
  }

  /// Tokens known and not yet computed: 1 for an answer in progress.
  var known: Int { tokens.count - computed }

  var isAnswer: Bool { writer != nil }

  /// Whether the last prompt token has been computed at least once.
  var isPastPrompt: Bool { hasStarted }

  var isPaused: Bool { job.isFull }

  /// Whether a position's leaf is asked for and not there yet.
  func wantsLeaf(_ position: Int) -> Bool { isTraced && position * Digest.size >= leaves.count }

  /// Whether a prefix is of use only with its leaves.
  var needsLeaves: Bool { isTraced && leaves.count < (tokens.count - 1) * Digest.size }

  /// Takes note of a prefix that need not be computed.
  func begin(at position: Int, leaves found: [UInt8]) {
    computed = position
    if isTraced, found.count > leaves.count { leaves = found }
    if !wasAdmitted { cachedTokens = position }
    wasAdmitted = true
  }

  /// Its pages are gone; everything will be computed again.
  func restart() {
    computed = 0
    guessed = []
  }

  /// How the text may go on, at most `most` tokens.
  func guess(most: Int) -> ArraySlice<Int32> { lookup.guess(after: tokens, most: most) }

  /// Takes note of a step that computed `count` known tokens.
  func advance(_ count: Int, leaf: (Int) -> [UInt8]) {
    for position in computed..<computed + count where wantsLeaf(position) { leaves += leaf(position - computed) }
    computed += count
  }

  /// Adds the vectors of columns, [count][width], to the sum; ends when none is missing.
  func add(_ vectors: UnsafeBufferPointer<Float>) {
    let width = sums.count
    for start in stride(from: 0, to: vectors.count, by: width) {
      for index in 0..<width { sums[index] += vectors[start + index] }
    }
    if known == 0 { ending = .embedded(sums) }
  }

  /// Chooses tokens from rows of logits: one, and one more for each guess that was right.
  ///
  /// `leaf` gives the leaf of the n-th guess.
  func choose(_ rows: UnsafeMutableBufferPointer<Float>, vocabulary: Int, path: Int32, leaf: (Int) -> [UInt8]) {
    var events: [GenerationEvent] = []
    if !hasStarted { events.append(.start(promptTokens: job.prompt.count, cachedTokens: cachedTokens)) }
    hasStarted = true
    let guessed = Array(self.guessed)
    self.guessed = []
    var right = 0
    while ending == nil {
      let row = UnsafeMutableBufferPointer(rebasing: rows[right * vocabulary..<(right + 1) * vocabulary])
      do throws(InferenceError) {
        guard let choice = try writer?.take(row, position: tokens.count, path: path) else { return }
        tokens.append(choice.token)
        events += choice.events
        if let finish = choice.finish { ending = .answered(answer(finish)) }
        guard ending == nil, right < guessed.count, guessed[right] == choice.token else { break }
        if wantsLeaf(computed) { leaves += leaf(right) }
        computed += 1
        right += 1
      } catch { ending = .failed(error) }
    }
    guesses.note(right: right, of: guessed.count)
    lastRight = right
    job.post(events, ending: ending)
  }

  private func answer(_ finish: GenerationEvent.FinishReason) -> Job.Answer {
    Job.Answer(
      finish: finish, output: Array(tokens[job.prompt.count...]), completionTokens: writer?.completionTokens ?? 0,
      cachedTokens: cachedTokens, leaves: leaves)
  }
}
