import InferenceCore
import InferenceKernels
import Testing

/// Pages of keys and values, and the rows that a step gives.
@Suite struct PageTests {
  private static let vocabulary = 300

  private struct Setup {
    let file: TemporaryFile
    let model: Model
    let session: Session

    init(_ tiny: TinyModel = TinyModel()) throws {
      file = try TemporaryFile(tiny.bytes())
      let pool = try WorkerPool(threads: 2)
      model = try Model(path: file.path, pool: pool)
      session = try Session(model, pool: pool, logitRows: Session.mostColumns)
    }

    /// Logits of the last token, as bits, after reading `tokens` from position `start`.
    func read(_ tokens: [Int32], _ cache: SequenceCache, from start: Int = 0) throws -> [UInt32] {
      var bits: [UInt32] = []
      for first in stride(from: 0, to: tokens.count, by: 100) {
        let end = min(first + 100, tokens.count)
        bits = try session.step(
          (first..<end).map {
            Session.Column(
              token: tokens[$0], position: start + $0, cache: cache, wantsLogits: $0 == tokens.count - 1)
          }
        ).map(\.bitPattern)
      }
      return bits
    }
  }

  private func text(_ count: Int, seed: UInt64) -> [Int32] {
    var dice = Dice(seed: seed)
    return (0..<count).map { _ in Int32.random(in: 0..<298, using: &dice) }
  }

  @Test(arguments: [255, 256, 257, 511, 512, 513]) func sharedPrefixesGiveTheSameBits(_ prefix: Int) throws {
    let setup = try Setup()
    let shared = text(prefix, seed: 1)
    let first = try SequenceCache(setup.model, positions: prefix)
    _ = try setup.read(shared, first)
    for seed in 2...3 as ClosedRange<UInt64> {
      let rest = text(20, seed: seed)
      let whole = try SequenceCache(setup.model, positions: prefix + rest.count)
      let expected = try setup.read(shared + rest, whole)
      // Full pages are shared; the one in which the prefix ends is copied.
      let full = prefix / KVPage.positions
      let cache = SequenceCache(setup.model, pages: Array(first.pages[..<full]))
      if prefix % KVPage.positions != 0 { cache.append(try first.pages[full].copy(setup.model)) }
      while cache.capacity < prefix + rest.count { cache.append(try KVPage(setup.model)) }
      #expect(try setup.read(rest, cache, from: prefix) == expected)
    }
  }

  @Test func aPageThatIsUsedAgainHasNoMemory() throws {
    let setup = try Setup()
    let used = try SequenceCache(setup.model, positions: 256)
    _ = try setup.read(text(256, seed: 4), used)
    let again = SequenceCache(setup.model, pages: used.pages)
    let fresh = try SequenceCache(setup.model, positions: 40)
    let tokens = text(40, seed: 5)
    #expect(try setup.read(tokens, again) == setup.read(tokens, fresh))
  }

  @Test func hiddenRowsAreWhatTheHeadReads() throws {
    let setup = try Setup(TinyModel(type: .f32, tied: false))
    let tokens = text(9, seed: 6)
    let cache = try SequenceCache(setup.model, positions: 9)
    let wanting = [0: (true, false), 3: (true, true), 4: (false, true), 8: (true, true)]
    let logits = Array(
      try setup.session.step(
        tokens.enumerated().map { position, token in
          let (logits, hidden) = wanting[position] ?? (false, false)
          return Session.Column(
            token: token, position: position, cache: cache, wantsLogits: logits, wantsHidden: hidden)
        }))
    let hidden = Array(setup.session.hidden)
    #expect(logits.count == 3 * Self.vocabulary)
    #expect(hidden.count == 3 * 64)
    let gguf = try GGUFFile(try MappedFile(setup.file.path))
    let head = try #require(gguf.tensors["output.weight"]).bytes.bindMemory(to: Float.self)
    // Rows of logits belong to columns 0, 3, 8 and hidden rows to 3, 4, 8.
    for (row, hiddenRow) in [(1, 0), (2, 2)] {
      let expected = (0..<Self.vocabulary).map { output in
        (0..<64).reduce(Float(0)) { $0.addingProduct(head[output * 64 + $1], hidden[hiddenRow * 64 + $1]) }
      }
      #expect(
        logits[row * Self.vocabulary..<(row + 1) * Self.vocabulary].map(\.bitPattern) == expected.map(\.bitPattern))
    }
  }

  @Test func windowsOfAttentionAreTheSameOnEveryPath() {
    var dice = Dice(seed: 9)
    let portable = symbolon_operations_for(0).pointee
    let fast = symbolon_operations_for(symbolon_path_best()).pointee
    for _ in 0..<60 {
      let size = [16, 32, 48, 64].randomElement(using: &dice) ?? 16
      let count = Int.random(in: 1...6, using: &dice)
      let pages = (0..<4).map { _ in
        (0..<KVPage.positions * size).map { _ in symbolon_float_to_half(dice.float(-2...2)) }
      }
      let ends = (0..<count).map { _ in Int32.random(in: 1...1024, using: &dice) }
      let firsts = ends.map { Int32.random(in: 0..<$0, using: &dice) }
      let scores = (0..<count).map { _ in (0..<1024).map { _ in dice.float(-20...20) } }
      let queries = (0..<count).map { _ in (0..<size).map { _ in dice.float(-3...3) } }
      let results = [portable, fast].map {
        attend($0, queries, scores, pages, firsts, ends, size).map { $0.map { $0.map(\.bitPattern) } }
      }
      #expect(results[0] == results[1], "\(size) dimensions, keys \(firsts) to \(ends)")
    }
  }

  /// The scores of the queries, then the values summed with the given scores.
  private func attend(
    _ operations: symbolon_operations, _ queries: [[Float]], _ scores: [[Float]], _ pages: [[UInt16]],
    _ firsts: [Int32], _ ends: [Int32], _ size: Int
  ) -> [[[Float]]] {
    let count = Int32(queries.count)
    let table = pages.map { page in
      let copy = UnsafeMutablePointer<UInt16>.allocate(capacity: page.count)
      copy.initialize(from: page, count: page.count)
      return Optional(copy)
    }
    func rows(_ values: [[Float]]) -> [UnsafeMutablePointer<Float>?] {
      values.map {
        let copy = UnsafeMutablePointer<Float>.allocate(capacity: $0.count)
        copy.initialize(from: $0, count: $0.count)
        return copy
      }
    }
    let q = rows(queries)
    let s = rows(scores.map { _ in [Float](repeating: 0, count: 1024) })
    let p = rows(scores)
    let out = rows(queries)
    defer {
      for row in q + s + p + out { row?.deallocate() }
      for page in table { page?.deallocate() }
    }
    var scale: [Float] = []
    table.withUnsafeBufferPointer { buffer in
      let strip = symbolon_strip(page: buffer.baseAddress, offset: 0)
      q.map { UnsafePointer($0) }.withUnsafeBufferPointer {
        operations.scores($0.baseAddress, count, Int32(size), strip, 3, 40, 0.25, s)
      }
      for index in queries.indices { scale.append(operations.softmax(p[index], firsts[index], ends[index])) }
      p.map { UnsafePointer($0) }.withUnsafeBufferPointer {
        operations.values($0.baseAddress, firsts, ends, scale, count, Int32(size), strip, out)
      }
    }
    func values(_ rows: [UnsafeMutablePointer<Float>?], _ count: Int) -> [[Float]] {
      rows.map { Array(UnsafeBufferPointer(start: $0, count: count)) }
    }
    return [values(s, 1024), values(out, size)]
  }
}
