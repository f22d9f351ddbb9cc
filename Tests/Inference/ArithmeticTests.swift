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

  /// Values that have broken kernels before: ties, extremes, signed zeros, tiny and huge magnitudes.
  private func awkward(_ count: Int, _ dice: inout Dice) -> [Float] {
    (0..<count).map { index in
      switch Int.random(in: 0..<12, using: &dice) {
      case 0: 0
      case 1: -0.0
      case 2: Float(Int.random(in: -127...127, using: &dice)) + 0.5
      case 3: 127
      case 4: -127
      case 5: Float.leastNonzeroMagnitude
      case 6: dice.float(-1e-30...1e-30)
      case 7: dice.float(-1e4...1e4)
      default: dice.float(-3...3)
      }
    }
  }

  @Test func quantisationIsTheSameOnEveryPath() {
    var dice = Dice(seed: 5)
    let portable = symbolon_operations_for(0).pointee
    let fast = symbolon_operations_for(symbolon_path_best()).pointee
    for round in 0..<3000 {
      var x = awkward(64, &dice)
      if round % 7 == 0 { x = x.map { $0 * 0x1p-100 } }
      if round % 11 == 0 { x = x.map { _ in 0x1p-100 } }
      var codes = [[Int8]](repeating: [Int8](repeating: 0, count: 64), count: 2)
      var scales = [[Float]](repeating: [0, 0], count: 2)
      var sums = [[Int32]](repeating: [0, 0], count: 2)
      #expect(portable.quantise(x, 64, &codes[0], &scales[0], &sums[0]) == 1)
      #expect(fast.quantise(x, 64, &codes[1], &scales[1], &sums[1]) == 1)
      #expect(codes[0] == codes[1])
      #expect(scales[0].map(\.bitPattern) == scales[1].map(\.bitPattern))
      #expect(sums[0] == sums[1])
      #expect(sums[0][0] == codes[0][..<32].reduce(0) { $0 + Int32($1) })
      #expect(codes[0].allSatisfy { $0 >= -127 })
    }
    var x = [Float](repeating: 1, count: 32)
    for bad in [Float.nan, .infinity, -.infinity] {
      x[17] = bad
      var codes = [Int8](repeating: 0, count: 32)
      var scale: Float = 0
      var sum: Int32 = 0
      #expect(portable.quantise(x, 32, &codes, &scale, &sum) == 0)
      #expect(fast.quantise(x, 32, &codes, &scale, &sum) == 0)
    }
  }

  /// One group of eight rows by `count` columns on both paths, and against binary64 with the worst-case bound.
  private func check(_ type: Int32, _ bytes: [UInt8], columns count: Int, blocks: Int, _ dice: inout Dice) {
    let k = blocks * 32
    var group = [UInt8](repeating: 0, count: bytes.count)
    symbolon_pack(type, 8, Int32(k), bytes, &group, 0, 1)
    let operations = [symbolon_operations_for(0).pointee, symbolon_operations_for(symbolon_path_best()).pointee]
    let x = awkward(k * count, &dice)
    var codes = [Int8](repeating: 0, count: k * count)
    var scales = [Float](repeating: 0, count: blocks * count)
    var sums = [Int32](repeating: 0, count: blocks * count)
    _ = operations[0].quantise(x, Int32(k * count), &codes, &scales, &sums)
    if Bool.random(using: &dice) {
      for index in codes.indices { codes[index] = Bool.random(using: &dice) ? 127 : -127 }
      for block in sums.indices { sums[block] = codes[block * 32..<block * 32 + 32].reduce(0) { $0 + Int32($1) } }
    }
    var results: [[UInt32]] = []
    x.withUnsafeBufferPointer { x in
      codes.withUnsafeBufferPointer { codes in
        scales.withUnsafeBufferPointer { scales in
          sums.withUnsafeBufferPointer { sums in
            for operation in operations {
              let vectors = (0..<count).map { column in
                symbolon_vector(
                  x: x.baseAddress.map { $0 + column * k }, q: codes.baseAddress.map { $0 + column * k },
                  e: scales.baseAddress.map { $0 + column * blocks }, a: sums.baseAddress.map { $0 + column * blocks })
              }
              var out = [Float](repeating: 0, count: 32)
              out.withUnsafeMutableBytes { raw in
                guard let rows = raw.baseAddress?.assumingMemoryBound(to: Eight.self) else { return }
                let multiply = [
                  0: operation.f32, 1: operation.f16, 2: operation.q4_0, 3: operation.q4_1, 8: operation.q8_0,
                ][Int(type)]
                multiply??(group, Int32(blocks), vectors, Int32(count), rows)
              }
              results.append(out[..<(8 * count)].map(\.bitPattern))
            }
          }
        }
      }
    }
    #expect(results[0] == results[1], "type \(type), \(count) columns")
    for row in 0..<8 {
      var weights = [Float](repeating: 0, count: k)
      let rowBytes = symbolon_row_bytes(type, Int32(k))
      bytes.withUnsafeBufferPointer {
        symbolon_dequantise_row(type, Int32(k), $0.baseAddress.map { $0 + row * rowBytes }, &weights)
      }
      for column in 0..<count {
        var exact = 0.0
        var magnitude = 0.0
        for index in 0..<k {
          let value =
            type < 2
            ? Double(x[column * k + index])
            : Double(codes[column * k + index]) * Double(scales[(column * k + index) / 32])
          exact += Double(weights[index]) * value
          magnitude += abs(Double(weights[index]) * value)
        }
        // One rounding a fused step and two of the scales, each at most 2^-23 of what has been added up.
        let bound = 0x1p-23 * Double(type < 2 ? k : 2 * blocks + 8) * magnitude * (type == 3 ? 8 : 2) + 1e-37
        let result = Double(Float(bitPattern: results[0][column * 8 + row]))
        #expect(abs(result - exact) <= bound, "type \(type) row \(row) column \(column)")
      }
    }
  }

  private typealias Eight = (Float, Float, Float, Float, Float, Float, Float, Float)

  @Test func matrixKernelsAreExactOnEveryPath() {
    var dice = Dice(seed: 6)
    for round in 0..<60 {
      for type in [TensorTypeNumber.f32, .f16, .q4_0, .q4_1, .q8_0] {
        for count in 1...4 {
          let blocks = Int.random(in: 1...7, using: &dice)
          var bytes = type.random(blocks * 256, &dice)
          if round % 5 == 0, type != .f32, type != .f16 { type.makeExtreme(&bytes) }
          check(type.rawValue, bytes, columns: count, blocks: blocks, &dice)
        }
      }
    }
  }

  @Test func sumsAndGatesAreTheSameOnEveryPath() {
    var dice = Dice(seed: 8)
    let portable = symbolon_operations_for(0).pointee
    let fast = symbolon_operations_for(symbolon_path_best()).pointee
    for length in [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 255, 256, 257, 511, 512, 513, 1000] {
      let padded = (length + 15) / 16 * 16
      var a = (0..<padded).map { _ in dice.float(-30...30) }
      var b = a
      #expect(portable.softmax(&a, 0, Int32(length)).bitPattern == fast.softmax(&b, 0, Int32(length)).bitPattern)
      #expect(a.map(\.bitPattern) == b.map(\.bitPattern))
      var g = (0..<length).map { _ in dice.float(-100...100) }
      var h = g
      let u = (0..<length).map { _ in dice.float(-10...10) }
      portable.gate(&g, u, Int32(length))
      fast.gate(&h, u, Int32(length))
      #expect(g.map(\.bitPattern) == h.map(\.bitPattern))
      var v = [UInt32](repeating: 0, count: length)
      var w = v
      portable.weigh(u, Int32(length), 10, 0.7, &v)
      fast.weigh(u, Int32(length), 10, 0.7, &w)
      #expect(v == w)
    }
    for width in [16, 32, 64, 576, 1536] {
      let x = awkward(width, &dice)
      let weight = (0..<width).map { _ in dice.float(0...2) }
      var y = [Float](repeating: 0, count: width)
      var z = y
      portable.norm(x, weight, Int32(width), 1e-5, &y)
      fast.norm(x, weight, Int32(width), 1e-5, &z)
      #expect(y.map(\.bitPattern) == z.map(\.bitPattern))
    }
  }
}

/// The types by number, with random and extreme contents.
enum TensorTypeNumber: Int32 {
  case f32 = 0
  case f16 = 1
  case q4_0 = 2
  case q4_1 = 3
  case q8_0 = 8

  private var blockBytes: Int { [.f32: 128, .f16: 64, .q4_0: 18, .q4_1: 20, .q8_0: 34][self] ?? 0 }

  func random(_ count: Int, _ dice: inout Dice) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<count / 32 {
      switch self {
      case .f32: for _ in 0..<32 { bytes += TinyModel.little(dice.float(-1...1).bitPattern) }
      case .f16: for _ in 0..<32 { bytes += TinyModel.little(symbolon_float_to_half(dice.float(-1...1))) }
      default:
        // Also subnormal scales.
        let small = Bool.random(using: &dice)
        bytes += TinyModel.little(symbolon_float_to_half(dice.float(-1...1) * (small ? 1e-6 : 1)))
        if self == .q4_1 { bytes += TinyModel.little(symbolon_float_to_half(dice.float(-1...1))) }
        for _ in 0..<(self == .q8_0 ? 32 : 16) { bytes.append(UInt8.random(in: 0...255, using: &dice)) }
      }
    }
    return bytes
  }

  /// All codes at their greatest magnitude: what would overflow a narrow accumulator.
  func makeExtreme(_ bytes: inout [UInt8]) {
    let header = self == .q4_1 ? 4 : 2
    for index in bytes.indices where index % blockBytes >= header { bytes[index] = self == .q8_0 ? 0x80 : 0xff }
  }
}
