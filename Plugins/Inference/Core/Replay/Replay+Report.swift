extension Replay {
  /// What a replay found.
  package struct Report: Equatable, Sendable {
    /// One thing that the receipt binds.
    package struct Check: Equatable, Sendable {
      package let name: String
      package let holds: Bool
      package let sentence: String

      init(_ name: String, _ holds: Bool, yes: String, no: String) {
        (self.name, self.holds, sentence) = (name, holds, holds ? yes : no)
      }
    }

    /// Where the answer and its replay first go apart; positions count tokens of prompt and answer from 0.
    package enum Difference: Equatable, Sendable {
      /// A position was computed otherwise; `place` is the first digest that differs, if the receipt has them.
      case computation(position: Int, token: Int32, place: PositionDigests.Place?)
      /// The same, and which operator of which layer was the first to give something else.
      case operation(position: Int, token: Int32, OperatorTrace.Step)
      /// The same logits lead to another token.
      case choice(position: Int, claimed: Int32, found: Int32)
      /// The same tokens, but by the parameters the answer ends here, or does not.
      case ending(position: Int, token: Int32, ends: Bool)
    }

    package var checks: [Check]
    package var difference: Difference?
    /// How many positions the answer has.
    package var positions: Int
    /// The root of what was computed; nil when that ended early.
    package var traceRoot: Digest?

    /// Whether everything that was claimed holds.
    package var isEqual: Bool { difference == nil && checks.allSatisfy(\.holds) }
  }
}

extension PositionDigests.Place {
  /// The operators of `docs/arithmetic.md`, section 12, whose results the digest is of.
  package var operators: [Operator] {
    switch self {
    case .embedding: [.embedding]
    case .cache: [.keyRotated, .value]
    case .residual: [.feedResidual]
    }
  }
}

extension Replay.Report.Difference {
  /// The position of the first token that differs.
  package var position: Int {
    switch self {
    case .computation(let position, _, _), .operation(let position, _, _), .choice(let position, _, _),
      .ending(let position, _, _):
      position
    }
  }

  /// The token that the receipt has there.
  package var token: Int32 {
    switch self {
    case .computation(_, let token, _), .operation(_, let token, _), .choice(_, let token, _),
      .ending(_, let token, _):
      token
    }
  }

  /// The first operator that differs as far as is known: names of section 12, or `sampling`; nil for unknown.
  package var operatorName: String? {
    switch self {
    case .computation(_, _, let place): place.map { $0.operators.map(\.name).joined(separator: " or ") }
    case .operation(_, _, let step): step.name
    case .choice, .ending: "sampling"
    }
  }

  /// The layer of that operator; nil for none or unknown.
  package var layer: Int? {
    switch self {
    case .computation(_, _, let place): place?.layer
    case .operation(_, _, let step): step.layer
    case .choice, .ending: nil
    }
  }

  /// A sentence about it.
  package var sentence: String {
    switch self {
    case .computation(let position, let token, let place?):
      "position \(position) (token \(token)) differs first in \(place)."
    case .computation(let position, let token, nil):
      "position \(position) (token \(token)) was computed otherwise; a receipt with --digests tells in which layer."
    case .operation(let position, let token, let step):
      "position \(position) (token \(token)) differs first in operator \(step.name) of layer \(step.layer)."
    case .choice(let position, let claimed, let found):
      "position \(position) has token \(claimed), but token \(found) is what is chosen there."
    case .ending(let position, let token, true):
      "it ends with token \(token) at position \(position), but the receipt goes on."
    case .ending(let position, let token, false):
      "it does not end with token \(token) at position \(position), but the receipt does."
    }
  }

  var json: JSONValue {
    var members: [JSONValue.Member] = [
      .init("position", .number("\(position)")), .init("token", .number("\(token)")),
    ]
    if let operatorName { members.append(.init("operator", .string(operatorName))) }
    if let layer { members.append(.init("layer", .number("\(layer)"))) }
    if case .choice(_, _, let found) = self { members.append(.init("found", .number("\(found)"))) }
    return .object(members + [.init("sentence", .string(sentence))])
  }
}

extension Replay.Report {
  /// `{"ok","checks","difference"?,"positions","trace_root"?}`.
  package var json: [JSONValue.Member] {
    var members: [JSONValue.Member] = [
      .init("ok", .bool(isEqual)),
      .init(
        "checks",
        .array(
          checks.map {
            .object([
              .init("name", .string($0.name)), .init("holds", .bool($0.holds)),
              .init("sentence", .string($0.sentence)),
            ])
          })),
      .init("positions", .number("\(positions)")),
    ]
    if let difference { members.append(.init("difference", difference.json)) }
    if let traceRoot { members.append(.init("trace_root", .string(traceRoot.hex))) }
    return members
  }
}
