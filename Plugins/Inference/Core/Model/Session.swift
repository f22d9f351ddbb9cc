import CSodium
import InferenceKernels

/// A number that is not finite, and the column it struck.
///
/// The lowest such column, and the first such number in it by section 11 of `docs/arithmetic.md`. The step's other
/// columns are valid but must be run again.
package struct StepFailure: Error, Equatable {
  package let column: Int
  package let layer: Int
  package let operation: Operator

  package var error: InferenceError {
    InferenceError(
      .internal, "numeric_fault",
      "The model produced a number that is not finite (layer \(layer), \(operation.name)): "
        + "its file is damaged or unsuited to this engine.")
  }
}

/// Runs steps of a model: the buffers for one batch at a time.
///
/// Used by one thread at a time.
package final class Session {
  /// One token at one position of one sequence.
  package struct Column {
    package let token: Int32
    package let position: Int
    package let cache: SequenceCache
    package let wantsLogits: Bool
    /// Whether the step gives what the head reads at this column: the residual after the last norm.
    package let wantsHidden: Bool
    /// Whether the step gives the digests that the column's leaf commits to.
    package let wantsLeaf: Bool
    /// Whether the step gives what every operator gave at this column; the last two only with logits.
    package let wantsOperators: Bool

    package init(
      token: Int32, position: Int, cache: SequenceCache, wantsLogits: Bool, wantsHidden: Bool = false,
      wantsLeaf: Bool = false, wantsOperators: Bool = false
    ) {
      self.token = token
      self.position = position
      self.cache = cache
      self.wantsLogits = wantsLogits
      self.wantsHidden = wantsHidden
      self.wantsLeaf = wantsLeaf
      self.wantsOperators = wantsOperators
    }
  }

  /// The most columns of one step.
  package static let mostColumns = Int(SYMBOLON_MAX_COLUMNS)

  package let model: Model
  private let pool: WorkerPool
  private let workspace: OpaquePointer
  package let path: Int32
  package let columns: Int
  package let logitRows: Int
  private let observed: Int
  /// The hidden rows of the last step, [wanting column][width], valid until the next.
  package private(set) var hidden = UnsafeBufferPointer<Float>(start: nil, count: 0)

  /// The columns of the last step that wanted leaves.
  private var traced: [(position: Int, token: Int32)] = []

  /// Buffers for `columns` columns, `logitRows` of which may want logits and `observed` of which operators.
  ///
  /// `path` picks the instruction set.
  package init(
    _ model: Model, pool: WorkerPool, columns: Int = Session.mostColumns, logitRows: Int, observed: Int = 0,
    path: Int32? = nil
  ) throws(InferenceError) {
    self.model = model
    self.pool = pool
    self.columns = min(columns, Session.mostColumns)
    self.logitRows = logitRows
    self.observed = observed
    self.path = path ?? symbolon_path_best()
    guard
      let workspace = symbolon_workspace_create(
        model.handle, Int32(pool.threads), Int32(self.columns), Int32(logitRows), self.path)
    else { throw Self.noMemory }
    guard observed == 0 || symbolon_workspace_observe(workspace, Int32(observed)) != 0 else {
      symbolon_workspace_destroy(workspace)
      throw Self.noMemory
    }
    self.workspace = workspace
    precondition(Digest.isReady, "libsodium does not start on this machine")
    symbolon_workspace_hash(workspace) { bytes, size, digest in
      guard let digest, let bytes else { return }
      _ = crypto_generichash(digest, Digest.size, bytes.assumingMemoryBound(to: UInt8.self), size, nil, 0)
    }
  }

  deinit { symbolon_workspace_destroy(workspace) }

  private static var noMemory: InferenceError {
    InferenceError(.exhausted, "out_of_memory", "No memory for the engine's buffers: free some.")
  }

  /// Runs one step: columns of one sequence are adjacent and ascending, and any number of them may want logits.
  ///
  /// Returns the logits, [wanting column][vocabulary], valid until the next step.
  package func step(_ columns: [Column]) throws(StepFailure) -> UnsafeBufferPointer<Float> {
    precondition(columns.count <= self.columns, "a step takes at most \(self.columns) columns")
    let vocabulary = model.tokenizer.vocabularySize
    let batch = columns.map { column in
      precondition(column.position >= 0 && column.position < min(column.cache.capacity, model.context))
      precondition(column.token >= 0 && column.token < vocabulary)
      return symbolon_column(
        token: column.token, position: Int32(column.position), cache: column.cache.handle,
        wants_logits: column.wantsLogits ? 1 : 0, wants_hidden: column.wantsHidden ? 1 : 0,
        wants_leaf: column.wantsLeaf ? 1 : 0, wants_operators: column.wantsOperators ? 1 : 0)
    }
    precondition(columns.count { $0.wantsOperators } <= observed, "a step observes at most \(observed) columns")
    let wanting = columns.count { $0.wantsLogits }
    precondition(wanting <= logitRows, "a step gives at most \(logitRows) rows of logits")
    let fault = symbolon_forward(workspace, pool.handle, batch, Int32(batch.count))
    if let operation = Operator(rawValue: fault.operation) {
      throw StepFailure(column: Int(fault.column), layer: Int(fault.layer), operation: operation)
    }
    traced = columns.filter(\.wantsLeaf).map { ($0.position, $0.token) }
    hidden = UnsafeBufferPointer(
      start: symbolon_hidden(workspace), count: columns.count { $0.wantsHidden } * model.sizes.width)
    return UnsafeBufferPointer(start: symbolon_logits(workspace), count: wanting * vocabulary)
  }

  /// The leaf of the n-th column of the last step that wanted one.
  package func leaf(_ index: Int) -> Digest {
    PositionDigests.leaf(position: traced[index].position, token: traced[index].token, bytes(ofLeaf: index))
  }

  /// What that leaf commits to.
  package func digests(_ index: Int) -> PositionDigests {
    let bytes = bytes(ofLeaf: index)
    return PositionDigests(
      position: traced[index].position, token: traced[index].token,
      digests: stride(from: 0, to: bytes.count, by: Digest.size).compactMap {
        Digest(bytes[$0..<$0 + Digest.size])
      })
  }

  /// What every operator gave in the n-th column of the last step that wanted that, in their order.
  package func operators(_ index: Int) -> OperatorTrace {
    var trace = OperatorTrace()
    func add(_ operation: Operator, _ layer: Int) {
      var count: Int32 = 0
      let values = symbolon_observed(workspace, Int32(index), operation.rawValue, Int32(layer), &count)
      guard let values else { return }
      trace.add(operation.rawValue, layer: layer, UnsafeBufferPointer(start: values, count: Int(count)))
    }
    add(.embedding, 0)
    for layer in 0..<model.sizes.layers {
      for operation in Operator.ofLayer { add(operation, layer) }
    }
    add(.outputNorm, model.sizes.layers)
    add(.logits, model.sizes.layers)
    return trace
  }

  private func bytes(ofLeaf index: Int) -> UnsafeRawBufferPointer {
    let size = (2 * model.sizes.layers + 1) * Digest.size
    return UnsafeRawBufferPointer(start: symbolon_digests(workspace) + index * size, count: size)
  }
}
