import Foundation
import InferenceCore
import Synchronization
import Testing

@Suite struct EngineTests {
  private func tiny(
    _ model: TinyModel = TinyModel(ends: false), _ options: (inout InferenceEngine.Options) -> Void = { _ in }
  ) throws -> (engine: InferenceEngine, file: TemporaryFile) {
    let file = try TemporaryFile(model.bytes())
    var choice = InferenceEngine.Options()
    choice.threads = 2
    options(&choice)
    return (try InferenceEngine([.init(path: file.path, id: "tiny")], options: choice), file)
  }

  private func request(_ text: String, _ count: Int = 20, seed: UInt64 = 1, stops: [String] = []) -> GenerationRequest {
    GenerationRequest(
      prompt: .text(text), maxTokens: count, sampling: SamplingParameters(temperature: 0.9, seed: seed), stops: stops)
  }

  private func events(_ engine: InferenceEngine, _ request: GenerationRequest) throws -> [GenerationEvent] {
    var events: [GenerationEvent] = []
    try engine.generate(request) { events.append($0) }
    return events
  }

  private func text(_ events: [GenerationEvent]) -> String {
    events.map { if case .text(let text, _, _) = $0 { text } else { "" } }.joined()
  }

  @Test func completesWithTheCapitalOfFrance() throws {
    let engine = try InferenceEngine([.init(path: RealModel.path())])
    defer { engine.close() }
    let question = GenerationRequest(
      prompt: .text("The capital of France is"), maxTokens: 3, sampling: SamplingParameters(temperature: 0))
    let events = try events(engine, question)
    #expect(text(events).hasPrefix(" Paris"))
    #expect(events.first == .start(promptTokens: 5))
    #expect(events.last == .end(.length, promptTokens: 5, completionTokens: 3))
    let model = try #require(engine.models.first)
    #expect(model.id == "SmolLM2-135M-Instruct.Q4_1")
    #expect(model.quantization == "Q4_1")
    #expect(model.context_length == 8192)
    #expect(model.sha256 == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")
  }

  @Test func chatsEndByThemselves() throws {
    let engine = try InferenceEngine([.init(path: RealModel.path())])
    defer { engine.close() }
    let question = GenerationRequest(
      prompt: .messages([ChatMessage(role: "user", content: "Say hello.")]), maxTokens: 200,
      sampling: SamplingParameters(temperature: 0))
    let events = try events(engine, question)
    #expect(events.first == .start(promptTokens: try engine.count(question)))
    guard case .end(let reason, _, let count, _, _) = events.last else {
      Issue.record("no end")
      return
    }
    #expect(reason == .stop && count > 0 && !text(events).isEmpty)
  }

  @Test func sameRequestGivesTheSameTextAloneAndInCompany() throws {
    let (engine, file) = try tiny()
    defer { engine.close() }
    _ = file
    let alone = try (0..<6).map { try text(events(engine, request("prompt \($0)", 60, seed: UInt64($0)))) }
    let together = Mutex([Int: String]())
    let group = DispatchGroup()
    for number in 0..<6 {
      Thread.detachNewThread {
        group.enter()
        defer { group.leave() }
        let answer = (try? events(engine, request("prompt \(number)", 60, seed: UInt64(number)))).map { text($0) }
        together.withLock { $0[number] = answer }
      }
    }
    let deadline = Date().addingTimeInterval(300)
    while together.withLock({ $0.count }) < 6, Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
    #expect(together.withLock { $0 } == Dictionary(uniqueKeysWithValues: alone.enumerated().map { ($0, $1) }))
  }

  @Test func countsAndLengthAreTold() throws {
    let (engine, file) = try tiny()
    defer { engine.close() }
    _ = file
    let events = try events(engine, request("hello", 10))
    guard case .end(let reason, let prompt, let completion, _, _) = events.last else {
      Issue.record("no end")
      return
    }
    #expect(prompt == 5)
    #expect(reason == .stop || completion == 10)
    let counts = events.compactMap { if case .text(_, let tokens, _) = $0 { tokens } else { nil } }
    #expect(counts == counts.sorted())
    #expect((counts.last ?? 0) <= completion)
  }

  @Test func stopStringsEndTheAnswerAndDoNotShow() throws {
    let (engine, file) = try tiny()
    defer { engine.close() }
    _ = file
    let whole = text(try events(engine, request("x", 90)))
    let characters = Array(whole)
    let place = try #require((2..<characters.count - 1).first { characters[$0].isASCII && characters[$0 + 1].isASCII })
    let stop = String(characters[place...place + 1])
    let events = try events(engine, request("x", 90, stops: [stop]))
    let first = try #require(whole.range(of: stop))
    #expect(text(events) == String(whole[..<first.lowerBound]))
    guard case .end(let reason, _, _, _, _) = events.last else {
      Issue.record("no end")
      return
    }
    #expect(reason == .stop)
  }

  @Test func tooLongIsRefusedWithTheNumbers() throws {
    let (engine, file) = try tiny(TinyModel(context: 64, ends: false))
    defer { engine.close() }
    _ = file
    for request in [request(String(repeating: "x", count: 80), 1), request("xx", 63)] {
      let error = #expect(throws: InferenceError.self) { try events(engine, request) }
      #expect(error?.code == "context_length_exceeded")
      #expect(error?.sentence.contains("64") == true)
    }
    #expect(throws: Never.self) { try events(engine, request("xx", 62)) }
  }

  @Test func unknownModelIsNotFound() throws {
    let (engine, file) = try tiny()
    defer { engine.close() }
    _ = file
    var wrong = request("x")
    wrong.model = "gpt-4"
    let error = #expect(throws: InferenceError.self) { try events(engine, wrong) }
    #expect(error?.code == "model_not_found")
    #expect(error?.sentence.contains("tiny") == true)
  }

  @Test func wrongHashIsRefused() throws {
    let file = try TemporaryFile(TinyModel().bytes())
    let error = #expect(throws: InferenceError.self) {
      try InferenceEngine([.init(path: file.path, sha256: String(repeating: "0", count: 64))])
    }
    #expect(error?.code == "wrong_hash")
  }

  @Test func hashesAreRememberedUntilTheFileChanges() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let hashes = VerifiedHashes(folder: folder.path)
    let file = try TemporaryFile(Array("one".utf8))
    let first = try hashes.sha256(of: try MappedFile(file.path))
    #expect(first == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed")
    #expect(try hashes.sha256(of: try MappedFile(file.path)) == first)
    try Data("three".utf8).write(to: URL(fileURLWithPath: file.path))
    #expect(try hashes.sha256(of: try MappedFile(file.path)) != first)
  }

  @Test func receiverWhoLeavesEndsTheAnswer() throws {
    struct Gone: Error {}
    let (engine, file) = try tiny()
    defer { engine.close() }
    _ = file
    for _ in 0..<20 {
      #expect(throws: Gone.self) {
        try engine.generate(request("x", 900)) { _ in throw Gone() }
      }
    }
    #expect(throws: InferenceError.self) {
      try engine.generate(request("y", 900), isCancelled: { true }) { _ in }
    }
    // The engine is free again: an answer comes at once.
    #expect(try !events(engine, request("z", 5)).isEmpty)
  }

  @Test func fullQueueIsRefusedWithAHint() throws {
    let (engine, file) = try tiny(TinyModel(layers: 8, ends: false)) { options in
      options.maxQueue = 1
      options.maxActive = 1
    }
    defer { engine.close() }
    _ = file
    let refusals = Mutex([InferenceError]())
    let done = Mutex(0)
    for number in 0..<6 {
      Thread.detachNewThread {
        do { _ = try events(engine, request("x", 600, seed: UInt64(number))) } catch let error as InferenceError {
          refusals.withLock { $0.append(error) }
        } catch {}
        done.withLock { $0 += 1 }
      }
    }
    let deadline = Date().addingTimeInterval(300)
    while done.withLock({ $0 }) < 6, Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
    #expect(done.withLock { $0 } == 6)
    let seen = refusals.withLock { $0 }
    #expect(!seen.isEmpty)
    #expect(seen.allSatisfy { $0.kind == .exhausted && $0.code == "queue_full" && ($0.retryAfterSeconds ?? 0) > 0 })
  }

  @Test func slowReceiverHoldsUpNobody() throws {
    let (engine, file) = try tiny()
    defer { engine.close() }
    _ = file
    let hold = Mutex(true)
    let finished = Mutex(false)
    Thread.detachNewThread {
      try? engine.generate(request("slow", 400)) { _ in
        while hold.withLock({ $0 }) { Thread.sleep(forTimeInterval: 0.005) }
      }
      finished.withLock { $0 = true }
    }
    for number in 0..<5 { #expect(try !events(engine, request("fast \(number)", 20)).isEmpty) }
    hold.withLock { $0 = false }
    let deadline = Date().addingTimeInterval(300)
    while !finished.withLock({ $0 }), Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
    #expect(finished.withLock { $0 })
  }

  @Test func closingEndsAnswersWithAReason() throws {
    let (engine, file) = try tiny(TinyModel(layers: 8, ends: false))
    _ = file
    let failure = Mutex<InferenceError?>(nil)
    let started = Mutex(false)
    Thread.detachNewThread {
      do {
        try engine.generate(request("x", 900)) { _ in
          started.withLock { $0 = true }
        }
      } catch let error as InferenceError { failure.withLock { $0 = error } } catch {}
    }
    let deadline = Date().addingTimeInterval(300)
    while !started.withLock({ $0 }), Date() < deadline { Thread.sleep(forTimeInterval: 0.001) }
    engine.close()
    Thread.sleep(forTimeInterval: 0.2)
    #expect(failure.withLock { $0 }.map { $0.code == "engine_stopping" } ?? true)
    #expect(throws: InferenceError.self) { try events(engine, request("x")) }
  }
}
