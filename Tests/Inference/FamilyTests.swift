import InferenceCore
import InferenceKernels
import Testing

/// Every family by the kernels and by the scalar implementation: the same bits, however the work is cut.
@Suite struct FamilyTests {
  /// What a run gives: the digests of every position, and its logits as bits.
  struct Run: Equatable {
    var digests: [PositionDigests] = []
    var logits: [[UInt32]] = []
  }

  /// The tokens by the scalar implementation.
  static func reference(_ path: String, _ tokens: [Int32]) throws -> Run {
    let sequence = ReferenceSequence(try ReferenceModel(GGUFFile(try MappedFile(path))))
    var run = Run()
    for token in tokens {
      let step = try sequence.step(token)
      run.digests.append(step.digests)
      run.logits.append(step.logits.map(\.bitPattern))
    }
    return run
  }

  /// The same by the kernels, in steps of `batches` columns; the last repeats.
  static func kernels(
    _ model: Model, _ pool: WorkerPool, _ tokens: [Int32], batches: [Int], path: Int32? = nil
  ) throws -> Run {
    let session = try Session(model, pool: pool, logitRows: Session.mostColumns, path: path)
    let cache = try SequenceCache(model, positions: tokens.count)
    var run = Run()
    var batches = batches[...]
    while run.logits.count < tokens.count {
      let first = run.logits.count
      let columns = (first..<min(first + batches[batches.startIndex], tokens.count)).map {
        Session.Column(token: tokens[$0], position: $0, cache: cache, wantsLogits: true, wantsLeaf: true)
      }
      if batches.count > 1 { batches = batches.dropFirst() }
      let logits = try session.step(columns).map(\.bitPattern)
      let width = logits.count / columns.count
      for index in columns.indices {
        run.digests.append(session.digests(index))
        run.logits.append(Array(logits[index * width..<(index + 1) * width]))
      }
    }
    return run
  }

  @Test(arguments: TinyModel.families)
  func bothImplementationsAgreeOnEveryPath(_ tiny: TinyModel) throws {
    let file = try TemporaryFile(tiny.bytes())
    let tokens = ReferenceTests.text(61, seed: tiny.seed)
    let expected = try Self.reference(file.path, tokens)
    #expect(Set(expected.logits.joined()).count > tokens.count * tiny.vocabulary / 2, "the logits are not constant")
    for threads in [1, 3] {
      let pool = try WorkerPool(threads: threads)
      let model = try Model(path: file.path, pool: pool)
      for path in KernelTests.paths {
        for batches in [[1], [61], [5, 1, 1, 17, 9]] {
          let found = try Self.kernels(model, pool, tokens, batches: batches, path: path)
          #expect(found == expected, "path \(path), \(threads) threads, steps of \(batches)")
        }
      }
    }
  }
}
