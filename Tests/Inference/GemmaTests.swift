import Foundation
import InferenceCore
import InferenceKernels
import Testing

/// Gemma 3 as it is published: another family, other types in one file, a window, and SentencePiece.
@Suite struct GemmaTests {
  private static func path() throws -> String {
    let home = ProcessInfo.processInfo.environment["HOME"] ?? ""
    let folder = ProcessInfo.processInfo.environment["SYMBOLON_MODELS"] ?? "\(home)/.symbolon/models"
    let path = "\(folder)/gemma-3-270m-q4_k_m.gguf"
    try #require(
      FileManager.default.fileExists(atPath: path), "Gemma 3 is not at \(path): `Scripts/fetch-model --all` fetches it."
    )
    return path
  }

  private static let loaded = Result { try Model(path: path(), context: 1024, pool: WorkerPool(threads: 2)) }

  @Test func bothImplementationsAgreeBeyondTheWindow() throws {
    let model = try Self.loaded.get()
    let sentence = "The moon pulls on the sea, and the sea pulls back; that is why days grow longer. "
    let text = String(repeating: sentence, count: 40)
    let tokens = [try #require(model.tokenizer.begin)] + model.tokenizer.encode(text).prefix(529)
    try #require(tokens.count == 530)
    let window = try #require(model.sizes.window)
    #expect(window < tokens.count, "the last positions see a part of the text")
    let expected = try InvarianceTests.kernels(model, tokens, cut: [64], threads: 2)
    #expect(try InvarianceTests.reference(Self.path(), Array(tokens.prefix(6))) == expected.prefix(6))
    for path in KernelTests.paths {
      // The scalar path is slow, and its order of work is that of the others.
      let count = path == Int32(SYMBOLON_PATH_SCALAR.rawValue) ? 20 : 530
      let run = try InvarianceTests.kernels(
        model, Array(tokens.prefix(count)), cut: [17, 1, 1, 61, 64], threads: 2, path: path)
      #expect(run == expected.prefix(count), "path \(path)")
    }
  }

  @Test func textsComeBackAndBytesAreSpelt() throws {
    let tokenizer = try Self.loaded.get().tokenizer
    #expect(tokenizer.vocabularySize == 262_144)
    #expect(tokenizer.begin == 2)
    #expect(tokenizer.ends.contains(1) && tokenizer.ends.contains(106), "<eos> and <end_of_turn>")
    #expect(tokenizer.encode("Hello, world!") == [9259, 236764, 1902, 236888])
    let text = "naïve 👩‍👩‍👧 日本語\n\n\n\t\t  code();\u{378}\u{e000} ᚛"
    let tokens = tokenizer.encode(text)
    #expect(String(decoding: tokenizer.decode(tokens), as: UTF8.self) == text)
    var stream = TextStream(stops: [])
    let pieces = tokens.map { stream.add(tokenizer.bytes(of: $0)) } + [stream.finish()]
    #expect(pieces.joined() == text)
    #expect(!pieces.contains { $0.contains("\u{fffd}") }, "characters spelt in bytes come whole")
    #expect(tokenizer.encode("<start_of_turn>user") != tokenizer.encode("<start_of_turn>user", authored: true))
  }
}
