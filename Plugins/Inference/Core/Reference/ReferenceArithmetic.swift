/// Canonical arithmetic as `docs/arithmetic.md` writes it, one value after the other.
///
/// This is the second implementation: it shares no code with the kernels, uses no vectors and no mathematical library, and
/// is what judges when two fast runs disagree. Swift never contracts `x * y + z`; `addingProduct` is the exact fused
/// operation, `squareRoot` and `/` are those of IEEE 754.
package enum ReferenceArithmetic {
  // The constants of section 2: what is hashed into the specification is what is computed with.

  /// 1.5 * 2^23: adding and subtracting it rounds to the nearest integer, ties to even.
  static let rounder: Float = 0x1.8p23
  /// Blocks whose greatest magnitude is below this are all zero.
  static let quantiseFloor: Float = 0x1p-100
  static let expLimit: Float = 87
  static let log2e: Float = 0x1.715476p+0
  static let ln2High: Float = 0x1.62e4p-1
  static let ln2Low: Float = 0x1.7f7d1cp-20
  /// e^b = 1 + b * (c0 + b * (c1 + ...)) for |b| <= ln(2)/2.
  static let expSeries: [Float] = [0x1.fffff6p-1, 0x1.fffdc4p-2, 0x1.555a7ep-3, 0x1.573ad8p-5, 0x1.0fa15cp-7]
  /// 2 * sqrt(2/pi), and that times 0.044715.
  static let gelu1: Float = 0x1.988454p+0
  static let gelu2: Float = 0x1.2444f2p-4
  /// Keys of one chain of the value sum.
  package static let chunk = 256

  /// x * y + z with one rounding.
  package static func fma(_ x: Float, _ y: Float, _ z: Float) -> Float { z.addingProduct(x, y) }

  // MARK: Section 3, activations

  /// A vector of a multiple of 32 values, with its A32 form: codes, scales and sums of the codes.
  package struct Activation {
    package let x: [Float]
    package private(set) var q: [Int32] = []
    package private(set) var e: [Float] = []
    package private(set) var a: [Int32] = []
    /// Whether all values are finite; otherwise a fault.
    package private(set) var isFinite = true

    /// A vector whose codes and scales are given.
    package init(_ x: [Float], codes: [Int32], scales: [Float]) {
      precondition(x.count % 32 == 0 && codes.count == x.count && scales.count * 32 == x.count)
      self.x = x
      for (index, scale) in scales.enumerated() {
        append(codes: Array(codes[32 * index..<32 * (index + 1)]), scale: scale)
      }
    }

    package init(_ x: [Float]) {
      precondition(x.count % 32 == 0, "activations come in blocks of 32")
      self.x = x
      q.reserveCapacity(x.count)
      for start in stride(from: 0, to: x.count, by: 32) {
        let block = x[start..<start + 32]
        guard block.allSatisfy(\.isFinite) else {
          isFinite = false
          append(codes: [Int32](repeating: 0, count: 32), scale: 0)
          continue
        }
        let amax = block.reduce(0) { max($0, abs($1)) }
        guard amax >= ReferenceArithmetic.quantiseFloor else {
          append(codes: [Int32](repeating: 0, count: 32), scale: 0)
          continue
        }
        let inverse = 127 / amax
        append(codes: block.map { Int32(($0 * inverse).rounded(.toNearestOrEven)) }, scale: amax / 127)
      }
    }

    private mutating func append(codes: [Int32], scale: Float) {
      q += codes
      e.append(scale)
      a.append(codes.reduce(0, +))
    }
  }

  // MARK: Section 5, sums and norms

  /// The tree over sixteen lanes: 8, 4, 2, 1.
  package static func tree(_ lanes: [Float]) -> Float {
    var t = lanes
    for h in [8, 4, 2, 1] { for i in 0..<h { t[i] = t[i] + t[i + h] } }
    return t[0]
  }

  /// y = x * 1/sqrt(mean(x^2) + epsilon) * w.
  package static func norm(_ x: ArraySlice<Float>, _ w: [Float], _ epsilon: Float) -> [Float] {
    var lanes = [Float](repeating: 0, count: 16)
    for (i, value) in x.enumerated() { lanes[i % 16] = fma(value, value, lanes[i % 16]) }
    let mean = tree(lanes) / Float(x.count)
    let scale = 1 / (mean + epsilon).squareRoot()
    return zip(x, w).map { value, weight in
      let scaled = value * scale
      return scaled * weight
    }
  }

  // MARK: Section 8, the exponential and the gates

  /// e^x for x <= 0 and for the gates: +0 below -87, as for 87 above it.
  package static func exp1(_ x: Float) -> Float {
    if x < -expLimit { return 0 }
    let clamped = x > expLimit ? expLimit : x
    let z = fma(clamped, log2e, rounder)
    let n = z - rounder
    var b = fma(-n, ln2High, clamped)
    b = fma(-n, ln2Low, b)
    var j = expSeries[4]
    for index in [3, 2, 1, 0] { j = fma(j, b, expSeries[index]) }
    j = j * b
    let power = Float(bitPattern: (z.bitPattern << 23) &+ 0x3f80_0000)  // 2^n
    return fma(power, j, power)
  }

  /// g / (1 + exp1(-g)) * u.
  package static func siluGate(_ g: Float, _ u: Float) -> Float {
    let denominator = 1 + exp1(-g)
    let silu = g / denominator
    return silu * u
  }

  /// GELU in its tanh form, x / (1 + exp1(-x * (c1 + c2 * x^2))), times u.
  package static func geluGate(_ x: Float, _ u: Float) -> Float {
    let square = x * x
    let p = fma(gelu2, square, gelu1)
    let t = x * p
    let denominator = 1 + exp1(-t)
    let gelu = x / denominator
    return gelu * u
  }

  // MARK: Section 7, attention

  /// The weighted values of one query: `keys` and `values` give the row of each position, `visible` the positions seen.
  static func attend(
    _ q: ArraySlice<Float>, keys: [[Float]], values: [[Float]], at offset: Int, visible: Range<Int>, scale: Float
  ) -> [Float] {
    let size = q.count
    var weights = visible.map { j in
      var chain: Float = 0
      for (d, value) in q.enumerated() { chain = fma(value, keys[j][offset + d], chain) }
      return scale * chain
    }
    let greatest = weights.reduce(-Float.infinity) { $1 > $0 ? $1 : $0 }
    var lanes = [Float](repeating: 0, count: 16)
    for (index, j) in visible.enumerated() {
      weights[index] = exp1(weights[index] - greatest)
      lanes[j % 16] = lanes[j % 16] + weights[index]
    }
    let inverse = 1 / tree(lanes)
    var total = [Float](repeating: 0, count: size)
    for chunk in visible.lowerBound / Self.chunk...(visible.upperBound - 1) / Self.chunk {
      let keysOfChunk = max(visible.lowerBound, chunk * Self.chunk)..<min(visible.upperBound, (chunk + 1) * Self.chunk)
      for d in 0..<size {
        var chain: Float = 0
        for j in keysOfChunk { chain = fma(weights[j - visible.lowerBound], values[j][offset + d], chain) }
        total[d] = total[d] + chain
      }
    }
    return total.map { $0 * inverse }
  }
}
