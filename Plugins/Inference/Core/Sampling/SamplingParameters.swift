/// How the next token is chosen; the defaults leave the model's distribution as it is.
package struct SamplingParameters: Equatable, Sendable {
  /// What is added to the logit of one token.
  package struct Bias: Equatable, Sendable {
    package let token: Int32
    package let value: Double

    package init(token: Int32, value: Double) {
      self.token = token
      self.value = value
    }
  }

  /// 0...2; 0 takes the most likely token always.
  package var temperature: Double
  /// Only the k most likely tokens; 0 for all.
  package var topK: Int
  /// 0...1: only the most likely tokens that together reach this share; 1 for all.
  package var topP: Double
  /// 0...1: only tokens at least this share as likely as the most likely one; 0 for all.
  package var minP: Double
  /// 0...1: only the tokens nearest to the expected surprise that together reach this share; 1 for all.
  package var typicalP: Double
  /// 0.01...2: divides the positive logits of tokens in prompt and answer, multiplies the others; 1 for none.
  package var repetitionPenalty: Double
  /// -2...2: taken from a token's logit for each time the answer has it.
  package var frequencyPenalty: Double
  /// -2...2: taken once from the logit of each token the answer has.
  package var presencePenalty: Double
  /// -100...100 each, by ascending token, no token twice.
  package var bias: [Bias]
  /// Same seed, same choices.
  package var seed: UInt64

  package init(
    temperature: Double = 1, topK: Int = 0, topP: Double = 1, minP: Double = 0, typicalP: Double = 1,
    repetitionPenalty: Double = 1, frequencyPenalty: Double = 0, presencePenalty: Double = 0, bias: [Bias] = [],
    seed: UInt64 = 0
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.typicalP = typicalP
    self.repetitionPenalty = repetitionPenalty
    self.frequencyPenalty = frequencyPenalty
    self.presencePenalty = presencePenalty
    self.bias = bias
    self.seed = seed
  }
}
