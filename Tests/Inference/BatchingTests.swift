import Foundation
import InferenceCore
import Synchronization
import Testing

/// Many requests at once: whatever the scheduler does with memory, prefixes and guesses, answers keep their bits.
@Suite struct BatchingTests {
  private typealias Answer = (text: String, cached: Int, tokens: Int)

  private static func engine(
    _ models: [TinyModel] = [TinyModel(ends: false)], _ change: (inout InferenceEngine.Options) -> Void = { _ in }
  ) throws -> (InferenceEngine, [TemporaryFile]) {
    let files = try models.map { try TemporaryFile($0.bytes()) }
    var options = InferenceEngine.Options()
    options.threads = 2
    change(&options)
    let sources = files.enumerated().map { InferenceEngine.Source(path: $1.path, id: "tiny\($0)") }
    return (try InferenceEngine(sources, options: options), files)
  }

  private static func request(
    _ text: String, _ count: Int, seed: UInt64 = 1, temperature: Double = 0.9, model: String? = nil
  ) -> GenerationRequest {
    GenerationRequest(
      model: model, prompt: .text(text), maxTokens: count,
      sampling: SamplingParameters(temperature: temperature, seed: seed))
  }

  private static func answer(_ engine: InferenceEngine, _ request: GenerationRequest) throws -> Answer {
    var answer: Answer = ("", 0, 0)
    try engine.generate(request) { event in
      switch event {
      case .text(let text, _, _): answer.text += text
      case .end(_, _, let tokens, let cached, _): (answer.tokens, answer.cached) = (tokens, cached)
      default: break
      }
    }
    return answer
  }

  /// Asks all at once, each on a thread of its own; answers in order.
  private static func answers(_ engine: InferenceEngine, _ requests: [GenerationRequest]) throws -> [Answer] {
    let results = Mutex([Int: Result<Answer, any Error>]())
    let group = DispatchGroup()
    for (index, request) in requests.enumerated() {
      group.enter()
      Thread.detachNewThread {
        let result = Result { try answer(engine, request) }
        results.withLock { $0[index] = result }
        group.leave()
      }
    }
    group.wait()
    return try requests.indices.map { index in
      try #require(results.withLock { $0[index] }).get()
    }
  }

  /// A text of about `count` tokens that repeats itself now and then.
  private static func text(_ count: Int, _ dice: inout Dice) -> String {
    var text = ""
    while text.utf8.count < count {
      text += Bool.random(using: &dice) ? "the quick brown fox " : String(Int.random(in: 0...9999, using: &dice))
    }
    return String(text.prefix(count))
  }

  @Test func shortMemoryPreemptsAndChangesNoAnswer() throws {
    let page = 2 * 2 * 2 * 256 * 32 * 2
    let (plain, files) = try Self.engine { options in
      (options.prefixCache, options.speculation) = (false, false)
    }
    defer { withExtendedLifetime(files) { plain.close() } }
    for prefixCache in [false, true] {
      let (tight, more) = try Self.engine { options in
        options.kvMemory = 4 * page
        options.maxActive = 8
        options.prefixCache = prefixCache
      }
      defer { withExtendedLifetime(more) { tight.close() } }
      // Each grows over one page or two, and only four fit at a time.
      let requests = (0..<7).map { Self.request("question \($0) ", 300 + 70 * $0, seed: UInt64($0)) }
      let together = try Self.answers(tight, requests)
      for (request, answer) in zip(requests, together) {
        #expect(answer.text == (try Self.answer(plain, request)).text)
        #expect(answer.tokens == request.maxTokens)
      }
      #expect(tight.counters.preemptions > 0)
      #expect(tight.counters.pageBytes <= 4 * page)
    }
  }

  @Test func contextIsBoundedByTheMemory() throws {
    let (engine, files) = try Self.engine { $0.kvMemory = 2 * 2 * 2 * 2 * 256 * 32 * 2 + 5 }
    defer { withExtendedLifetime(files) { engine.close() } }
    #expect(engine.models.first?.context_length == 512)
    let error = #expect(throws: InferenceError.self) { try Self.answer(engine, Self.request("hello", 510)) }
    #expect(error?.code == "context_length_exceeded")
    #expect(try Self.answer(engine, Self.request("hello", 500)).tokens == 500)
  }

  @Test func prefixesAreSharedAndChangeNoAnswer() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var dice = Dice(seed: seed)
    let (plain, files) = try Self.engine { $0.prefixCache = false }
    let (sharing, more) = try Self.engine()
    defer {
      withExtendedLifetime(files) { plain.close() }
      withExtendedLifetime(more) { sharing.close() }
    }
    let beginning = Self.text(700, &dice)
    var text = beginning
    for round in 0..<14 {
      // Around the borders of pages too, and sometimes exactly what was asked before.
      let count = [255, 256, 257, 511, 512, 513, 20, 300, 700][round % 9]
      let prompt = round % 3 == 2 ? text : String(beginning.prefix(count)) + (round % 2 == 0 ? "" : " and \(round)")
      let request = Self.request(prompt, 20, seed: UInt64(round))
      let expected = try Self.answer(plain, request)
      let found = try Self.answer(sharing, request)
      #expect(found.text == expected.text, "round \(round), seed \(seed)")
      #expect(expected.cached == 0)
      text = prompt
    }
    #expect(sharing.counters.cachedPositions > 1000)
    _ = try Self.answer(sharing, Self.request(beginning, 5))
    let again = try Self.answer(sharing, Self.request(beginning, 5))
    let length = try sharing.count(Self.request(beginning, 1))
    #expect(again.cached == length - 1, "all but the last token, seed \(seed)")
  }

  @Test func sameQuestionAtTheSameTimeIsReadOnce() throws {
    let (engine, files) = try Self.engine()
    defer { withExtendedLifetime(files) { engine.close() } }
    var dice = Dice(seed: 3)
    let text = Self.text(600, &dice)
    let answers = try Self.answers(engine, (0..<6).map { Self.request(text, 8, seed: UInt64($0)) })
    #expect(answers.count { $0.cached == 0 } == 1)
    #expect(answers.count { $0.cached > 500 } == 5)
  }

  @Test func conversationIsReadOnlyOnce() throws {
    let (engine, files) = try Self.engine()
    defer { withExtendedLifetime(files) { engine.close() } }
    var text = "system: be brief. user: hello "
    for _ in 0..<4 {
      let before = try engine.count(Self.request(text, 1))
      let answer = try Self.answer(engine, Self.request(text, 40, temperature: 0))
      text += answer.text + " user: and then? "
      let next = try Self.answer(engine, Self.request(text, 1, temperature: 0))
      #expect(next.cached >= before, "at least the former question is known")
    }
  }

  @Test func guessesChangeNoAnswer() throws {
    let (plain, files) = try Self.engine { $0.speculation = false }
    let (guessing, more) = try Self.engine { $0.guesses = 5 }
    defer {
      withExtendedLifetime(files) { plain.close() }
      withExtendedLifetime(more) { guessing.close() }
    }
    var dice = Dice(seed: 5)
    for round in 0..<8 {
      // A greedy answer of a random model soon goes in circles, which is what guesses are good at.
      let request = Self.request(
        Self.text(40 + round * 37, &dice), 300, seed: UInt64(round), temperature: round % 2 == 0 ? 0 : 0.7)
      #expect(try Self.answer(guessing, request).text == Self.answer(plain, request).text)
    }
    #expect(plain.counters.guesses == 0)
    #expect(guessing.counters.rightGuesses > 100)
    #expect(guessing.counters.steps < plain.counters.steps)
  }

  @Test func anyMixtureGivesTheAnswersOfEachAlone() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var dice = Dice(seed: seed)
    let models = [TinyModel(ends: false), TinyModel(width: 96, layers: 1, heads: 3, kvHeads: 1, seed: 9)]
    let (alone, files) = try Self.engine(models) { options in
      (options.prefixCache, options.speculation, options.maxActive) = (false, false, 1)
    }
    let (busy, more) = try Self.engine(models) { options in
      options.guesses = 3
      options.kvMemory = 6 * 2 * 2 * 2 * 256 * 32 * 2
      options.maxActive = 5
    }
    defer {
      withExtendedLifetime(files) { alone.close() }
      withExtendedLifetime(more) { busy.close() }
    }
    let beginnings = (0..<3).map { _ in Self.text(400, &dice) }
    let requests = (0..<40).map { index in
      Self.request(
        String(beginnings[index % 3].prefix(Int.random(in: 1...400, using: &dice))) + "\(index % 5)",
        Int.random(in: 1...120, using: &dice), seed: UInt64(index), temperature: index % 4 == 0 ? 0 : 0.8,
        model: "tiny\(index % 2)")
    }
    let together = try Self.answers(busy, requests)
    for (request, answer) in zip(requests, together) {
      #expect(try Self.answer(alone, request).text == answer.text, "seed \(seed)")
    }
    #expect(busy.counters.pageBytes <= 6 * 2 * 2 * 2 * 256 * 32 * 2)
  }

  @Test func timeThatIsOverEndsTheRequest() throws {
    let (engine, files) = try Self.engine([TinyModel(layers: 8, ends: false)])
    defer { withExtendedLifetime(files) { engine.close() } }
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    let deadline = UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
    for late in [deadline - 1, deadline + 20_000_000] {
      let error = #expect(throws: InferenceError.self) {
        // Longer than any machine takes for it is not needed: the receiver waits for the deadline himself.
        try engine.generate(Self.request("x", 900), deadline: late) { _ in
          while Self.nanoseconds() < late {}
        }
      }
      #expect(error?.kind == .late && error?.code == "deadline_exceeded")
    }
    #expect(try Self.answer(engine, Self.request("y", 3)).tokens == 3)
  }

  private static func nanoseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
  }
}
