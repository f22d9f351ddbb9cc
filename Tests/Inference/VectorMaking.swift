import Foundation
import InferenceCore
import Synchronization
import Testing

/// Writes the published vectors when `Scripts/make-vectors` asks for it, by the second implementation alone.
@Suite struct VectorMaking {
  private typealias Vector = VectorTests.Vector
  private typealias Parameters = VectorTests.Parameters

  static let isWanted = ProcessInfo.processInfo.environment["SYMBOLON_MAKE_VECTORS"] != nil

  private static let prompts: [(String, Parameters)] = [
    ("The capital of France is", Parameters(seed: 1, temperature: 0)),
    ("def fibonacci(n):", Parameters(seed: 2, temperature: 0)),
    ("Once upon a time", Parameters(seed: 3, temperature: 1)),
    ("Once upon a time", Parameters(seed: 4, temperature: 1)),
    ("2 + 2 =", Parameters(seed: 5, temperature: 0.7)),
    ("Le chat dort sur le canapé", Parameters(seed: 6, temperature: 0.8, top_p: 0.9)),
    ("Die Würde des Menschen", Parameters(seed: 7, temperature: 1.2, top_k: 40)),
    ("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", Parameters(seed: 8, temperature: 0.5, min_p: 0.05)),
    ("The sea is", Parameters(seed: 9, temperature: 1, typical_p: 0.8)),
    ("one two one two one two", Parameters(seed: 10, temperature: 0, repetition_penalty: 1.5)),
    ("a b c a b c a b c", Parameters(seed: 11, temperature: 0, frequency_penalty: 1.5, presence_penalty: 0.5)),
    ("{\"name\": \"", Parameters(seed: 12, temperature: 1, top_k: 100, top_p: 0.95, min_p: 0.01)),
    ("北京是", Parameters(seed: 13, temperature: 0)),
    ("🙂🙃", Parameters(seed: 14, temperature: 2)),
    ("\n\n", Parameters(seed: 15, temperature: 1)),
    ("SELECT * FROM", Parameters(seed: 16, temperature: 0.9, top_p: 0.5, typical_p: 0.9)),
    ("Dear Sir or Madam,", Parameters(seed: 1 << 63, temperature: 1)),
    ("x", Parameters(seed: .max, temperature: 1.5, top_k: 1)),
    ("To be, or not to be", Parameters(seed: 19, temperature: 1e-7)),
    ("0123456789", Parameters(seed: 20, temperature: 1, repetition_penalty: 0.9, presence_penalty: -1)),
  ]

  private static func planned(_ files: VectorTests.Files) throws -> [Vector] {
    let path = try RealModel.path()
    let hash = try VectorTests.sha256(path)
    let tokenizer = try Tokenizer(GGUFFile(try MappedFile(path)))
    var vectors = prompts.map { prompt, parameters in
      Vector(
        model: "SmolLM2-135M-Instruct.Q4_1.gguf", sha256: hash, prompt: prompt,
        tokens: tokenizer.encode(prompt, authored: true), sampling: parameters, output: [], logits: [], root: "")
    }
    for (index, (model, _)) in VectorTests.small.enumerated() {
      let path = try files.path(model)
      let tokenizer = try Tokenizer(GGUFFile(try MappedFile(path)))
      let prompt = "A cab and abc: number \(index)."
      vectors.append(
        Vector(
          model: model, sha256: try VectorTests.sha256(path), prompt: prompt,
          tokens: tokenizer.encode(prompt, authored: true),
          sampling: Parameters(seed: UInt64(100 + index), temperature: index % 3 == 0 ? 0 : 0.9), output: [],
          logits: [], root: ""))
    }
    return vectors
  }

  @Test(.enabled(if: isWanted, "only Scripts/make-vectors writes vectors")) func writeThem() throws {
    let files = try VectorTests.Files()
    defer { withExtendedLifetime(files) {} }
    for (model, tiny) in VectorTests.small {
      try FileManager.default.createDirectory(at: Fixture.url("vectors"), withIntermediateDirectories: true)
      try Data(tiny.bytes()).write(to: Fixture.url("vectors/\(model)"))
    }
    let planned = try Self.planned(files)
    let paths = try planned.map { try files.path($0.model) }
    let made = Mutex([Int: Result<Vector, any Error>]())
    DispatchQueue.concurrentPerform(iterations: planned.count) { index in
      let vector = planned[index]
      let done = Result { try VectorTests.made(vector, paths[index], count: vector.isReal ? 6 : 24) }
      made.withLock { $0[index] = done }
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let lines = try planned.indices.map { index in
      let vector = try #require(made.withLock { $0[index] }).get()
      return String(decoding: try encoder.encode(vector), as: UTF8.self)
    }
    let text = "[\n" + lines.joined(separator: ",\n") + "\n]\n"
    try Data(text.utf8).write(to: Fixture.url("vectors.json"))
  }
}
