/// How fast a model works, measured; what a caller who is turned away is told.
struct Pace: Sendable {
  /// Seconds for each column of prompts.
  private(set) var promptSeconds = 0.0
  /// Seconds for each token of answers, all sequences together.
  private(set) var answerSeconds = 0.0
  /// Tokens of an answer.
  private(set) var answerTokens = 0.0

  private static func blend(_ old: Double, _ sample: Double) -> Double {
    old == 0 ? sample : old + (sample - old) / 16
  }

  /// Takes note of a step.
  mutating func note(promptColumns: Int, answerTokens: Int, seconds: Double) {
    // Of a mixed step, the answers' part is what they cost alone.
    let answers = promptColumns == 0 ? seconds : min(seconds * 0.9, Double(answerTokens) * answerSeconds)
    if promptColumns > 0 { promptSeconds = Self.blend(promptSeconds, (seconds - answers) / Double(promptColumns)) }
    if answerTokens > 0, promptColumns == 0 || answerSeconds == 0 {
      answerSeconds = Self.blend(answerSeconds, seconds / Double(answerTokens + promptColumns))
    }
  }

  /// Takes note of a complete answer.
  mutating func note(answer tokens: Int) { answerTokens = Self.blend(answerTokens, Double(tokens)) }

  /// The seconds that the work of a job takes, if it is like those before.
  func seconds(promptTokens: Int, mostAnswerTokens: Int) -> Double {
    let expected = answerTokens == 0 ? Double(mostAnswerTokens) : min(answerTokens, Double(mostAnswerTokens))
    return Double(promptTokens) * promptSeconds + expected * answerSeconds
  }
}
