/// The operators of one position as a file: what `symbolon inference trace --json` prints and a replay compares.
extension OperatorTrace {
  /// More operators than any model has at one position.
  private static let limit = 1 << 16

  /// `[{"operator","layer","values","digest"}]`.
  package var json: JSONValue {
    .array(
      steps.map { step in
        .object([
          .init("operator", .string(step.name)), .init("layer", .number("\(step.layer)")),
          .init("values", .number("\(step.count)")), .init("digest", .string(step.digest.hex)),
        ])
      })
  }

  /// Reads what `json` wrote.
  package init(json: JSONValue) throws(InferenceError) {
    let wrong = InferenceError(
      .invalidRequest, "bad_operators", "This is no list of operators: make one with `symbolon inference trace --json`."
    )
    guard let rows = json.array, rows.count <= Self.limit else { throw wrong }
    var steps: [Step] = []
    for row in rows {
      guard let name = row["operator"]?.string, let known = Operator.allCases.first(where: { $0.name == name }),
        let layer = row["layer"]?.integer(Int.self), let count = row["values"]?.integer(Int.self), count >= 0,
        let digest = row["digest"]?.string.flatMap({ Digest(hex: $0) })
      else { throw wrong }
      steps.append(Step(number: known.rawValue, layer: layer, count: count, digest: digest))
    }
    self.init(steps)
  }
}
