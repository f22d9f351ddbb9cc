/// What every operator gave at one position, and what the position's leaf commits to.
///
/// Two engines that disagree about a token exchange these: where an operator first differs, one of them is wrong.
package struct PositionTrace: Equatable, Sendable {
  /// SHA-256 of the model's file, lowercase hexadecimal digits.
  package let modelHash: String
  /// What computed: the name of an instruction set, or `reference`.
  package let engine: String
  package let digests: PositionDigests
  package private(set) var operators: OperatorTrace
  /// The one layer that `operators` has; nil for all.
  package private(set) var layer: Int?

  package init(modelHash: String, engine: String, digests: PositionDigests, operators: OperatorTrace) {
    (self.modelHash, self.engine) = (modelHash, engine)
    (self.digests, self.operators) = (digests, operators)
  }

  /// Computes the last of some tokens with the kernels, after those before it, as one prefill.
  package init(
    _ model: Model, modelHash: String, _ tokens: [Int32], pool: WorkerPool, path: Int32? = nil,
    isCancelled: () -> Bool = { false }, progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    let prefill = try Prefill(model, pool: pool, observes: true, path: path)
    let last = tokens.count - 1
    var found: PositionTrace?
    try prefill.run(tokens, rowsFrom: last, observing: last, isCancelled: isCancelled) { position in
      try progress(position.digests.position + 1, tokens.count)
      guard let operators = position.operators else { return true }
      found = PositionTrace(
        modelHash: modelHash, engine: InstructionSet.name(prefill.path), digests: position.digests,
        operators: operators)
      return true
    }
    guard let found else { throw InferenceError(.internal, "not_observed", "No operator was seen: report this.") }
    self = found
  }

  /// Computes the same with the second implementation.
  package init(
    reference model: ReferenceModel, modelHash: String, _ tokens: [Int32], isCancelled: () -> Bool = { false },
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    let sequence = ReferenceSequence(model)
    let last = tokens.count - 1
    var found: PositionTrace?
    for position in tokens.indices {
      if isCancelled() { throw InferenceError(.cancelled, "cancelled", "The command was asked to end.") }
      var operators = OperatorTrace()
      let step: ReferenceSequence.Step
      do throws(ReferenceSequence.Fault) {
        step = try sequence.step(tokens[position], wantsLogits: position == last) { operation, layer, values in
          guard position == last else { return }
          values.withUnsafeBufferPointer { operators.add(operation.rawValue, layer: layer, $0) }
        }
      } catch {
        throw StepFailure(column: 0, layer: error.layer, operation: error.operation).error
      }
      if position == last {
        found = PositionTrace(
          modelHash: modelHash, engine: "reference", digests: step.digests, operators: operators)
      }
      try progress(position + 1, tokens.count)
    }
    guard let found else { throw InferenceError(.invalidRequest, "no_tokens", "There is no token to compute.") }
    self = found
  }

  /// The same with the operators of one layer alone; the number of layers names what follows the last.
  package func only(layer: Int) -> PositionTrace {
    var copy = self
    copy.operators = operators.only(layer: layer)
    copy.layer = layer
    return copy
  }

  /// Itself, unless it is cut down to one layer.
  package func whole() throws(InferenceError) -> PositionTrace {
    guard let layer else { return self }
    throw InferenceError(
      .invalidRequest, "bad_operators",
      "These are the operators of layer \(layer) alone: make them again without `--layer`.")
  }
}

extension PositionTrace {
  private static let wrong = InferenceError(
    .invalidRequest, "bad_operators",
    "This is no trace of a position: make one with `symbolon inference trace --json`.")

  /// `{"model_sha256","spec_hash","engine","position","token","leaf","digests","layer"?,"operators"}`.
  package var json: [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      .init("model_sha256", .string(modelHash)), .init("spec_hash", .string(Specification.hashHex)),
      .init("engine", .string(engine)), .init("position", .number("\(digests.position)")),
      .init("token", .number("\(digests.token)")), .init("leaf", .string(digests.leaf.hex)),
      .init("digests", .string(digests.digests.map(\.hex).joined())),
    ]
    if let layer { members.append(.init("layer", .number("\(layer)"))) }
    return members + [.init("operators", operators.json)]
  }

  /// Reads what `json` wrote, from anybody: the operators that digests are of must agree with them.
  package init(json: JSONValue) throws(InferenceError) {
    guard let specification = json["spec_hash"]?.string, let engine = json["engine"]?.string,
      let model = json["model_sha256"]?.string, Digest(hex: model) != nil,
      let position = json["position"]?.integer(UInt32.self), let token = json["token"]?.integer(Int32.self), token >= 0,
      let leaf = json["leaf"]?.string.flatMap({ Digest(hex: $0) }), let text = json["digests"]?.string,
      let bytes = Hexadecimal.bytes(text), bytes.count % (2 * Digest.size) == Digest.size,
      let operators = json["operators"]
    else { throw Self.wrong }
    guard specification == Specification.hashHex else {
      throw InferenceError(
        .invalidRequest, "other_specification",
        "This trace is of another arithmetic than this engine's: make it with the same version of the engine.")
    }
    let digests = stride(from: 0, to: bytes.count, by: Digest.size).compactMap {
      Digest(bytes[$0..<$0 + Digest.size])
    }
    self.init(
      modelHash: model, engine: engine,
      digests: PositionDigests(position: Int(position), token: token, digests: digests),
      operators: try OperatorTrace(json: operators))
    if let layer = json["layer"], layer != .null {
      guard let layer = layer.integer(UInt32.self) else { throw Self.wrong }
      self.layer = Int(layer)
    }
    guard self.digests.leaf == leaf, isConsistent else {
      throw InferenceError(
        .invalidRequest, "bad_operators", "The digests of this trace contradict each other: it was changed.")
    }
  }

  /// Whether embedding and residuals are what the leaf commits to, all of them where nothing was left out.
  private var isConsistent: Bool {
    let layers = digests.digests.count / 2
    var residuals = 0
    for step in operators.steps {
      switch Operator(rawValue: step.number) {
      case .embedding:
        guard step.layer == 0, step.digest == digests.digests[0] else { return false }
      case .feedResidual:
        guard (0..<layers).contains(step.layer), step.digest == digests.digests[2 * step.layer + 2] else {
          return false
        }
        residuals += 1
      default: break
      }
    }
    if let layer { return operators.steps.allSatisfy { $0.layer == layer } }
    return residuals == layers && operators.steps.first?.number == Operator.embedding.rawValue
  }
}
