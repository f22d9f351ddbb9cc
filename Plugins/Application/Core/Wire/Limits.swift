/// The bounds of a request; beyond them it is refused before any work is done.
package enum Limits {
  package static let bodyBytes = 10 << 20
  package static let messages = 2048
  package static let stops = 16
  package static let stopBytes = 256
  /// The most tokens that can be asked for; the model's context is the real bound.
  package static let tokens: UInt64 = 1 << 20
  package static let topK: UInt64 = 1_000_000
  package static let labelBytes = 512
  /// The most answers of one request: prompts times `n`.
  package static let choices = 16
  /// Of these, the most that are made at once.
  package static let choicesAtOnce = 8
  package static let tools = 128
  package static let biases = 1024
  package static let chatLogprobs: UInt64 = 20
  package static let completionLogprobs: UInt64 = 5
  /// Texts of one request for embeddings.
  package static let inputs = 2048
  package static let metadata = 16
}
