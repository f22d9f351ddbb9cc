import InferenceCore
import InferenceKernels
import Testing

/// The same bits, however the work is cut: the promise that receipts and audits stand on.
@Suite struct ForwardTests {
  /// Logits of every position, as bits, when the text is read in batches of the given sizes (the last repeats).
  private func logits(
    _ file: TemporaryFile, _ tokens: [Int32], batches: [Int], threads: Int = 1, path: Int32? = nil
  ) throws -> [UInt32] {
    let pool = try WorkerPool(threads: threads)
    let model = try Model(path: file.path, pool: pool)
    let session = try Session(model, pool: pool, logitRows: Session.mostColumns, path: path)
    let cache = try SequenceCache(model, positions: tokens.count)
    var bits: [UInt32] = []
    var position = 0
    var batch = 0
    while position < tokens.count {
      let end = min(tokens.count, position + batches[min(batch, batches.count - 1)])
      batch += 1
      let columns = (position..<end).map {
        Session.Column(token: tokens[$0], position: $0, cache: cache, wantsLogits: true)
      }
      bits += try session.step(columns).map(\.bitPattern)
      position = end
    }
    return bits
  }

  private func text(_ count: Int, seed: UInt64 = 7) -> [Int32] {
    var dice = Dice(seed: seed)
    return (0..<count).map { _ in Int32.random(in: 0..<298, using: &dice) }
  }

  @Test(arguments: [TensorType.q4_1, .q4_0, .q8_0, .f16, .f32])
  func everyPathGivesTheSameBits(_ type: TensorType) throws {
    let file = try TemporaryFile(TinyModel(type: type).bytes())
    let tokens = text(40)
    let scalar = try logits(file, tokens, batches: [5], path: Int32(SYMBOLON_PATH_SCALAR.rawValue))
    for path in Int32(1)..<4 where symbolon_path_available(path) != 0 {
      #expect(try logits(file, tokens, batches: [40], path: path) == scalar, "path \(path)")
    }
    #expect(Set(scalar).count > scalar.count / 2, "the logits are not constant")
  }

  @Test(arguments: [1, 2, 3, 5, 8]) func threadsDoNotChangeBits(_ threads: Int) throws {
    let file = try TemporaryFile(TinyModel().bytes())
    let tokens = text(70)
    #expect(try logits(file, tokens, batches: [64], threads: threads) == logits(file, tokens, batches: [1]))
  }

  @Test func batchesDoNotChangeBits() throws {
    let file = try TemporaryFile(TinyModel(heads: 6, kvHeads: 2).bytes())
    let tokens = text(530)
    let whole = try logits(file, tokens, batches: [256], threads: 2)
    for batches in [[1], [2], [3], [4], [8], [64], [255, 1, 1, 255, 1, 1, 16], [7, 250, 100]] {
      #expect(try logits(file, tokens, batches: batches, threads: 2) == whole, "batches of \(batches)")
    }
  }

  @Test func scalarPathAgreesAcrossTheChunksOfAttention() throws {
    let file = try TemporaryFile(TinyModel(layers: 1, heads: 3, kvHeads: 1).bytes())
    let tokens = text(515)
    let scalar = try logits(file, tokens, batches: [100], threads: 2, path: Int32(SYMBOLON_PATH_SCALAR.rawValue))
    #expect(try logits(file, tokens, batches: [255, 2, 256], threads: 2) == scalar)
  }

  @Test(arguments: [(8, 1), (4, 4), (5, 1), (2, 2)]) func headRatiosDoNotMatter(_ heads: Int, _ kvHeads: Int) throws {
    let file = try TemporaryFile(TinyModel(heads: heads, kvHeads: kvHeads, tied: false).bytes())
    let tokens = text(33)
    let scalar = try logits(file, tokens, batches: [1], path: Int32(SYMBOLON_PATH_SCALAR.rawValue))
    #expect(try logits(file, tokens, batches: [33], threads: 3) == scalar)
  }

  @Test func sequencesInOneStepDoNotTouchEachOther() throws {
    let file = try TemporaryFile(TinyModel().bytes())
    let pool = try WorkerPool(threads: 2)
    let model = try Model(path: file.path, pool: pool)
    let session = try Session(model, pool: pool, logitRows: 16)
    let texts = (0..<3).map { text(12, seed: $0) }
    let caches = try texts.map { _ in try SequenceCache(model, positions: 12) }
    var together: [[UInt32]] = [[], [], []]
    for position in 0..<12 {
      let bits = try session.step(
        (0..<3).map {
          Session.Column(token: texts[$0][position], position: position, cache: caches[$0], wantsLogits: true)
        }
      ).map(\.bitPattern)
      for sequence in 0..<3 { together[sequence] += bits[sequence * 300..<(sequence + 1) * 300] }
    }
    for sequence in 0..<3 {
      #expect(try logits(file, texts[sequence], batches: [12]) == together[sequence])
    }
  }

  @Test func numbersThatAreNotFiniteAreAFaultOfTheirColumn() throws {
    var tiny = TinyModel(type: .f32)
    tiny.vocabulary = 300
    var bytes = tiny.bytes()
    // The first tensor is the embedding: make token 5's row infinite.
    let start = bytes.count - (try tensorBytes(tiny))
    for index in 0..<4 { bytes[start + 5 * tiny.width * 4 + index] = [0, 0, 0x80, 0x7f][index] }
    let file = try TemporaryFile(bytes)
    let pool = try WorkerPool(threads: 2)
    let model = try Model(path: file.path, pool: pool)
    let session = try Session(model, pool: pool, logitRows: 4)
    let caches = try (0..<3).map { _ in try SequenceCache(model, positions: 16) }
    let failure = #expect(throws: StepFailure.self) {
      try session.step(
        [4, 5, 6].enumerated().map {
          Session.Column(token: $1, position: 0, cache: caches[$0], wantsLogits: true)
        })
    }
    #expect(failure?.column == 1)
    #expect(failure?.layer == 0)
  }

  private func tensorBytes(_ tiny: TinyModel) throws -> Int {
    let file = try TemporaryFile(tiny.bytes())
    let gguf = try GGUFFile(try MappedFile(file.path))
    return gguf.tensors.values.reduce(0) { $0 + ($1.bytes.count + 31) / 32 * 32 }
  }
}
