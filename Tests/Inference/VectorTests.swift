import Foundation
import InferenceCore
import InferenceKernels
import Testing

/// The published vectors of section 15 of `docs/arithmetic.md`, computed again.
@Suite struct VectorTests {
  /// One run.
  struct Vector: Codable, Sendable, CustomTestStringConvertible {
    /// The file's name: one of `small`, or the model that `Scripts/fetch-model` fetches.
    var model: String
    var sha256: String
    /// The prompt as text, and the ids that the model's tokenizer makes of it.
    var prompt: String
    var tokens: [Int32]
    /// As in a request; members that are neutral are left out.
    var sampling: Parameters
    var output: [Int32]
    /// The digest of each row of logits from which a token of the output was chosen.
    var logits: [String]
    /// The trace root over the prompt and the output without its last token.
    var root: String

    var testDescription: String { "\(model): \(prompt.prefix(30))" }
    var isReal: Bool { model.hasPrefix("SmolLM2") }
  }

  struct Parameters: Codable, Sendable {
    var seed: UInt64
    var temperature: Double
    var top_k: Int?
    var top_p: Double?
    var min_p: Double?
    var typical_p: Double?
    var repetition_penalty: Double?
    var frequency_penalty: Double?
    var presence_penalty: Double?

    var parameters: SamplingParameters {
      SamplingParameters(
        temperature: temperature, topK: top_k ?? 0, topP: top_p ?? 1, minP: min_p ?? 0, typicalP: typical_p ?? 1,
        repetitionPenalty: repetition_penalty ?? 1, frequencyPenalty: frequency_penalty ?? 0,
        presencePenalty: presence_penalty ?? 0, seed: seed)
    }
  }

  static let vectors = Result { try JSONDecoder().decode([Vector].self, from: Fixture.data("vectors.json")) }

  /// Small models of every family, and of every type of weights, by the names of their files.
  static var small: [(String, TinyModel)] {
    let families = ["llama", "qwen2", "qwen3", "gemma3"].enumerated().map { index, name in
      (name + ".gguf", TinyModel.families[index])
    }
    let types: [TensorType] = [.f32, .f16, .bf16, .q4_0, .q8_0, .q4_k, .q5_k, .q6_k]
    return families
      + types.enumerated().map { index, type in
        let width = [TensorType.q4_k, .q5_k, .q6_k].contains(type) ? 256 : 64
        return (
          "llama-\(type).gguf",
          TinyModel(
            width: width, layers: 1, heads: 3, kvHeads: 1, feedWidth: width == 256 ? 256 : 96, vocabulary: 270,
            type: type, seed: UInt64(50 + index))
        )
      }
  }

  /// The models of the vectors; no model is in the repository, so the small ones are made from their seeds.
  struct Files {
    private let small: [String: TemporaryFile]

    init() throws {
      small = try Dictionary(uniqueKeysWithValues: VectorTests.small.map { ($0, try TemporaryFile($1.bytes())) })
    }

    func path(_ model: String) throws -> String { try small[model]?.path ?? RealModel.path() }
  }

  static func sha256(_ path: String) throws -> String {
    let file = try MappedFile(path)
    let bytes = withExtendedLifetime(file) { Array(file.bytes) }
    return Specification.sha256(bytes).map { String(format: "%02x", $0) }.joined()
  }

  @Test func thereAreThirtyTwoOfTheirFiles() throws {
    let vectors = try Self.vectors.get()
    let files = try Files()
    defer { withExtendedLifetime(files) {} }
    #expect(vectors.count == 32)
    #expect(vectors.count { $0.isReal } == 20)
    #expect(Set(vectors.map(\.root)).count == 32)
    for (model, group) in Dictionary(grouping: vectors, by: \.model) {
      let hash = try Self.sha256(files.path(model))
      #expect(group.allSatisfy { $0.sha256 == hash }, "\(model)")
    }
  }

  @Test func theKernelsGiveThem() throws {
    let files = try Files()
    defer { withExtendedLifetime(files) {} }
    for (model, group) in Dictionary(grouping: try Self.vectors.get(), by: \.model) {
      let pool = try WorkerPool(threads: 2)
      let loaded = try group[0].isReal ? RealModel.loaded.get() : Model(path: files.path(model), pool: pool)
      let session = try Session(loaded, pool: pool, logitRows: 1)
      for vector in group {
        #expect(loaded.tokenizer.encode(vector.prompt, authored: true) == vector.tokens, "\(vector.testDescription)")
        let found = try Self.run(vector, session, loaded)
        #expect(found.output == vector.output && found.logits == vector.logits, "\(vector.testDescription)")
        #expect(found.root == vector.root, "\(model): \(vector.testDescription)")
      }
    }
  }

  /// Reads the prompt in one step, then writes the output token by token.
  private static func run(_ vector: Vector, _ session: Session, _ model: Model) throws -> Vector {
    let cache = try SequenceCache(model, positions: vector.tokens.count + vector.output.count)
    var sampler = Sampler(vector.sampling.parameters, prompt: vector.tokens)
    var found = vector
    var trace = Trace()
    (found.output, found.logits) = ([], [])
    var fed = vector.tokens
    while found.output.count < vector.output.count {
      let start = trace.count
      let logits = try session.step(
        (start..<fed.count).map {
          Session.Column(
            token: fed[$0], position: $0, cache: cache, wantsLogits: $0 == fed.count - 1, wantsLeaf: true)
        })
      for index in 0..<fed.count - start { trace.append(session.leaf(index)) }
      found.logits.append(InvarianceTests.digest(logits).hex)
      var row = Array(logits)
      let token = row.withUnsafeMutableBufferPointer {
        sampler.pick($0, position: fed.count, path: session.path)
      }
      let chosen = try #require(token)
      found.output.append(chosen)
      fed.append(chosen)
    }
    found.root = trace.root.hex
    return found
  }

  @Test func theSecondImplementationGivesThoseOfTheSmallModels() throws {
    let files = try Files()
    defer { withExtendedLifetime(files) {} }
    for vector in try Self.vectors.get() where !vector.isReal {
      let found = try Self.made(vector, files.path(vector.model), count: vector.output.count)
      #expect(found.output == vector.output && found.logits == vector.logits && found.root == vector.root)
    }
  }

  /// A run by the second implementation alone.
  static func made(_ vector: Vector, _ path: String, count: Int) throws -> Vector {
    let sequence = ReferenceSequence(try ReferenceModel(GGUFFile(try MappedFile(path))))
    var made = vector
    var trace = Trace()
    (made.output, made.logits) = ([], [])
    var row: [Float] = []
    for (index, token) in vector.tokens.enumerated() {
      let step = try sequence.step(token, wantsLogits: index == vector.tokens.count - 1)
      trace.append(step.digests.leaf)
      row = step.logits
    }
    while true {
      made.logits.append(row.withUnsafeBufferPointer { InvarianceTests.digest($0).hex })
      let place = ReferenceSampler.Place(prompt: vector.tokens, answer: made.output)
      made.output.append(try #require(ReferenceSampler.pick(row, vector.sampling.parameters, place)))
      if made.output.count == count { break }
      let step = try sequence.step(made.output[made.output.count - 1])
      trace.append(step.digests.leaf)
      row = step.logits
    }
    made.root = trace.root.hex
    return made
  }
}
