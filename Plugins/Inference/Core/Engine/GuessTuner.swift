/// Decides how many guessed tokens are worth verifying: what a wider step costs, against how often guesses were right.
///
/// Costs are measured while the engine works, so the same rule fits a machine whose steps are bound by memory (more columns
/// are almost free) and one whose steps are bound by arithmetic (they are not). It never touches what an answer says.
package struct GuessTuner {
  /// The most guesses of one sequence in one step.
  package static let most = 7

  /// Seconds of a step by its number of columns, as moving averages; 0 where none was seen.
  private var seconds = [Double](repeating: 0, count: 65)

  package init() {}

  /// Takes note of what a step of decode columns cost.
  package mutating func note(columns: Int, seconds measured: Double) {
    guard seconds.indices.contains(columns), measured > 0 else { return }
    let old = seconds[columns]
    // A step that was interrupted says nothing about the columns, so outliers count little.
    let sample = old == 0 ? measured : min(measured, old * 2)
    seconds[columns] = old == 0 ? sample : old + (sample - old) / 16
  }

  /// How many guesses to verify beside `others` columns, when a guess was right with this probability; 0 to `most`.
  package func guesses(beside others: Int, chance: Double, most: Int) -> Int {
    var best = 0
    var bestGain = 1.0
    var expected = 1.0
    var power = 1.0
    let base = cost(others + 1)
    for count in stride(from: 1, through: min(most, Self.most), by: 1) {
      power *= chance
      expected += power
      // The whole step is slowed, so what the others lose counts as well.
      let gain = (Double(others) + expected) / Double(others + 1) / (cost(others + 1 + count) / base)
      if gain > bestGain * 1.02 { (best, bestGain) = (count, gain) }
    }
    return best
  }

  /// The seconds of a step, from the nearest sizes that were measured; relative when none was.
  private func cost(_ columns: Int) -> Double {
    let columns = min(columns, seconds.count - 1)
    if seconds[columns] > 0 { return seconds[columns] }
    let below = stride(from: columns - 1, through: 1, by: -1).first { seconds[$0] > 0 }
    let above = (columns + 1..<seconds.count).first { seconds[$0] > 0 }
    switch (below, above) {
    case (let low?, let high?):
      let share = Double(columns - low) / Double(high - low)
      return seconds[low] + (seconds[high] - seconds[low]) * share
    case (let low?, nil): return seconds[low] * Self.guess(columns) / Self.guess(low)
    case (nil, let high?): return seconds[high] * Self.guess(columns) / Self.guess(high)
    case (nil, nil): return Self.guess(columns)
    }
  }

  /// Before anything was measured: the first column costs as much as two later ones.
  private static func guess(_ columns: Int) -> Double { 1 + Double(columns - 1) * 0.5 }
}

/// How often the guesses for one sequence were right, and whether to guess at all for now.
package struct GuessRecord {
  /// A moving average of the share that was right.
  package private(set) var chance = 0.6
  /// Steps without a guess, after guessing did not pay.
  private var rest = 0
  private var nextRest = 8

  package init() {}

  /// Takes note of a verification.
  package mutating func note(right: Int, of count: Int) {
    guard count > 0 else { return }
    // Guesses after the first wrong one were not judged.
    let judged = min(right + 1, count)
    for index in 0..<judged { chance += ((index < right ? 1 : 0) - chance) / 8 }
    if right > 0 { nextRest = 8 }
  }

  /// Whether a guess may be tried now; after failures only from time to time, and ever more rarely.
  package mutating func mayGuess(pays: Bool) -> Bool {
    if rest > 0 {
      rest -= 1
      return false
    }
    if pays { return true }
    rest = nextRest
    nextRest = min(nextRest * 2, 256)
    // Once in a while one guess, to see whether the text repeats itself now.
    chance = max(chance, 0.35)
    return false
  }
}
