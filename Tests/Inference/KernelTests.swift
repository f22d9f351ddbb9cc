import Foundation
import InferenceKernels
import Testing

/// Every operation of every instruction set that this machine has: the same bits, and close to the exact result.
@Suite struct KernelTests {
  static let paths = (Int32(0)..<4).filter { symbolon_path_available($0) != 0 }
  static let types: [symbolon_type] = [
    SYMBOLON_F32, SYMBOLON_F16, SYMBOLON_BF16, SYMBOLON_Q4_0, SYMBOLON_Q4_1, SYMBOLON_Q5_0, SYMBOLON_Q5_1,
    SYMBOLON_Q8_0, SYMBOLON_Q4_K, SYMBOLON_Q5_K, SYMBOLON_Q6_K,
  ]

  @Test(arguments: paths) func theKnownAnswersAreGiven(_ path: Int32) {
    let failed = symbolon_self_test(path).map { String(cString: $0) }
    #expect(failed == nil)
  }

  @Test func aPathThatIsNotHereFailsItsSelfTest() {
    for path in Int32(-1)...5 where symbolon_path_available(path) == 0 {
      #expect(symbolon_self_test(path) != nil)
      #expect(symbolon_operations_for(path) == nil)
    }
  }

  @Test func pathsHaveNames() {
    for path in Int32(0)..<4 { #expect(symbolon_path_named(symbolon_path_name(path)) == path) }
    #expect(symbolon_path_named("portable") == -1)
    #expect(symbolon_path_available(symbolon_path_best()) == 1)
  }

  @Test(arguments: 0..<symbolon_checks()) func pathsAgreeOnRandomInput(_ check: Int32) {
    let seed = UInt64.random(in: 0...UInt64.max)
    let expected = symbolon_check_digest(0, check, seed, 120)
    for path in Self.paths.dropFirst() {
      let name = String(cString: symbolon_check_name(check))
      #expect(symbolon_check_digest(path, check, seed, 120) == expected, "\(name) on path \(path), seed \(seed)")
    }
  }

  /// The digest sees every bit that an operation writes: another seed gives another digest.
  @Test(arguments: 0..<symbolon_checks()) func digestsDependOnWhatIsComputed(_ check: Int32) {
    #expect(symbolon_check_digest(0, check, 1, 2) != symbolon_check_digest(0, check, 2, 2))
  }

  /// Blocks of every type with what PyPI gguf makes of them (`Scripts/reference/make_dequantised.py`), also after packing.
  @Test func rowsAreDequantisedAsByTheReference() throws {
    var data = try Fixture.data("dequantised.bin")
    func words(_ count: Int) -> [UInt32] {
      defer { data = data.dropFirst(count * 4) }
      return (0..<count).map { index in
        data.dropFirst(index * 4).prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
      }
    }
    var seen: [UInt32] = []
    while !data.isEmpty {
      let header = words(3)
      let (type, columns, size) = (Int32(header[0]), Int32(header[1]), Int(header[2]))
      let row = Array(data.prefix(size))
      data = data.dropFirst(size)
      let expected = words(Int(columns))
      #expect(symbolon_row_bytes(type, columns) == size)
      var out = [Float](repeating: 0, count: Int(columns))
      symbolon_dequantise_row(type, columns, row, &out)
      #expect(out.map(\.bitPattern) == expected, "type \(type)")
      // The same row as the last of a matrix of 19.
      let groups = UnsafeMutableRawBufferPointer.allocate(
        byteCount: symbolon_packed_bytes(type, 19, columns), alignment: 64
      ).bindMemory(to: UInt8.self)
      defer { groups.deallocate() }
      symbolon_pack(type, 19, columns, [[UInt8]](repeating: row, count: 19).flatMap { $0 }, groups.baseAddress, 0, 2)
      var matrix = symbolon_matrix(type: type, rows: 19, columns: columns, groups: groups.baseAddress)
      symbolon_unpack_row(&matrix, 18, &out)
      #expect(out.map(\.bitPattern) == expected, "type \(type), packed")
      symbolon_unpack_row(&matrix, 19, &out)
      #expect(out.allSatisfy { $0 == 0 }, "rows beyond the last are zero")
      seen.append(header[0])
    }
    #expect(seen == Self.types.map(\.rawValue))
  }

  @Test func rowsThatAreNotWholeBlocksHaveNoSize() {
    #expect(symbolon_row_bytes(Int32(SYMBOLON_Q4_K.rawValue), 128) == 0)
    #expect(symbolon_row_bytes(Int32(SYMBOLON_Q4_0.rawValue), 33) == 0)
    #expect(symbolon_row_bytes(Int32(SYMBOLON_F32.rawValue), 0) == 0)
    #expect(symbolon_row_bytes(99, 256) == 0)
    #expect(symbolon_group_bytes(Int32(SYMBOLON_F32.rawValue), 33) == 0)
  }

  /// SiLU, and GELU in its tanh form, written so that binary64 loses nothing: 1 + tanh(z) = 2/(1 + e^-2z).
  @Test func gatesAreCloseToTheirFunctions() {
    for step in -4000...4000 {
      let x = Float(step) / 400
      let wide = Double(x)
      let u = 2 * (2 / Double.pi).squareRoot() * (wide + 0.044715 * wide * wide * wide)
      for (kind, power) in [wide, u].enumerated() where power > -86 {
        var g = [x]
        symbolon_operations_for(0).pointee.gate(Int32(kind), &g, [1], 1)
        let exact = wide / (1 + exp(-power))
        // The error of e^u is that of u, which grows with u.
        #expect(abs(Double(g[0]) - exact) <= 0x1p-22 * abs(exact) * (2 + abs(power)), "gate \(kind) of \(x)")
      }
    }
  }

  /// Random weights in a type's own encoding, with scales of both signs, subnormal ones among them.
  static func weights(_ type: symbolon_type, _ columns: Int, _ dice: inout Dice) -> [UInt8] {
    var bytes = (0..<symbolon_row_bytes(Int32(type.rawValue), Int32(columns)) * 16).map { _ in
      UInt8.random(in: 0...255, using: &dice)
    }
    func put(_ at: Int, _ little: [UInt8]) { bytes.replaceSubrange(at..<at + little.count, with: little) }
    func half(_ at: Int) {
      let small: Float = Bool.random(using: &dice) ? 1e-6 : 1
      put(at, TinyModel.little(symbolon_float_to_half(dice.float(-1...1) * small)))
    }
    switch type {
    case SYMBOLON_F32:
      for at in stride(from: 0, to: bytes.count, by: 4) { put(at, TinyModel.little(dice.float(-1...1).bitPattern)) }
    case SYMBOLON_F16: for at in stride(from: 0, to: bytes.count, by: 2) { half(at) }
    case SYMBOLON_BF16:
      for at in stride(from: 0, to: bytes.count, by: 2) {
        put(at, TinyModel.little(UInt16(dice.float(-1...1).bitPattern >> 16)))
      }
    default:
      let values = [SYMBOLON_Q4_K, SYMBOLON_Q5_K, SYMBOLON_Q6_K].contains(type) ? 256 : 32
      let minimum = [SYMBOLON_Q4_1, SYMBOLON_Q5_1, SYMBOLON_Q4_K, SYMBOLON_Q5_K].contains(type)
      for at in stride(from: 0, to: bytes.count, by: symbolon_row_bytes(Int32(type.rawValue), Int32(values))) {
        half(at + (type == SYMBOLON_Q6_K ? 208 : 0))
        if minimum { half(at + 2) }
      }
    }
    return bytes
  }

  /// A group of 16 rows times one vector, on every path, against binary64 with the bound of the research:
  /// 2^-23 for each block that is added, of the sum of all magnitudes.
  @Test(arguments: types.map(\.rawValue)) func productsAreWithinTheBound(_ number: UInt32) {
    let seed = UInt64.random(in: 0...UInt64.max)
    var dice = Dice(seed: seed)
    let type = symbolon_type(rawValue: number)
    let floats = [SYMBOLON_F32, SYMBOLON_F16, SYMBOLON_BF16].contains(type)
    for _ in 0..<12 {
      let columns = 256 * Int.random(in: 1...3, using: &dice)
      let tensor = Self.weights(type, columns, &dice)
      let scale = Float(sign: .plus, exponent: Int.random(in: -90...20, using: &dice), significand: 1)
      let x = (0..<columns).map { _ in dice.float(-3...3) * scale }
      var blocks = [symbolon_block](repeating: symbolon_block(), count: columns / 32)
      #expect(symbolon_operations_for(0).pointee.quantise(x, Int32(columns), &blocks) == 1)
      let values = blocks.flatMap { block in
        withUnsafeBytes(of: block.q) { $0.bindMemory(to: Int8.self).map { Double($0) * Double(block.e) } }
      }
      let results = Self.paths.map { Self.product(type, columns, tensor, x, blocks, path: $0) }
      let rowBytes = symbolon_row_bytes(Int32(number), Int32(columns))
      for row in 0..<16 {
        var weights = [Float](repeating: 0, count: columns)
        symbolon_dequantise_row(
          Int32(number), Int32(columns), Array(tensor[row * rowBytes..<(row + 1) * rowBytes]), &weights)
        let terms = (0..<columns).map { Double(weights[$0]) * (floats ? Double(x[$0]) : values[$0]) }
        // With a minimum, the parts that are added are greater than what they add up to.
        let spread = weights.map { Double(abs($0)) }.max() ?? 0
        let magnitude =
          terms.reduce(0) { $0 + abs($1) } + 16 * spread * values.reduce(0) { $0 + abs($1) } * (floats ? 0 : 1)
        let bound = 0x1p-23 * Double(floats ? columns : columns / 32) * magnitude + 0x1p-149
        for (path, result) in zip(Self.paths, results) {
          let error = abs(Double(result[row]) - terms.reduce(0, +))
          #expect(error <= bound, "type \(number), path \(path), row \(row): \(error) > \(bound), seed \(seed)")
        }
      }
    }
  }

  static func product(
    _ type: symbolon_type, _ columns: Int, _ tensor: [UInt8], _ x: [Float], _ blocks: [symbolon_block], path: Int32
  ) -> [Float] {
    let size = symbolon_packed_bytes(Int32(type.rawValue), 16, Int32(columns))
    let packed = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
    defer { packed.deallocate() }
    let groups = packed.bindMemory(to: UInt8.self)
    symbolon_pack(Int32(type.rawValue), 16, Int32(columns), tensor, groups.baseAddress, 0, 1)
    var matrix = symbolon_matrix(
      type: Int32(type.rawValue), rows: 16, columns: Int32(columns), groups: groups.baseAddress)
    var out = [Float](repeating: 0, count: 16)
    x.withUnsafeBufferPointer { x in
      blocks.withUnsafeBufferPointer { blocks in
        var vector = symbolon_vector(x: x.baseAddress, b: blocks.baseAddress)
        out.withUnsafeMutableBytes { raw in
          symbolon_operations_for(path).pointee.multiply(
            &matrix, 0, &vector, 1, raw.baseAddress?.assumingMemoryBound(to: Sixteen.self))
        }
      }
    }
    return out
  }

  private typealias Sixteen = (
    Float, Float, Float, Float, Float, Float, Float, Float, Float, Float, Float, Float, Float, Float, Float, Float
  )
}
