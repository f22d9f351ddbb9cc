import Foundation
import InferenceCore
import InferenceKernels
import Testing

/// One trace root and one row of logits for each text, whatever computes them and however the work is cut.
///
/// The expected side comes from the second implementation: for every position of the synthetic model, and for the first
/// positions of the real one, where the kernels' scalar path carries on.
@Suite struct InvarianceTests {
  /// Sizes that no vector register, page or thread count divides evenly.
  static let odd = TinyModel(
    width: 96, layers: 3, heads: 3, kvHeads: 1, headSize: 32, feedWidth: 160, vocabulary: 301, type: .q5_1,
    tied: false, ends: false, seed: 41)

  /// How many columns each step takes; the last repeats.
  static let cuts: [[Int]] = [
    [1], [2], [3], [4], [8], [64], [256], [255, 1, 1, 254, 1, 1, 1, 16], [7, 250, 100], [17, 239, 1, 255],
  ]

  /// What a text leaves behind: its trace, and a digest of each row of logits.
  struct Run: Equatable, CustomTestStringConvertible {
    var trace = Trace()
    var rows: [Digest] = []

    var testDescription: String { "\(trace.count) leaves under \(trace.root)" }

    func prefix(_ count: Int) -> Run {
      Run(trace: Trace(Array(trace.leaves.prefix(count))), rows: Array(rows.prefix(count)))
    }
  }

  /// A text by the second implementation.
  static func reference(_ path: String, _ tokens: [Int32]) throws -> Run {
    let sequence = ReferenceSequence(try ReferenceModel(GGUFFile(try MappedFile(path))))
    var run = Run()
    for token in tokens {
      let step = try sequence.step(token)
      run.trace.append(step.digests.leaf)
      run.rows.append(step.logits.withUnsafeBufferPointer { digest($0) })
    }
    return run
  }

  /// A text by the kernels, cut into steps.
  static func kernels(
    _ model: Model, _ tokens: [Int32], cut: [Int], threads: Int, path: Int32? = nil
  ) throws -> Run {
    let pool = try WorkerPool(threads: threads)
    let session = try Session(model, pool: pool, logitRows: min(tokens.count, cut.max() ?? 1), path: path)
    let cache = try SequenceCache(model, positions: tokens.count)
    var run = Run()
    var cuts = cut[...]
    while run.trace.count < tokens.count {
      let start = run.trace.count
      let count = cuts.count > 1 ? cuts.removeFirst() : cuts.first ?? 1
      let columns = (start..<min(start + count, tokens.count)).map {
        Session.Column(token: tokens[$0], position: $0, cache: cache, wantsLogits: true, wantsLeaf: true)
      }
      let logits = try session.step(columns)
      let size = logits.count / columns.count
      for index in columns.indices {
        run.trace.append(session.leaf(index))
        run.rows.append(digest(UnsafeBufferPointer(rebasing: logits[index * size..<(index + 1) * size])))
      }
    }
    return run
  }

  static func digest(_ row: UnsafeBufferPointer<Float>) -> Digest { Digest(of: UnsafeRawBufferPointer(row)) }

  static func text(_ count: Int, below: Int32, seed: UInt64) -> [Int32] {
    var dice = Dice(seed: seed)
    return (0..<count).map { _ in Int32.random(in: 0..<below, using: &dice) }
  }

  @Test func aSyntheticModelHasOneRootInEveryWay() throws {
    let file = try TemporaryFile(Self.odd.bytes())
    let tokens = Self.text(530, below: 301, seed: 1)
    let expected = try Self.reference(file.path, tokens)
    #expect(Set(expected.rows).count == tokens.count, "every row of logits is another")
    let model = try Model(path: file.path, pool: WorkerPool(threads: 2))
    for path in KernelTests.paths {
      for (index, cut) in Self.cuts.enumerated() {
        let threads = index % 8 + 1
        let run = try Self.kernels(model, tokens, cut: cut, threads: threads, path: path)
        #expect(run == expected, "path \(path), steps of \(cut), \(threads) threads")
      }
    }
    for threads in 1...8 {
      let again = try Model(path: file.path, pool: WorkerPool(threads: threads))
      #expect(try Self.kernels(again, tokens, cut: [37], threads: threads) == expected, "\(threads) threads")
    }
  }

  /// A text that ends at the border of a page, one before and one after: alone, and as the beginning of a longer one.
  @Test(arguments: [1, 15, 16, 17, 255, 256, 257, 511, 512, 513])
  func textsEndAnywhere(_ count: Int) throws {
    let file = try TemporaryFile(Self.odd.bytes())
    let tokens = Self.text(count + 3, below: 301, seed: 2)
    let expected = try Self.reference(file.path, tokens)
    let model = try Model(path: file.path, pool: WorkerPool(threads: 2))
    for path in KernelTests.paths {
      let whole = try Self.kernels(model, tokens, cut: [256], threads: 2, path: path)
      #expect(whole == expected)
      let alone = try Self.kernels(model, Array(tokens.prefix(count)), cut: [64], threads: 2, path: path)
      #expect(alone == expected.prefix(count))
    }
  }

  @Test func theRealModelHasOneRootInEveryWay() throws {
    let model = try RealModel.loaded.get()
    let sentence = "The moon pulls on the sea, and the sea pulls back; that is why days grow longer. "
    let text = String(repeating: sentence, count: 40)
    let tokens = Array(model.tokenizer.encode(text, authored: true).prefix(515))
    try #require(tokens.count == 515)
    let expected = try Self.kernels(model, tokens, cut: [256], threads: 2)
    #expect(try Self.reference(RealModel.path(), Array(tokens.prefix(8))) == expected.prefix(8))
    for path in KernelTests.paths {
      // The scalar path is slow, and its order of work is that of the others: it crosses one border.
      let count = path == Int32(SYMBOLON_PATH_SCALAR.rawValue) ? 258 : 515
      let run = try Self.kernels(
        model, Array(tokens.prefix(count)), cut: [255, 1, 1, 254, 1, 1, 1, 16], threads: 2, path: path)
      #expect(run == expected.prefix(count), "path \(path)")
    }
    for (cut, threads) in [([1], 1), ([2], 3), ([3], 8), ([4], 4), ([8], 2), ([64], 7)] {
      let count = cut == [64] ? 515 : 70
      let run = try Self.kernels(model, Array(tokens.prefix(count)), cut: cut, threads: threads)
      #expect(run == expected.prefix(count), "steps of \(cut), \(threads) threads")
    }
    let again = try Model(path: RealModel.path(), context: 1024, pool: WorkerPool(threads: 1))
    #expect(try Self.kernels(again, Array(tokens.prefix(70)), cut: [33], threads: 1) == expected.prefix(70), "reloaded")
  }

  /// Sequences of different lengths, one column each in every step, as answers are written.
  private static func together(
    _ model: Model, _ texts: [[Int32]], threads: Int, path: Int32
  ) throws -> [Run] {
    let pool = try WorkerPool(threads: threads)
    let session = try Session(model, pool: pool, logitRows: texts.count, path: path)
    let caches = try texts.map { try SequenceCache(model, positions: $0.count) }
    var runs = [Run](repeating: Run(), count: texts.count)
    for position in 0..<(texts.map(\.count).max() ?? 0) {
      let alive = texts.indices.filter { position < texts[$0].count }
      let logits = try session.step(
        alive.map {
          Session.Column(
            token: texts[$0][position], position: position, cache: caches[$0], wantsLogits: true, wantsLeaf: true)
        })
      let size = logits.count / alive.count
      for (index, sequence) in alive.enumerated() {
        runs[sequence].trace.append(session.leaf(index))
        runs[sequence].rows.append(digest(UnsafeBufferPointer(rebasing: logits[index * size..<(index + 1) * size])))
      }
    }
    return runs
  }

  @Test(arguments: [1, 2, 3, 4, 8, 64, 256]) func companyChangesNothing(_ count: Int) throws {
    let file = try TemporaryFile(Self.odd.bytes())
    let texts = (0..<count).map { Self.text(5 + $0 % 7 * 3, below: 301, seed: UInt64($0)) }
    let expected = try texts.map { try Self.reference(file.path, $0) }
    let model = try Model(path: file.path, pool: WorkerPool(threads: 2))
    for path in KernelTests.paths {
      #expect(try Self.together(model, texts, threads: 1 + count % 5, path: path) == expected, "path \(path)")
    }
  }

  @Test(arguments: [2, 3, 4, 8, 64]) func companyChangesNothingOnTheRealModel(_ count: Int) throws {
    let model = try RealModel.loaded.get()
    let texts = (0..<count).map { Self.text(3 + $0 % 4, below: 49152, seed: UInt64($0)) }
    let expected = try texts.map { try Self.kernels(model, $0, cut: [256], threads: 2) }
    for path in KernelTests.paths where path != Int32(SYMBOLON_PATH_SCALAR.rawValue) || count == 3 {
      #expect(try Self.together(model, texts, threads: 2, path: path) == expected, "path \(path)")
    }
  }
}
