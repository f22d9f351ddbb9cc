import Foundation
import InferenceKernels
import Testing

@Suite struct ArithmeticTests {
  @Test func nothingIsContracted() {
    var dice = Dice(seed: 3)
    for _ in 0..<1000 {
      let (x, y, z, w) = (dice.float(-2...2), dice.float(-2...2), dice.float(-2...2), dice.float(-2...2))
      let (first, second) = (x * y, z * w)
      #expect(symbolon_contraction_probe(x, y, z, w).bitPattern == (first + second).bitPattern)
    }
  }

  @Test func halvesAreExactBothWays() {
    for bits in UInt16.min...UInt16.max {
      let value = symbolon_half_to_float(bits)
      if value.isNaN { continue }
      #expect(value == Float(Float16(bitPattern: bits)))
      #expect(symbolon_float_to_half(value) == bits)
    }
    var dice = Dice(seed: 4)
    for _ in 0..<200_000 {
      let value = Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &dice))
      if value.isNaN { continue }
      #expect(symbolon_float_to_half(value) == Float16(value).bitPattern, "\(value)")
    }
  }

  @Test func exp1IsWithinThreeUlp() {
    var worst = 0.0
    for step in 0...870_000 {
      let x = -Float(step) / 10000
      let exact = exp(Double(x))
      let error = abs(Double(symbolon_exp1(x)) - exact) / Double(Float(exact).ulp)
      worst = max(worst, error)
    }
    #expect(worst < 3, "\(worst) ulp")
    #expect(symbolon_exp1(-87.1).bitPattern == 0)
    #expect(symbolon_exp1(-.infinity).bitPattern == 0)
    #expect(symbolon_exp1(0) == 1)
    #expect(symbolon_exp1(1000) == symbolon_exp1(87))
  }

  @Test func rotationIsTheNearestFloat() {
    var frequencies = [Float](repeating: 0, count: 32)
    symbolon_rope_frequencies(100_000, 64, &frequencies)
    for (index, frequency) in frequencies.enumerated() {
      let exact = pow(100_000, -Double(2 * index) / 64)
      #expect(abs(Double(frequency) - exact) <= Double(frequency.ulp) * 0.5001)
    }
    var cosines = [Float](repeating: 0, count: 32)
    var sines = cosines
    for position in stride(from: 0, through: 131_072, by: 61) {
      symbolon_rope_row(Int32(position), frequencies, 32, &cosines, &sines)
      for pair in 0..<32 {
        let angle = Double(Float(position) * frequencies[pair])
        #expect(abs(Double(cosines[pair]) - cos(angle)) <= Double(cosines[pair].ulp) * 0.5001)
        #expect(abs(Double(sines[pair]) - sin(angle)) <= Double(sines[pair].ulp) * 0.5001)
      }
    }
  }
}
