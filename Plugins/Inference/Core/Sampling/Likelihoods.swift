import InferenceKernels

/// How likely tokens were by the model alone, before any parameter of the request changed it: section 10.1 of
/// docs/arithmetic.md.
package struct Likelihoods {
  /// A token and the natural logarithm of its probability.
  package struct Entry: Equatable, Sendable {
    package let token: Int32
    package let logprob: Double
  }

  private let logits: [Float]
  private let greatest: Float
  private let logarithmOfSum: Double

  /// Copies a row of logits; nil if one is not finite.
  package init?(_ row: UnsafeMutableBufferPointer<Float>, path: Int32) {
    let first = symbolon_greatest(row.baseAddress, Int32(row.count))
    guard first >= 0 else { return nil }
    let greatest = row[Int(first)]
    let sum = withUnsafeTemporaryAllocation(of: UInt32.self, capacity: row.count) { weights in
      symbolon_sampling_weights(path, row.baseAddress, Int32(row.count), greatest, 1, weights.baseAddress)
      return symbolon_sum_weights(weights.baseAddress, Int32(row.count))
    }
    self.greatest = greatest
    logits = Array(row)
    logarithmOfSum = symbolon_logarithm(Double(sum) * 0x1p-30)
  }

  /// The token's log-probability.
  package func entry(_ token: Int32) -> Entry {
    Entry(token: token, logprob: (Double(logits[Int(token)]) - Double(greatest)) - logarithmOfSum)
  }

  /// The most likely tokens, the likeliest first, of equals the one with the lower number.
  package func top(_ count: Int) -> [Entry] {
    guard count > 0 else { return [] }
    let tokens = withUnsafeTemporaryAllocation(of: symbolon_candidate.self, capacity: 2 * logits.count) { list in
      let found = symbolon_top(logits, Int32(logits.count), Int32(count), list.baseAddress)
      return list.prefix(Int(found)).sorted { ($0.order, $0.number) < ($1.order, $1.number) }.map { Int32($0.number) }
    }
    return tokens.map(entry)
  }
}
