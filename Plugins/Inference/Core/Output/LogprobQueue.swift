/// Log-probabilities of tokens whose text has not been given out yet.
///
/// A token's entry leaves with the text that has its first byte, so the bytes of the entries are those of the text; what
/// a stop string cuts off is never told.
struct LogprobQueue: Sendable {
  private let alternatives: Int
  private var waiting: [(start: Int, entry: GenerationEvent.TokenLogprob)] = []
  /// Bytes of all tokens so far.
  private var length = 0

  /// `alternatives` are told with each token.
  init(alternatives: Int) { self.alternatives = alternatives }

  /// Adds the token that was chosen.
  mutating func add(_ token: Int32, among likelihoods: Likelihoods, _ tokenizer: Tokenizer) {
    func candidate(_ entry: Likelihoods.Entry) -> GenerationEvent.Candidate {
      GenerationEvent.Candidate(token: entry.token, bytes: tokenizer.bytes(of: entry.token), logprob: entry.logprob)
    }
    let entry = GenerationEvent.TokenLogprob(
      chosen: candidate(likelihoods.entry(token)), top: likelihoods.top(alternatives).map(candidate))
    waiting.append((length, entry))
    length += entry.chosen.bytes.count
  }

  /// The entries of the tokens that begin before byte `given`; with `all` also those that begin there, without bytes.
  mutating func take(before given: Int, all: Bool) -> [GenerationEvent.TokenLogprob] {
    let count = waiting.prefix { $0.start < given || (all && $0.start == given) }.count
    defer { waiting.removeFirst(count) }
    return waiting.prefix(count).map(\.entry)
  }
}
