/// Feeds tokens that are known already to a model, many at a time, and shows what each position leaves behind.
struct Prefill {
  /// What one position left; valid during the visit.
  struct Position {
    let digests: PositionDigests
    /// The row of logits behind it, where rows were wanted; the visitor may change it.
    let row: UnsafeMutableBufferPointer<Float>?
    /// What every operator gave, at the position that is observed.
    let operators: OperatorTrace?
  }

  /// Rows of logits of one step: memory grows with them, and beyond these speed does not.
  private static let mostRows = 64

  private let model: Model
  private let session: Session

  /// The instruction set that computes.
  var path: Int32 { session.path }

  /// Takes the buffers for steps of a model; `observes` is whether a run may observe a position.
  init(_ model: Model, pool: WorkerPool, observes: Bool = false, path: Int32? = nil) throws(InferenceError) {
    self.model = model
    session = try Session(model, pool: pool, logitRows: Self.mostRows, observed: observes ? 1 : 0, path: path)
  }

  /// Refuses tokens that the model cannot be fed.
  static func check(_ tokens: [Int32], _ model: Model) throws(InferenceError) {
    guard tokens.count <= model.context else {
      throw InferenceError(
        .invalidRequest, "context_length_exceeded",
        "These are \(tokens.count) tokens, but the model's context is \(model.context): is it the right model?")
    }
    let vocabulary = model.tokenizer.vocabularySize
    guard !tokens.isEmpty, let wrong = tokens.first(where: { $0 < 0 || Int($0) >= vocabulary }) else {
      if !tokens.isEmpty { return }
      throw InferenceError(.invalidRequest, "no_tokens", "There is no token to compute anything from.")
    }
    throw InferenceError(
      .invalidRequest, "unknown_token",
      "There is a token \(wrong), but this model's are 0 to \(vocabulary - 1): is it the right model?")
  }

  /// Runs the tokens from position 0, until `visit` gives false; rows are wanted from position `first` on.
  func run(
    _ tokens: [Int32], rowsFrom first: Int, observing observed: Int? = nil, isCancelled: () -> Bool = { false },
    visit: (Position) throws -> Bool
  ) throws {
    try Self.check(tokens, model)
    let cache = try SequenceCache(model, positions: tokens.count)
    let vocabulary = model.tokenizer.vocabularySize
    var start = 0
    while start < tokens.count {
      if isCancelled() { throw InferenceError(.cancelled, "cancelled", "The command was asked to end.") }
      let firstRow = max(start, first)
      let end = min(start + session.columns, tokens.count, firstRow + Self.mostRows)
      let columns = (start..<end).map { position in
        Session.Column(
          token: tokens[position], position: position, cache: cache, wantsLogits: position >= first, wantsLeaf: true,
          wantsOperators: position == observed)
      }
      let logits: UnsafeBufferPointer<Float>
      do throws(StepFailure) { logits = try session.step(columns) } catch { throw error.error }
      let rows = UnsafeMutableBufferPointer(mutating: logits)
      for position in start..<end {
        let row = (position - firstRow) * vocabulary
        let seen = Position(
          digests: session.digests(position - start),
          row: position < first ? nil : UnsafeMutableBufferPointer(rebasing: rows[row..<row + vocabulary]),
          operators: position == observed ? session.operators(0) : nil)
        guard try visit(seen) else { return }
      }
      start = end
    }
  }
}
