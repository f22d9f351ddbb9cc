/// The operators of one position, in the order in which the arithmetic computes them.
///
/// Numbers and names are those of `docs/arithmetic.md`, section 12, and of the kernels.
package enum Operator: Int32, CaseIterable, Comparable, Sendable {
  case embedding = 1
  case attentionNorm
  case query, key, value
  case queryNorm, keyNorm
  case queryRotated, keyRotated
  case attention
  case attentionOutput, attentionPostNorm, attentionResidual
  case feedNorm
  case gate, up, gated, down
  case feedPostNorm, feedResidual
  case outputNorm
  case logits

  /// Those that a layer has, in order.
  package static let ofLayer = allCases.filter { $0 > .embedding && $0 < .outputNorm }

  package static func < (one: Operator, other: Operator) -> Bool { one.rawValue < other.rawValue }

  /// The name that users see: `attention_norm`.
  package var name: String {
    "\(self)".reduce(into: "") { name, letter in
      name += letter.isUppercase ? "_" + letter.lowercased() : String(letter)
    }
  }
}

/// The result of every operator for one position, as digests, so that two runs can be compared operator by operator.
package struct OperatorTrace: Equatable, Sendable {
  /// One operator's result.
  package struct Step: Equatable, Sendable {
    /// The operator's number; `Operator(rawValue:)` gives its name.
    package let number: Int32
    /// 0 for the embedding; the number of layers for what follows the last.
    package let layer: Int
    /// The number of values.
    package let count: Int
    /// H(values), each a little-endian binary32.
    package let digest: Digest

    package init(number: Int32, layer: Int, count: Int, digest: Digest) {
      (self.number, self.layer, self.count, self.digest) = (number, layer, count, digest)
    }

    /// The operator's name, or its number if this engine has none for it.
    package var name: String { Operator(rawValue: number)?.name ?? "operator \(number)" }
  }

  package private(set) var steps: [Step] = []

  package init() {}

  /// A trace that another engine gave.
  package init(_ steps: [Step]) { self.steps = steps }

  /// The results of one layer alone.
  package func only(layer: Int) -> OperatorTrace { OperatorTrace(steps.filter { $0.layer == layer }) }

  /// Takes note of a result.
  package mutating func add(_ number: Int32, layer: Int, _ values: UnsafeBufferPointer<Float>) {
    steps.append(Step(number: number, layer: layer, count: values.count, digest: Self.digest(values)))
  }

  /// The hash of values as little-endian binary32.
  package static func digest(_ values: UnsafeBufferPointer<Float>) -> Digest {
    #if _endian(little)
      Digest(of: UnsafeRawBufferPointer(values))
    #else
      Digest(of: values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } })
    #endif
  }

  /// The first operator whose result differs, or that only one of the two has; nil if they are equal.
  package func firstDifference(from other: OperatorTrace) -> Step? {
    if let pair = zip(steps, other.steps).first(where: { $0 != $1 }) { return pair.0 }
    let longer = steps.count > other.steps.count ? steps : other.steps
    let common = min(steps.count, other.steps.count)
    return common < longer.count ? longer[common] : nil
  }
}
