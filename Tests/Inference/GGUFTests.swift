import InferenceCore
import Testing

@Suite struct GGUFTests {
  private func code(_ bytes: [UInt8]) throws -> String? {
    let file = try TemporaryFile(bytes)
    let pool = try WorkerPool(threads: 1)
    do throws(InferenceError) {
      _ = try Model(path: file.path, pool: pool)
      return nil
    } catch {
      #expect(error.sentence.contains(file.path), "the sentence names the file")
      return error.code
    }
  }

  @Test func missingFileIsNamedWithTheRemedy() throws {
    let error = #expect(throws: InferenceError.self) { try MappedFile("/nowhere/model.gguf") }
    #expect(error?.code == "model_missing")
    #expect(error?.sentence.contains("/nowhere/model.gguf") == true)
    #expect(error?.sentence.contains("make run") == true)
  }

  @Test func folderIsRefused() {
    let error = #expect(throws: InferenceError.self) { try MappedFile("/tmp") }
    #expect(error?.code == "model_unreadable")
  }

  @Test func emptyAndForeignFilesAreRefused() throws {
    #expect(try code([]) == "model_truncated")
    #expect(try code(Array("GGU".utf8)) == "model_truncated")
    #expect(try code(Array("PK\u{3}\u{4} this is a zip file".utf8)) == "not_gguf")
    #expect(try code(Array("GGUF".utf8) + [1, 0, 0, 0] + [UInt8](repeating: 0, count: 16)) == "gguf_version")
  }

  @Test func absurdCountsAreRefusedWithoutAllocating() throws {
    let header = Array("GGUF".utf8) + [3, 0, 0, 0]
    let huge = [UInt8](repeating: 0xff, count: 16)
    #expect(try code(header + huge + [UInt8](repeating: 0, count: 64)) == "model_truncated")
  }

  @Test func otherArchitecturesAndTypesAreNamed() throws {
    var tiny = TinyModel()
    tiny.architecture = "mamba"
    #expect(try code(tiny.bytes()) == "unsupported_architecture")
    // One key, and one tensor of type 10 (Q2_K).
    var file = Array("GGUF".utf8) + TinyModel.little(UInt32(3)) + TinyModel.little(UInt64(1))
    file += TinyModel.little(UInt64(1)) + TinyModel.little(UInt64(20)) + Array("general.architecture".utf8)
    file += TinyModel.little(UInt32(8)) + TinyModel.little(UInt64(5)) + Array("llama".utf8)
    file += TinyModel.little(UInt64(1)) + [0x77] + TinyModel.little(UInt32(1)) + TinyModel.little(UInt64(256))
    file += TinyModel.little(UInt32(10)) + TinyModel.little(UInt64(0)) + [UInt8](repeating: 0, count: 256)
    #expect(try code(file) == "unsupported_type")
  }

  @Test func everyTruncationIsRefusedWithASentence() throws {
    let whole = TinyModel(layers: 1, vocabulary: 260).bytes()
    for length in stride(from: 0, to: whole.count, by: max(1, whole.count / 150)) {
      #expect(try code(Array(whole[..<length])) != nil, "truncated to \(length) bytes")
    }
    #expect(try code(whole) == nil)
  }

  @Test func damagedHeadersNeverCrash() throws {
    let whole = TinyModel(layers: 1, vocabulary: 260).bytes()
    let seed = UInt64.random(in: 0...UInt64.max)
    print("damagedHeadersNeverCrash: seed \(seed)")
    var dice = Dice(seed: seed)
    for _ in 0..<400 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...6, using: &dice) {
        let place = Int.random(in: 0..<min(bytes.count, 9000), using: &dice)
        bytes[place] =
          [0, 1, 0x7f, 0x80, 0xff, UInt8.random(in: 0...255, using: &dice)].randomElement(using: &dice) ?? 0
      }
      _ = try code(bytes)
    }
  }
}
