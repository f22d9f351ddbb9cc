/// Decides what the next step of a model computes: the next token of every answer first, then parts of prompts in turn.
///
/// A pure value. No sequence starves: answers always get their column, and prompts share a bounded number of columns in
/// equal parts, the turn going on where it ended.
package struct StepPlanner {
  /// What a sequence has to do.
  package struct Candidate: Equatable {
    /// Grows with arrival; unique.
    package var arrival: UInt64
    /// Tokens that are known but not yet computed: 1 for an answer in progress, more for a prompt.
    package var known: Int
    /// Whether the last of them gives a row of logits.
    package var wantsRow: Bool
    /// Guessed tokens that could be verified after them.
    package var guesses: Int

    package init(arrival: UInt64, known: Int, wantsRow: Bool = true, guesses: Int = 0) {
      self.arrival = arrival
      self.known = known
      self.wantsRow = wantsRow
      self.guesses = guesses
    }
  }

  /// What a sequence does in the step.
  package struct Share: Equatable {
    package var arrival: UInt64
    /// Columns of known tokens.
    package var count: Int
    /// Columns of guessed tokens.
    package var guesses: Int

    package init(arrival: UInt64, count: Int, guesses: Int = 0) {
      self.arrival = arrival
      self.count = count
      self.guesses = guesses
    }
  }

  /// Prompt columns of a step while answers wait for their next token: bounds how long they wait.
  package var prefillBesideDecode = 64
  /// The fewest columns of a prompt in one step; fewer would waste the reading of the weights.
  package var leastPart = 16

  /// The last to have its turn.
  private var lastPrompt: UInt64 = 0
  private var lastAnswer: UInt64 = 0

  package init() {}

  /// The shares of a step of at most `columns` columns and `rows` rows of logits; answers come first.
  package mutating func plan(_ candidates: [Candidate], columns: Int, rows: Int) -> [Share] {
    var shares: [Share] = []
    var columnsLeft = columns
    var rowsLeft = rows
    let answers = Self.inTurn(candidates.filter { $0.known == 1 }, after: lastAnswer)
    for answer in answers {
      let row = answer.wantsRow ? 1 : 0
      guard columnsLeft > 0, rowsLeft >= row else { break }
      shares.append(Share(arrival: answer.arrival, count: 1, guesses: 0))
      columnsLeft -= 1
      rowsLeft -= row
      lastAnswer = answer.arrival
    }
    for index in shares.indices {
      let wanted = answers[index].guesses
      let given = max(0, min(wanted, columnsLeft, rowsLeft))
      shares[index].guesses = given
      columnsLeft -= given
      rowsLeft -= given
    }
    let limit = shares.isEmpty ? columnsLeft : min(columnsLeft, prefillBesideDecode)
    return shares + prompts(Self.inTurn(candidates.filter { $0.known > 1 }, after: lastPrompt), limit, rowsLeft)
  }

  /// Parts of prompts: equal ones, then what is left over to the first.
  private mutating func prompts(_ waiting: [Candidate], _ limit: Int, _ rows: Int) -> [Share] {
    guard limit > 0, !waiting.isEmpty else { return [] }
    let part = max(leastPart, limit / waiting.count)
    var shares: [Share] = []
    var left = limit
    for candidate in waiting where left > 0 {
      let count = min(candidate.known, part, left)
      shares.append(Share(arrival: candidate.arrival, count: count, guesses: 0))
      left -= count
      lastPrompt = candidate.arrival
    }
    for index in shares.indices where left > 0 {
      let more = min(waiting[index].known - shares[index].count, left)
      shares[index].count += more
      left -= more
    }
    return Self.bounded(shares, waiting, rows: rows)
  }

  /// A prompt that would end without a row of logits left for it stops one token short.
  private static func bounded(_ shares: [Share], _ waiting: [Candidate], rows: Int) -> [Share] {
    var rowsLeft = rows
    return zip(shares, waiting).compactMap { share, candidate in
      guard candidate.wantsRow, share.count == candidate.known else { return share }
      if rowsLeft > 0 {
        rowsLeft -= 1
        return share
      }
      return share.count > 1 ? Share(arrival: share.arrival, count: share.count - 1, guesses: 0) : nil
    }
  }

  /// By arrival, beginning behind the one that came last.
  private static func inTurn(_ candidates: [Candidate], after last: UInt64) -> [Candidate] {
    let sorted = candidates.sorted { $0.arrival < $1.arrival }
    let start = sorted.firstIndex { $0.arrival > last } ?? 0
    return Array(sorted[start...] + sorted[..<start])
  }
}
