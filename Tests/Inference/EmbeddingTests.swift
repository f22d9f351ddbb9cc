import InferenceCore
import Testing

/// Texts as vectors.
@Suite struct EmbeddingTests {
  private func engine(_ model: TinyModel = TinyModel()) throws -> (InferenceEngine, TemporaryFile) {
    let file = try TemporaryFile(model.bytes())
    var options = InferenceEngine.Options()
    options.threads = 2
    return (try InferenceEngine([.init(path: file.path, id: "tiny")], options: options), file)
  }

  @Test func vectorIsTheMeanOfAllPositionsWithLengthOne() throws {
    let (engine, file) = try engine()
    defer { withExtendedLifetime(file) { engine.close() } }
    let text = String(repeating: "ab c ", count: 70)
    let embeddings = try engine.embed(.init(input: [text]))
    let vector = try #require(embeddings.vectors.first)

    // The same by hand, one position a step.
    let pool = try WorkerPool(threads: 1)
    let model = try Model(path: file.path, pool: pool)
    let session = try Session(model, pool: pool, logitRows: 1)
    let tokens = model.tokenizer.encode(text)
    let cache = try SequenceCache(model, positions: tokens.count)
    var sums = [Float](repeating: 0, count: 64)
    for (position, token) in tokens.enumerated() {
      _ = try session.step([
        Session.Column(token: token, position: position, cache: cache, wantsLogits: false, wantsHidden: true)
      ])
      for index in 0..<64 { sums[index] += session.hidden[index] }
    }
    let means = sums.map { Double($0) / Double(tokens.count) }
    let length = means.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(embeddings.promptTokens == tokens.count && tokens.count > 256 - 1)
    #expect(vector == means.map { Float($0 / length) })
    #expect(abs(vector.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
  }

  @Test func vectorsKeepTheirOrderAndDoNotDependOnEachOther() throws {
    let (engine, file) = try engine()
    defer { withExtendedLifetime(file) { engine.close() } }
    let texts = (0..<23).map { String(repeating: "text \($0) ", count: $0 * 5 + 1) }
    let together = try engine.embed(.init(model: "tiny", input: texts))
    #expect(together.model == "tiny" && together.vectors.count == texts.count)
    for (text, vector) in zip(texts, together.vectors) {
      #expect(try engine.embed(.init(input: [text])).vectors == [vector])
    }
    #expect(Set(together.vectors).count == texts.count)
  }

  @Test func wrongInputIsNamed() throws {
    let (engine, file) = try engine(TinyModel(context: 64))
    defer { withExtendedLifetime(file) { engine.close() } }
    for input in [[], [""], [String(repeating: "x", count: 65)], [String](repeating: "x", count: 2049)] {
      let error = #expect(throws: InferenceError.self) { try engine.embed(.init(input: input)) }
      #expect(error?.kind == .invalidRequest && error?.parameter == "input")
    }
    #expect(throws: InferenceError.self) { try engine.embed(.init(model: "other", input: ["x"])) }
    #expect(throws: InferenceError.self) { try engine.embed(.init(input: ["x"]), isCancelled: { true }) }
  }
}
