import InferenceCore
import InferenceKernels
import Testing

/// The two implementations of `docs/arithmetic.md` against each other: the kernels and the scalar one.
@Suite struct ReferenceTests {
  /// Logits of every position by the second implementation, as bits.
  static func reference(_ path: String, _ tokens: [Int32]) throws -> [UInt32] {
    let sequence = ReferenceSequence(try ReferenceModel(GGUFFile(try MappedFile(path))))
    return try tokens.flatMap { try sequence.step($0).logits.map(\.bitPattern) }
  }

  /// The same by the kernels, in batches of `batch`.
  static func kernels(_ path: String, _ tokens: [Int32], batch: Int, instructionSet: Int32? = nil) throws -> [UInt32] {
    let pool = try WorkerPool(threads: 2)
    let model = try Model(path: path, pool: pool)
    let session = try Session(model, pool: pool, logitRows: batch, path: instructionSet)
    let cache = try SequenceCache(model, positions: tokens.count)
    var bits: [UInt32] = []
    for start in stride(from: 0, to: tokens.count, by: batch) {
      let columns = (start..<min(start + batch, tokens.count)).map {
        Session.Column(token: tokens[$0], position: $0, cache: cache, wantsLogits: true)
      }
      bits += try session.step(columns).map(\.bitPattern)
    }
    return bits
  }

  static func text(_ count: Int, seed: UInt64 = 7) -> [Int32] {
    var dice = Dice(seed: seed)
    return (0..<count).map { _ in Int32.random(in: 0..<298, using: &dice) }
  }

  @Test(arguments: TensorType.allCases)
  func theTwoImplementationsAgreeOnEveryType(_ type: TensorType) throws {
    let file = try TemporaryFile(TinyModel(width: 256, heads: 8, feedWidth: 512, type: type).bytes())
    let tokens = Self.text(20)
    let reference = try Self.reference(file.path, tokens)
    #expect(try Self.kernels(file.path, tokens, batch: 7) == reference)
    #expect(Set(reference).count > reference.count / 2, "the logits are not constant")
  }

  /// Products and rows as values, with scales of both signs and subnormal ones, on every path of this machine.
  @Test(arguments: KernelTests.types.map(\.rawValue)) func matricesOfAllTypesAgree(_ number: UInt32) throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var dice = Dice(seed: seed)
    let type = symbolon_type(rawValue: number)
    let storage = try #require(ReferenceMatrix.Storage(rawValue: number))
    for _ in 0..<20 {
      let columns = 256 * Int.random(in: 1...3, using: &dice)
      let tensor = KernelTests.weights(type, columns, &dice)
      let scale = Float(sign: .plus, exponent: Int.random(in: -120...20, using: &dice), significand: 1)
      let x = (0..<columns).map { _ in dice.float(-3...3) * scale }
      var blocks = [symbolon_block](repeating: symbolon_block(), count: columns / 32)
      #expect(symbolon_operations_for(0).pointee.quantise(x, Int32(columns), &blocks) == 1)
      try tensor.withUnsafeBytes { bytes in
        let matrix = try #require(ReferenceMatrix(storage: storage, rows: 16, columns: columns, bytes: bytes))
        let ours = matrix.times(ReferenceArithmetic.Activation(x)).map(\.bitPattern)
        for path in KernelTests.paths {
          let theirs = KernelTests.product(type, columns, tensor, x, blocks, path: path).map(\.bitPattern)
          #expect(theirs == ours, "path \(path), seed \(seed)")
        }
        let rowBytes = tensor.count / 16
        for row in 0..<16 {
          var values = [Float](repeating: 0, count: columns)
          symbolon_dequantise_row(
            Int32(number), Int32(columns), Array(tensor[row * rowBytes..<(row + 1) * rowBytes]), &values)
          #expect(values.map(\.bitPattern) == matrix.values(ofRow: row).map(\.bitPattern), "row \(row), seed \(seed)")
        }
      }
    }
  }

  @Test func theTwoImplementationsAgreeAcrossPages() throws {
    let file = try TemporaryFile(TinyModel(layers: 1, heads: 3, kvHeads: 1).bytes())
    let tokens = Self.text(515)
    #expect(try Self.kernels(file.path, tokens, batch: 100) == Self.reference(file.path, tokens))
  }

  @Test func rotationsAgree() {
    for base in [10_000.0, 100_000, 500_000, 1_000_000, 5_000_000] {
      for size in [32, 64, 80, 96, 128, 256] {
        var theirs = [Float](repeating: 0, count: size / 2)
        symbolon_rope_frequencies(base, Int32(size), &theirs)
        let ours = ReferenceRotation(base: base, dimension: size)
        #expect(theirs.map(\.bitPattern) == ours.frequencies.map(\.bitPattern))
        var cosines = theirs
        var sines = theirs
        for position in stride(from: 0, to: 131_072, by: 1013) {
          symbolon_rope_row(Int32(position), theirs, Int32(size / 2), &cosines, &sines)
          let row = ours.row(position: position)
          #expect(row.cosines.map(\.bitPattern) == cosines.map(\.bitPattern))
          #expect(row.sines.map(\.bitPattern) == sines.map(\.bitPattern))
        }
      }
    }
  }

  @Test func theExponentialAgreesOnAllScales() {
    var dice = Dice(seed: 12)
    for round in 0..<200_000 {
      let x = round % 3 == 0 ? Float(bitPattern: UInt32.random(in: 0...UInt32.max, using: &dice)) : dice.float(-90...90)
      let (ours, theirs) = (ReferenceArithmetic.exp1(x), symbolon_exp1(x))
      #expect(ours.bitPattern == theirs.bitPattern || (ours.isNaN && theirs.isNaN), "\(x)")
    }
  }
}
