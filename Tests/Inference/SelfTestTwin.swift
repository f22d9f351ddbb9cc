import InferenceCore

/// The checks of Kernels/self_test.c, computed by the plain Swift implementation.
///
/// Rolls the same dice in the same order and digests the same results; nothing of the kernels takes part.
struct SelfTestTwin {
  static let types: [ReferenceMatrix.Storage] = [
    .f32, .f16, .bf16, .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q4_k, .q5_k, .q6_k,
  ]
  private static let head = 80
  private static let chunk = ReferenceArithmetic.chunk

  private var dice: UInt64
  private var digest: UInt64 = 0xcbf2_9ce4_8422_2325
  private var round = 0

  /// The digest of `rounds` rounds of a check.
  static func digest(_ check: Int, seed: UInt64, rounds: Int) -> UInt64 {
    var twin = SelfTestTwin(dice: seed)
    while twin.round < rounds {
      twin.run(check)
      twin.round += 1
    }
    return twin.digest
  }

  private init(dice: UInt64) { self.dice = dice }

  private mutating func run(_ check: Int) {
    switch check - Self.types.count {
    case ..<0: multiply(Self.types[check])
    case 0: rules()
    case 1: quantise()
    case 2: norm()
    case 3: scores()
    case 4: softmax()
    case 5: values()
    case 6: gate(ReferenceArithmetic.siluGate)
    case 7: gate(ReferenceArithmetic.geluGate)
    case 8: halve()
    default: weigh()
    }
  }

  // MARK: Dice and digest

  private mutating func roll() -> UInt32 {
    dice &+= 0x9e37_79b9_7f4a_7c15
    var z = dice
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return UInt32((z ^ (z >> 31)) >> 32)
  }

  private mutating func below(_ bound: Int) -> Int { Int(roll() % UInt32(bound)) }

  private mutating func unit() -> Float { Float(Int32(roll() >> 8) - 0x80_0000) * 0x1p-23 }

  private mutating func take(_ word: UInt32) {
    for i in 0..<4 { digest = (digest ^ UInt64(word >> UInt32(8 * i) & 255)) &* 0x100_0000_01b3 }
  }

  private mutating func take(_ floats: some Sequence<Float>) { for value in floats { take(value.bitPattern) } }

  private mutating func awkward() -> Float {
    switch below(12) {
    case 0: return 0
    case 1: return -0.0
    case 2: return Float(below(255) - 127) + 0.5
    case 3: return 127
    case 4: return -127
    case 5: return 0x1p-149
    case 6: return unit() * 0x1p-100
    case 7: return unit() * 10000
    default: return unit() * 3
    }
  }

  private mutating func filled(_ n: Int) -> [Float] {
    let kind = below(9)
    return (0..<n).map { i in
      let value = awkward()
      return kind == 0 ? value * 0x1p-100 : kind == 1 ? 0x1p-100 : kind == 2 && i < 32 ? 0 : value
    }
  }

  // MARK: Products

  /// Sixteen rows of a tensor as GGUF stores it.
  private mutating func rows(_ type: ReferenceMatrix.Storage, _ columns: Int) -> [UInt8] {
    let kind = below(5)
    let count = 16 * columns / type.block.values * type.block.bytes
    var tensor = (0..<count).map { _ in
      let byte = UInt8(truncatingIfNeeded: roll())
      return kind == 0 ? 0xff : kind == 1 ? 0x80 : byte
    }
    func put(_ value: some FixedWidthInteger, _ at: Int) {
      withUnsafeBytes(of: value.littleEndian) { tensor.replaceSubrange(at..<at + $0.count, with: $0) }
    }
    switch type {
    case .f32: for i in 0..<16 * columns { put(unit().bitPattern, 4 * i) }
    case .f16: for i in 0..<16 * columns { put(Float16(unit()).bitPattern, 2 * i) }
    case .bf16: for i in 0..<16 * columns { put(UInt16(unit().bitPattern >> 16), 2 * i) }
    default:
      let minimum = [.q4_1, .q5_1, .q4_k, .q5_k].contains(type)
      for at in stride(from: 0, to: count, by: type.block.bytes) {
        put(half(), at + (type == .q6_k ? 208 : 0))
        if minimum { put(half(), at + 2) }
      }
    }
    return tensor
  }

  /// The bits of a finite binary16 of at most 4.
  private mutating func half() -> UInt16 {
    let random = UInt16(truncatingIfNeeded: roll() & 0x83ff)
    return random | UInt16(below(17)) << 10
  }

  private mutating func multiply(_ type: ReferenceMatrix.Storage) {
    let count = [1, 8, 2, 3, 4, 5, 6, 7][round % 8]
    let present = round % 4 == 3 ? 13 : 16
    let columns = type.block.values == 256 ? 256 * (1 + below(2)) : 32 * (1 + below(7))
    let tensor = rows(type, columns)
    let extreme = below(3) == 0
    let vectors = (0..<count).map { _ in
      let x = ReferenceArithmetic.Activation(filled(columns))
      guard extreme else { return x }
      return .init(x.x, codes: (0..<columns).map { _ in roll() & 1 != 0 ? 127 : -127 }, scales: x.e)
    }
    tensor.withUnsafeBytes { bytes in
      guard let matrix = ReferenceMatrix(storage: type, rows: 16, columns: columns, bytes: bytes) else { return }
      for vector in vectors {
        // Rows beyond the last are zero.
        take(matrix.times(vector).prefix(present) + [Float](repeating: 0, count: 16 - present))
      }
      take(matrix.values(ofRow: 0))
    }
  }

  // MARK: Activations and norms

  private mutating func quantise() {
    var x = filled(96)
    if round == 1 { x[below(96)] = Float(bitPattern: 0x7fc0_0000) }
    if round == 2 { x[below(96)] = -.infinity }
    let activation = ReferenceArithmetic.Activation(x)
    take(activation.isFinite ? 1 : 0)
    for b in 0..<3 {
      let codes = activation.q[32 * b..<32 * (b + 1)]
      for code in codes { take(UInt32(bitPattern: code)) }
      take([activation.e[b], Float(activation.a[b])])
      take([Float(codes.prefix(16).reduce(0, +)), Float(codes.suffix(16).reduce(0, +))])
    }
  }

  private mutating func norm() {
    let n = 16 * (1 + below(13))
    let x = filled(n)
    let w = (0..<n).map { _ in unit() + 1 }
    take(ReferenceArithmetic.norm(x[...], w, 1e-5))
  }

  // MARK: Attention

  /// Two pages of halves.
  private mutating func pages() -> [[Float]] {
    (0..<2).map { _ in
      var page: [Float] = []
      for _ in 0..<Self.chunk * Self.head / 2 {
        let bits = roll()
        for shift: UInt32 in [0, 16] {
          page.append(Float(Float16(bitPattern: UInt16(bits >> shift & 0x9fff) + 0x2000)))
        }
      }
      return page
    }
  }

  private var queries: Int { 1 + (round + 11) % 12 }

  private mutating func scores() {
    let d = 16 * (1 + below(Self.head / 16))
    let pages = pages()
    let q = (0..<queries).map { _ in filled(d) }
    let first = 14 + below(3)
    let end = first + 1 + below(4)
    for query in q {
      for j in 16 * first..<16 * end {
        let (page, at) = (pages[j / Self.chunk], j % Self.chunk)
        var chain: Float = 0
        for k in 0..<d { chain = ReferenceArithmetic.fma(query[k], page[(at / 16 * d + k) * 16 + at % 16], chain) }
        take([0.125 * chain])
      }
    }
  }

  private mutating func softmax() {
    var s = (0..<128).map { _ in unit() * 60 }
    let first = below(40)
    let end = first + 1 + below(70)
    let greatest = s[first..<end].max() ?? 0
    var lanes = [Float](repeating: 0, count: 16)
    for j in s.indices {
      s[j] = first..<end ~= j ? ReferenceArithmetic.exp1(s[j] - greatest) : 0
      lanes[j % 16] = lanes[j % 16] + s[j]
    }
    take([1 / ReferenceArithmetic.tree(lanes)])
    take(s[first / 16 * 16..<(end + 15) / 16 * 16])
  }

  private mutating func values() {
    let d = 16 * (1 + below(Self.head / 16))
    let pages = pages()
    let near = below(2) != 0 ? 250 : 3
    let queries = (0..<queries).map { _ in
      let first = near - below(4)
      let end = near + 1 + below(16)
      let scale = unit()
      return (first: first, scale: scale, weights: (first..<end).map { _ in unit() })
    }
    for query in queries {
      let visible = query.first..<query.first + query.weights.count
      for k in 0..<d {
        var total: Float = 0
        for (page, rows) in pages.enumerated() {
          var chain: Float = 0
          for j in visible.clamped(to: page * Self.chunk..<(page + 1) * Self.chunk) {
            chain = ReferenceArithmetic.fma(query.weights[j - query.first], rows[j % Self.chunk * d + k], chain)
          }
          total = total + chain
        }
        take([total * query.scale])
      }
    }
  }

  // MARK: Elementwise

  private mutating func gate(_ function: (Float, Float) -> Float) {
    let n = 1 + below(67)
    take(
      (0..<n).map { _ in
        let g = below(4) != 0 ? unit() * 8 : awkward()
        return function(g, unit() * 10)
      })
  }

  private mutating func halve() {
    let n = 1 + below(67)
    let halves = (0..<n).map { _ in
      let value = Float(Float16(bitPattern: UInt16(roll() & 0xfbff)))
      let next = value * (1 + Float(below(5)) * 0x1p-12)
      return Float16(below(40) == 0 ? 70000 : next)
    }
    take(halves.allSatisfy(\.isFinite) ? 1 : 0)
    for half in halves { take(UInt32(half.bitPattern)) }
  }

  private mutating func weigh() {
    let n = 1 + below(67)
    let x = (0..<n).map { _ in
      let wide = unit() * 40
      return wide - 40
    }
    let temperature = 0.25 + Float(below(8))
    for value in x { take(UInt32(ReferenceArithmetic.exp1(value / temperature) * 0x1p30)) }
  }

  private mutating func rules() {
    let rotation = ReferenceRotation(base: Double(1000 + below(1_000_000)), dimension: 32)
    let row = rotation.row(position: below(131072))
    take(rotation.frequencies)
    take(row.cosines)
    take(row.sines)
    for _ in 0..<64 {
      let (x, y) = (unit(), unit())
      let (z, w) = (unit(), unit())
      let (a, b) = (x * y, z * w)
      let half = Float(Float16(bitPattern: UInt16(roll() & 0xfbff)))
      take([a + b, ReferenceArithmetic.exp1(90 * x), half])
      take(UInt32(Float16(half * y).bitPattern))
    }
  }
}
