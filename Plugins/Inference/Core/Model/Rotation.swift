import InferenceKernels

/// How far each pair of dimensions turns: section 6 of `docs/arithmetic.md`.
package struct Rotation: Equatable, Sendable {
  /// The angle of pair i at position t is t * frequencies[i].
  package private(set) var frequencies: [Float]
  /// Cosines and sines are multiplied by it.
  package private(set) var magnitude: Float = 1

  /// base^(-2i/dimension) for each pair i.
  init(base: Double, dimension: Int) {
    frequencies = [Float](repeating: 0, count: dimension / 2)
    symbolon_rope_frequencies(base, Int32(dimension), &frequencies)
  }

  /// The rotation of all layers but local ones, scaled as the file wants it; `divisors` are its `rope_freqs.weight`.
  init(_ reader: HyperparameterReader, _ sizes: Hyperparameters, divisors: UnsafeBufferPointer<Float>?)
    throws(InferenceError)
  {
    let base = try Self.base(reader, "rope.freq_base")
    self.init(base: base, dimension: sizes.rotated)
    let old = try reader.number("rope.scale_linear", otherwise: 1)
    let factor = try reader.number("rope.scaling.factor", otherwise: old)
    guard factor > 0, factor < 1e6 else {
      throw reader.wrong("stretches its rotation by \(factor); a number above 0 is expected. Fetch it again.")
    }
    let type = reader.value("rope.scaling.type")
    switch type?.string ?? (type == nil ? (old == 1 ? "none" : "linear") : "unknown") {
    case "none": break
    case "linear": frequencies = frequencies.map { $0 / Float(factor) }
    case "yarn": try scaleByYaRN(reader, sizes, base: base, factor: factor)
    case let other:
      throw reader.wrong(
        "scales its rotation by \"\(other)\"; this engine runs none, linear and yarn. Choose another model.")
    }
    if let divisors { frequencies = zip(frequencies, divisors).map { $0 / $1 } }
    guard frequencies.allSatisfy({ $0.isFinite && $0 >= 0 && $0 <= 1e3 }), magnitude.isFinite else {
      throw reader.wrong("turns its heads by frequencies that are not numbers. Fetch it again.")
    }
  }

  /// The rotation of local layers.
  static func local(_ reader: HyperparameterReader, _ sizes: Hyperparameters) throws(InferenceError) -> Rotation {
    Rotation(base: try base(reader, "rope.freq_base_swa"), dimension: sizes.rotated)
  }

  private static func base(_ reader: HyperparameterReader, _ key: String) throws(InferenceError) -> Double {
    let base = try reader.number(key, otherwise: 10000)
    guard base > 1, base < 1e12 else {
      throw reader.wrong("rotates with base \(base); a number above 1 is expected. Fetch it again.")
    }
    return base
  }

  /// YaRN (arXiv 2309.00071): low frequencies are interpolated, high ones kept, and the scores made sharper.
  private mutating func scaleByYaRN(
    _ reader: HyperparameterReader, _ sizes: Hyperparameters, base: Double, factor: Double
  ) throws(InferenceError) {
    let original = try reader.size(
      "rope.scaling.original_context_length", 16...1 << 24, otherwise: sizes.contextLength)
    let attention = try reader.number("rope.scaling.attn_factor", otherwise: 1)
    let fast = try reader.number("rope.scaling.yarn_beta_fast", otherwise: 32)
    let slow = try reader.number("rope.scaling.yarn_beta_slow", otherwise: 1)
    guard attention > 0, attention < 1e6, (1e-6...1e6).contains(fast), (1e-6...1e6).contains(slow) else {
      throw reader.wrong(
        "blends its rotation by beta \(fast) to \(slow) and \(attention); numbers above 0 are expected. "
          + "Fetch it again.")
    }
    var exact = [Double](repeating: 0, count: sizes.rotated / 2)
    symbolon_rope_angles(base, Int32(sizes.rotated), &exact)
    let dimension = Double(sizes.rotated)
    /// The pair that turns `turns` times within the original context.
    func pair(_ turns: Double) -> Double {
      let ratio = Double(original) / (turns * 0x1.921fb54442d18p+2)
      return (dimension * symbolon_logarithm(ratio)) / (2 * symbolon_logarithm(base))
    }
    let low = max(0, pair(fast).rounded(.down))
    let high = min(dimension - 1, pair(slow).rounded(.up))
    frequencies = exact.indices.map { i in
      let ramp = 1 - min(1, max(0, (Double(i) - low) / max(0.001, high - low)))
      return Float((exact[i] * (1 - ramp)) / factor + exact[i] * ramp)
    }
    magnitude = Float(attention * (1 + 0.1 * symbolon_logarithm(factor)))
  }

  /// The table for positions below `context`: cosines, then sines, [context][pairs] each.
  func table(context: Int, _ pool: WorkerPool) throws(InferenceError) -> Arena {
    let (frequencies, magnitude, pairs) = (frequencies, magnitude, frequencies.count)
    let arena = try Arena(byteCount: context * pairs * 8, huge: true, what: "the rotation table")
    let floats = UncheckedBuffer(arena.bytes.bindMemory(to: Float.self))
    let rows = 64
    pool.forEach(below: (context + rows - 1) / rows) { part in
      guard let start = floats.buffer.baseAddress else { return }
      for position in part * rows..<min((part + 1) * rows, context) {
        let cosines = start + position * pairs
        let sines = start + (context + position) * pairs
        symbolon_rope_row(Int32(position), frequencies, Int32(pairs), cosines, sines)
        for i in 0..<pairs {
          cosines[i] = cosines[i] * magnitude
          sines[i] = sines[i] * magnitude
        }
      }
    }
    return arena
  }
}
