import Foundation
import InferenceCore
import Synchronization
import Testing

/// Several models at once, loaded and unloaded while others answer.
@Suite struct LibraryTests {
  /// Room for two of three models: each counts its file and 64 MiB of buffers.
  private static let twoModels = 140 << 20

  private func engine(
    _ count: Int, _ change: (inout InferenceEngine.Options) -> Void = { _ in }
  ) throws -> (InferenceEngine, [TemporaryFile]) {
    let files = try (0..<count).map { try TemporaryFile(TinyModel(ends: false, seed: UInt64($0)).bytes()) }
    var options = InferenceEngine.Options()
    options.threads = 2
    options.modelMemory = Self.twoModels
    change(&options)
    let sources = files.enumerated().map { InferenceEngine.Source(path: $1.path, id: "m\($0)") }
    return (try InferenceEngine(sources, options: options), files)
  }

  private func answer(_ engine: InferenceEngine, _ model: String?, _ count: Int = 10) throws -> String {
    var answer = ""
    let request = GenerationRequest(
      model: model, prompt: .text("hello"), maxTokens: count, sampling: SamplingParameters(temperature: 0.8, seed: 4))
    try engine.generate(request) { if case .text(let text, _, _) = $0 { answer += text } }
    return answer
  }

  private func loaded(_ engine: InferenceEngine) -> [String] {
    engine.models.filter { $0.state == "loaded" }.map(\.id)
  }

  @Test func modelsAreLoadedOnDemandAndTheLeastRecentlyUsedGoes() throws {
    let (engine, files) = try engine(3)
    defer { withExtendedLifetime(files) { engine.close() } }
    #expect(engine.models.map(\.id) == ["m0", "m1", "m2"])
    #expect(loaded(engine) == ["m0", "m1"])
    let first = try answer(engine, "m0")
    _ = try answer(engine, "m2")
    #expect(loaded(engine) == ["m0", "m2"])
    _ = try answer(engine, "m1")
    #expect(loaded(engine) == ["m1", "m2"])
    #expect(try answer(engine, nil) == first, "loaded anew, the same answer")
    #expect(
      engine.models.allSatisfy { $0.sha256.count == 64 && $0.quantization == "Q4_1" && $0.context_length == 1024 })
    #expect(engine.models.allSatisfy { $0.fingerprint.hasPrefix("sca1-") })
  }

  @Test func modelIsNotLoadedWhereThatIsNotAllowed() throws {
    let (engine, files) = try engine(2) { $0.loadsOnDemand = false }
    defer { withExtendedLifetime(files) { engine.close() } }
    #expect(loaded(engine) == ["m0", "m1"])
    try engine.unload("m1")
    let error = #expect(throws: InferenceError.self) { try answer(engine, "m1") }
    #expect(error?.code == "model_not_loaded" && error?.kind == .unavailable)
    #expect(try engine.load(id: "m1").state == "loaded")
    #expect(try !answer(engine, "m1").isEmpty)
  }

  @Test func runningAnswersFinishBeforeTheirModelGoes() throws {
    let (engine, files) = try engine(1)
    defer { withExtendedLifetime(files) { engine.close() } }
    let expected = try answer(engine, "m0", 600)
    let started = DispatchSemaphore(value: 0)
    let ended = DispatchSemaphore(value: 0)
    let found = Mutex("")
    let request = GenerationRequest(
      model: "m0", prompt: .text("hello"), maxTokens: 600, sampling: SamplingParameters(temperature: 0.8, seed: 4))
    Thread.detachNewThread {
      try? engine.generate(request) { event in
        if case .start = event { started.signal() }
        if case .text(let text, _, _) = event { found.withLock { $0 += text } }
      }
      ended.signal()
    }
    started.wait()
    try engine.unload("m0")
    ended.wait()
    #expect(found.withLock { $0 } == expected)
    #expect(loaded(engine) == [])
  }

  @Test func engineWithoutModelsTakesOneLater() throws {
    let engine = try InferenceEngine([])
    defer { engine.close() }
    #expect(engine.models.isEmpty)
    let none = #expect(throws: InferenceError.self) { try answer(engine, nil) }
    #expect(none?.code == "model_not_found" && none?.sentence.contains("inference load") == true)
    let file = try TemporaryFile(TinyModel(ends: false).bytes())
    let description = try engine.load(.init(path: file.path, id: "late"))
    #expect(description.state == "loaded" && description.id == "late")
    #expect(try !answer(engine, "late").isEmpty)
    #expect(try !answer(engine, nil).isEmpty)
    let other = try TemporaryFile(TinyModel(seed: 2).bytes())
    #expect(throws: InferenceError.self) { try engine.load(.init(path: other.path, id: "late")) }
    #expect(throws: InferenceError.self) { try engine.load(.init(path: "/nowhere.gguf")) }
    #expect(throws: InferenceError.self) { try engine.load(id: "nobody") }
    #expect(throws: InferenceError.self) { try engine.unload("nobody") }
  }

  @Test func modelThatIsTooLargeIsRefusedWithTheNumbers() throws {
    let file = try TemporaryFile(TinyModel().bytes())
    var options = InferenceEngine.Options()
    options.modelMemory = 1 << 20
    let error = #expect(throws: InferenceError.self) { try InferenceEngine([.init(path: file.path)], options: options) }
    #expect(error?.code == "model_too_large" && error?.sentence.contains("model_memory") == true)
    options.modelMemory = 0
    options.kvMemory = 1000
    let small = #expect(throws: InferenceError.self) { try InferenceEngine([.init(path: file.path)], options: options) }
    #expect(small?.code == "kv_memory_too_small")
  }

  @Test func loadingTellsHowFarItIs() throws {
    let shares = Mutex([Double]())
    let (engine, files) = try engine(1) { options in
      options.progress = { progress in shares.withLock { $0.append(progress.share) } }
    }
    defer { withExtendedLifetime(files) { engine.close() } }
    let seen = shares.withLock { $0 }
    #expect(seen.first == 0 && seen.last == 1 && seen == seen.sorted() && seen.count >= 3)
  }

  @Test func manyRequestsForMoreModelsThanFitAllGetTheirAnswers() throws {
    let (engine, files) = try engine(4)
    defer { withExtendedLifetime(files) { engine.close() } }
    let expected = try (0..<4).map { try answer(engine, "m\($0)", 30) }
    let found = Mutex([Int: String]())
    let group = DispatchGroup()
    for index in 0..<24 {
      group.enter()
      Thread.detachNewThread {
        let text = try? answer(engine, "m\(index % 4)", 30)
        found.withLock { $0[index] = text }
        group.leave()
      }
    }
    group.wait()
    for index in 0..<24 { #expect(found.withLock { $0[index] } == expected[index % 4]) }
    #expect(loaded(engine).count <= 2)
  }
}
