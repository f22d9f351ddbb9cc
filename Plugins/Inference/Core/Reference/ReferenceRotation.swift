/// The rotation of queries and keys: section 6 of `docs/arithmetic.md`, in binary64 and rounded once.
package struct ReferenceRotation {
  /// The angle of pair i at position t is t * frequencies[i].
  package var frequencies: [Float]
  /// Cosines and sines are multiplied by it.
  package var magnitude: Float = 1
  /// The frequencies before they were rounded.
  private let exact: [Double]
  private let dimension: Int

  static let ln2High = 0x1.62e42feep-1
  static let ln2Low = 0x1.a39ef35793c76p-33
  static let twoPi = 0x1.921fb54442d18p+2
  static let log2e = 0x1.71547652b82fep0
  static let squareRootOf2 = 0x1.6a09e667f3bcdp0
  /// 1.5 * 2^52 rounds to the nearest integer.
  static let rounder = 0x1.8p52
  static let twoOverPi = 0x1.45f306dc9c883p-1
  /// pi/2 in three parts; the first two have trailing zeros, so that their multiples are exact.
  static let halfPi = [1.57079632673412561417e+00, 6.07710050630396597660e-11, 2.02226624879595063154e-21]
  static let sineSeries = [
    1.58969099521155010221e-10, -2.50507602534068634195e-08, 2.75573137070700676789e-06, -1.98412698298579493134e-04,
    8.33333333332248946124e-03, -1.66666666666666324348e-01,
  ]
  static let cosineSeries = [
    -1.13596475577881948265e-11, 2.08757232129817482790e-09, -2.75573143513906633035e-07, 2.48015872894767294178e-05,
    -1.38888888888741095749e-03, 4.16666666666666019037e-02,
  ]

  /// The natural logarithm of a positive normal number.
  ///
  /// x = m * 2^k, z = (m-1)/(m+1), ln m = 2(z + z^3/3 + ... + z^27/27).
  static func logarithm(_ x: Double) -> Double {
    var exponent = x.exponent
    var m = x.significand
    if m > squareRootOf2 {
      m *= 0.5
      exponent += 1
    }
    let z = (m - 1) / (m + 1)
    let z2 = z * z
    var series = 0.0
    for n in stride(from: 27, through: 1, by: -2) {
      let term = 1 / Double(n)
      let product = series * z2
      series = product + term
    }
    let high = Double(exponent) * ln2High
    let low = Double(exponent) * ln2Low
    let rest = 2 * z * series
    return high + (low + rest)
  }

  /// e^x for |x| < 700: 2^n times the Taylor series of the rest.
  static func exponential(_ x: Double) -> Double {
    let shifted = x * log2e + rounder
    let n = shifted - rounder
    let r = (x - n * ln2High) - n * ln2Low
    var series = 1.0
    for k in stride(from: 18, through: 1, by: -1) {
      let product = series * r
      series = 1 + product / Double(k)
    }
    return series * Double(sign: .plus, exponent: Int(n), significand: 1)
  }

  /// Frequencies base^(-2i/dimension) for i in 0..<dimension/2.
  package init(base: Double, dimension: Int) {
    self.dimension = dimension
    let logBase = Self.logarithm(base)
    exact = (0..<dimension / 2).map { i in
      i == 0 ? 1 : Self.exponential(-(Double(2 * i) / Double(dimension)) * logBase)
    }
    frequencies = exact.map { Float($0) }
  }

  mutating func scaleLinearly(by factor: Float) { frequencies = frequencies.map { $0 / factor } }

  /// YaRN (arXiv 2309.00071): low frequencies are interpolated, high ones kept, and the scores made sharper.
  mutating func scaleByYaRN(
    base: Double, factor: Double, original: Double, attention: Double, fast: Double, slow: Double
  ) {
    let n = Double(dimension)
    func correction(_ rotations: Double) -> Double {
      let turns = original / (rotations * Self.twoPi)
      return n * Self.logarithm(turns) / (2 * Self.logarithm(base))
    }
    let low = max(0, correction(fast).rounded(.down))
    let high = min(n - 1, correction(slow).rounded(.up))
    frequencies = exact.enumerated().map { i, theta in
      let place = (Double(i) - low) / max(0.001, high - low)
      let ramp = 1 - min(1, max(0, place))
      let interpolated = theta * (1 - ramp) / factor
      let kept = theta * ramp
      return Float(interpolated + kept)
    }
    let sharpening = 0.1 * Self.logarithm(factor)
    magnitude = Float(attention * (1 + sharpening))
  }

  /// Cosine and sine of an angle, each rounded from binary64.
  package static func cosineAndSine(of angle: Float) -> (cosine: Float, sine: Float) {
    let x = Double(angle)
    let shifted = x * twoOverPi + rounder
    let n = shifted - rounder
    var r = x - n * halfPi[0]
    r = r - n * halfPi[1]
    r = r - n * halfPi[2]
    let z = r * r
    let p = horner(sineSeries, z)
    let sine = Float(r + r * z * p)
    let q = horner(cosineSeries, z)
    let cosine = Float(1 - (0.5 * z - z * z * q))
    switch Int64(n) & 3 {
    case 0: return (cosine, sine)
    case 1: return (-sine, cosine)
    case 2: return (-cosine, -sine)
    default: return (sine, -cosine)
    }
  }

  private static func horner(_ series: [Double], _ z: Double) -> Double {
    var p = series[0]
    for coefficient in series.dropFirst() {
      let product = p * z
      p = product + coefficient
    }
    return p
  }

  /// The cosines and sines of a position.
  package func row(position: Int) -> (cosines: [Float], sines: [Float]) {
    let pairs = frequencies.map { Self.cosineAndSine(of: Float(position) * $0) }
    return (pairs.map { $0.cosine * magnitude }, pairs.map { $0.sine * magnitude })
  }

  /// Rotates one head in place; the partners are neighbours, or half a head apart.
  static func rotate(_ x: inout ArraySlice<Float>, _ row: (cosines: [Float], sines: [Float]), halves: Bool) {
    let pairs = row.cosines.count
    for i in 0..<pairs {
      let first = x.startIndex + (halves ? i : 2 * i)
      let second = halves ? first + pairs : first + 1
      let (x0, x1) = (x[first], x[second])
      let (a, b) = (x0 * row.cosines[i], x1 * row.sines[i])
      let (c, d) = (x0 * row.sines[i], x1 * row.cosines[i])
      x[first] = a - b
      x[second] = c + d
    }
  }
}
