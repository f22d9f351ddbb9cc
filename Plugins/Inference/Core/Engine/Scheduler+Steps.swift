/// One step of a model, from the plan to the tokens.
extension Scheduler {
  /// What a sequence does in a step.
  private struct Part {
    let sequence: TokenSequence
    let count: Int
    /// The first row of logits of the part; nil when it wants none.
    var row: Int?
    /// The number of the part's first leaf, and the column, counted from the part's first, that it is of: the columns
    /// before it have theirs from an earlier run.
    var leaf = 0
    var leafOffset = 0
    var hidden = 0
    let guesses: Int

    init(_ sequence: TokenSequence, count: Int) {
      self.sequence = sequence
      self.count = count
      guesses = sequence.guessed.count
    }

    var columns: Int { count + guesses }
  }

  /// Plans and runs one step; whether there was anything to do.
  func step(_ lane: Lane) -> Bool {
    let shares = plan(lane)
    guard !shares.isEmpty else { return false }
    var byArrival: [UInt64: TokenSequence] = [:]
    for sequence in lane.active { byArrival[sequence.arrival] = sequence }
    // The oldest first, so that it is never the one to give way.
    for share in shares.sorted(by: { $0.arrival < $1.arrival }) {
      guard let sequence = byArrival[share.arrival], lane.active.contains(where: { $0 === sequence }) else { continue }
      sequence.guessed = sequence.guessed.prefix(share.guesses)
      guard reserve(share.count, for: sequence, lane, preempting: true) else { continue }
      if !sequence.guessed.isEmpty,
        !reserve(share.count + sequence.guessed.count, for: sequence, lane, preempting: false)
      {
        sequence.guessed = []
      }
    }
    let parts = shares.compactMap { share -> Part? in
      guard let sequence = byArrival[share.arrival], lane.active.contains(where: { $0 === sequence }) else {
        return nil
      }
      return Part(sequence, count: share.count)
    }
    if !parts.isEmpty { run(parts, lane) }
    return true
  }

  /// The shares of the next step, with guesses where they pay.
  private func plan(_ lane: Lane) -> [StepPlanner.Share] {
    let runnable = lane.active.filter { !$0.isPaused }
    guard !runnable.isEmpty else { return [] }
    let answering = runnable.count { $0.known == 1 && $0.isAnswer }
    // Beside prompts the step is bound by arithmetic, and a guess would only delay them.
    let mayGuess = lane.limits.speculation && answering == runnable.count
    var beside = answering - 1
    for sequence in runnable {
      sequence.guessed = mayGuess && !sequence.guessesFault ? guess(for: sequence, lane, beside: beside) : []
      beside += sequence.guessed.count
    }
    return lane.planner.plan(
      runnable.map { sequence in
        StepPlanner.Candidate(
          arrival: sequence.arrival, known: sequence.known, wantsRow: sequence.isAnswer,
          guesses: sequence.guessed.count)
      }, columns: lane.session.columns, rows: lane.session.logitRows)
  }

  private func guess(for sequence: TokenSequence, _ lane: Lane, beside: Int) -> ArraySlice<Int32> {
    // The last token of an answer is never fed, so no guess may stand in its place.
    let room = min(sequence.job.prompt.count + sequence.job.mostAnswerTokens - 1, lane.model.context)
    let guess = sequence.guess(most: min(GuessTuner.most, room - sequence.tokens.count))
    guard !guess.isEmpty else { return [] }
    if let fixed = lane.limits.guesses { return guess.prefix(fixed) }
    let worth = lane.tuner.guesses(beside: beside, chance: sequence.guesses.chance, most: guess.count)
    return sequence.guesses.mayGuess(pays: worth > 0) ? guess.prefix(worth) : []
  }

  private func run(_ planned: [Part], _ lane: Lane) {
    var parts = planned
    let columns = lay(&parts, lane)
    counters.columns += columns.count
    let began = monotonicNanoseconds()
    do throws(StepFailure) {
      let logits = try lane.session.step(columns)
      if parts.allSatisfy({ $0.count == 1 }) {
        lane.tuner.note(columns: columns.count, seconds: Double(monotonicNanoseconds() - began) / 1e9)
      }
      deliver(UnsafeMutableBufferPointer(mutating: logits), parts, lane)
    } catch { fail(error, parts, lane) }
    note(parts, lane, seconds: Double(monotonicNanoseconds() - began) / 1e9)
  }

  /// The columns of the parts, one part after the other; fills in where their results will lie.
  private func lay(_ parts: inout [Part], _ lane: Lane) -> [Session.Column] {
    var columns: [Session.Column] = []
    var rows = 0
    var leaves = 0
    var hidden = 0
    for index in parts.indices {
      let sequence = parts[index].sequence
      let endsKnown = parts[index].count == sequence.known && sequence.isAnswer
      (parts[index].row, parts[index].leaf, parts[index].hidden) = (endsKnown ? rows : nil, leaves, hidden)
      for offset in 0..<parts[index].columns {
        let position = sequence.computed + offset
        let isGuess = offset >= parts[index].count
        let token =
          isGuess
          ? sequence.guessed[sequence.guessed.startIndex + offset - parts[index].count] : sequence.tokens[position]
        let wantsRow = sequence.isAnswer && (isGuess || (endsKnown && offset == parts[index].count - 1))
        let wantsLeaf = sequence.wantsLeaf(position)
        if !wantsLeaf { parts[index].leafOffset = offset + 1 }
        columns.append(
          Session.Column(
            token: token, position: position, cache: sequence.holding.cache, wantsLogits: wantsRow,
            wantsHidden: !sequence.isAnswer, wantsLeaf: wantsLeaf))
        rows += wantsRow ? 1 : 0
        leaves += wantsLeaf ? 1 : 0
        hidden += sequence.isAnswer ? 0 : 1
      }
    }
    return columns
  }

  /// Gives each sequence its results, on all threads; lets go of those that are complete.
  private func deliver(_ logits: UnsafeMutableBufferPointer<Float>, _ parts: [Part], _ lane: Lane) {
    let vocabulary = lane.model.tokenizer.vocabularySize
    let width = lane.model.sizes.width
    let hidden = lane.session.hidden
    func leaf(_ part: Part, offset: Int) -> [UInt8] {
      lane.session.leaf(part.leaf + offset - part.leafOffset).bytes
    }
    for part in parts {
      part.sequence.advance(part.count) { leaf(part, offset: $0) }
      if !part.sequence.isAnswer {
        part.sequence.add(
          UnsafeBufferPointer(rebasing: hidden[part.hidden * width..<(part.hidden + part.count) * width]))
      }
    }
    let choosing = UncheckedValue(
      parts.compactMap { part in
        part.row.map { row in
          let rows = UnsafeMutableBufferPointer(
            rebasing: logits[row * vocabulary..<(row + 1 + part.guesses) * vocabulary])
          return (part, rows)
        }
      })
    let path = lane.session.path
    func choose(_ index: Int) {
      let (part, rows) = choosing.value[index]
      part.sequence.choose(rows, vocabulary: vocabulary, path: path) { leaf(part, offset: part.count + $0) }
    }
    switch choosing.value.count {
    case 0: break
    case 1: choose(0)
    default: pool.forEach(below: choosing.value.count, choose)
    }
    for part in parts {
      counters.guesses += part.guesses
      counters.rightGuesses += part.guesses > 0 ? part.sequence.lastRight : 0
      settle(part, lane)
    }
  }

  /// Remembers pages, and lets a sequence go that is complete.
  private func settle(_ part: Part, _ lane: Lane) {
    let sequence = part.sequence
    guard let ending = sequence.ending else {
      // A prompt that has just been read is of use to those who wait with the same beginning.
      lane.remember(
        sequence, part: part.row != nil && sequence.tokens.count == sequence.job.prompt.count + 1, now: turn)
      return
    }
    if case .answered(let answer) = ending { lane.pace.note(answer: answer.completionTokens) }
    if case .embedded = ending { sequence.job.post([], ending: ending) }
    if case .failed = ending {
      lane.release(sequence, now: turn, faulty: true)
    } else {
      lane.release(sequence, now: turn)
    }
    lane.active.removeAll { $0 === sequence }
  }

  /// A fault belongs to the sequence whose column it struck; the others run on.
  private func fail(_ failure: StepFailure, _ parts: [Part], _ lane: Lane) {
    var column = 0
    for part in parts {
      defer { column += part.columns }
      guard (column..<column + part.columns).contains(failure.column) else { continue }
      if failure.column - column >= part.count {
        // The guess was the fault's cause, not what the model said.
        part.sequence.guessesFault = true
      } else {
        part.sequence.job.fail(failure.error)
        lane.active.removeAll { $0 === part.sequence }
        lane.release(part.sequence, now: turn, faulty: true)
      }
    }
    for part in parts { part.sequence.guessed = [] }
  }

  /// Measures the step, and tells callers what they would have to wait for.
  private func note(_ parts: [Part], _ lane: Lane, seconds: Double) {
    let prompt = parts.reduce(0) { $0 + ($1.row == nil || $1.count > 1 ? $1.count : 0) }
    lane.pace.note(promptColumns: prompt, answerTokens: parts.count { $0.row != nil }, seconds: seconds)
    let remaining = lane.active.reduce(0.0) { sum, sequence in
      let left = sequence.job.prompt.count + sequence.job.mostAnswerTokens - sequence.tokens.count
      return sum + lane.pace.seconds(promptTokens: sequence.known, mostAnswerTokens: max(0, left))
    }
    counters.steps += 1
    counters.pageBytes = budget.used
    counters.active = lanes.reduce(0) { $0 + $1.active.count }
    shared.quietly { shared in
      shared.counters = counters
      shared.queues[lane.id]?.update(pace: lane.pace, activeCount: lane.active.count, activeSeconds: remaining)
    }
  }
}
