import Foundation
import InferenceCore
import Synchronization
import Testing

/// Random requests, cancellations, loads and unloads under short memory: each answer is the one that it has alone.
///
/// A few hundred requests with the other tests; `Scripts/soak` asks many thousands and holds the resident memory too.
@Suite struct SoakTests {
  /// Requests that are asked.
  private static let long = ProcessInfo.processInfo.environment["SYMBOLON_SOAK"].flatMap { Int($0) }
  private static let count = long ?? 600
  private static let askers = 12

  private static let models = [
    TinyModel(ends: false, seed: 21), InvarianceTests.odd,
    TinyModel(width: 32, layers: 1, heads: 2, kvHeads: 2, seed: 22),
  ]

  /// The different requests, by number.
  private static func kinds(_ dice: inout Dice) -> [GenerationRequest] {
    let beginning = String(repeating: "the sea and the moon, ", count: 30)
    return (0..<48).map { number in
      let length = [1, 5, 40, 255, 256, 257, 300, 520].randomElement(using: &dice) ?? 1
      return GenerationRequest(
        model: "m\(number % 3)", prompt: .text(String(beginning.prefix(length)) + (number % 4 == 0 ? "" : "\(number)")),
        maxTokens: Int.random(in: 1...60, using: &dice),
        sampling: SamplingParameters(
          temperature: number % 3 == 0 ? 0 : 0.9, topP: number % 5 == 0 ? 0.8 : 1, seed: UInt64(number)),
        caller: "caller \(number % 7)")
    }
  }

  private static func engine(
    _ files: [TemporaryFile], _ change: (inout InferenceEngine.Options) -> Void
  ) throws -> InferenceEngine {
    var options = InferenceEngine.Options()
    options.threads = 2
    options.maxQueue = 64
    change(&options)
    return try InferenceEngine(
      files.enumerated().map { InferenceEngine.Source(path: $1.path, id: "m\($0)") }, options: options)
  }

  private static func answer(_ engine: InferenceEngine, _ request: GenerationRequest) throws -> String {
    var text = ""
    try engine.generate(request) { if case .text(let piece, _, _) = $0 { text += piece } }
    return text
  }

  /// Bytes that this process holds in memory.
  private static func resident() throws -> Int {
    let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
    return (Int(pages[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  private struct Left: Error {}

  /// What the askers share.
  private final class Score: Sendable {
    struct Numbers {
      var asked = 0
      var right = 0
      var cancelled = 0
      var wrong: [String] = []
      var resident: [Int] = []
    }

    let numbers = Mutex(Numbers())
  }

  @Test func everyAnswerIsTheOneItHasAlone() throws {
    let seed = UInt64.random(in: 0...UInt64.max)
    var dice = Dice(seed: seed)
    let kinds = Self.kinds(&dice)
    let files = try Self.models.map { try TemporaryFile($0.bytes()) }
    // An unloaded model is read again from its file.
    defer { withExtendedLifetime(files) {} }
    let plain = try Self.engine(files) { options in
      (options.prefixCache, options.speculation, options.maxActive, options.threads) = (false, false, 1, 1)
    }
    let expected = try kinds.map { try Self.answer(plain, $0) }
    plain.close()
    let page = 2 * 2 * 2 * 256 * 32 * 2
    let engine = try Self.engine(files) { options in
      options.kvMemory = 7 * page
      options.modelMemory = 140 << 20
      options.maxActive = 5
      options.guesses = 3
    }
    let score = Score()
    let group = DispatchGroup()
    for asker in 0..<Self.askers {
      group.enter()
      Thread.detachNewThread {
        var dice = Dice(seed: seed &+ UInt64(asker) &+ 1)
        while Self.turn(engine, kinds, expected, score, &dice) {}
        group.leave()
      }
    }
    group.wait()
    let numbers = score.numbers.withLock { $0 }
    #expect(numbers.wrong.prefix(3) == [], "\(numbers.wrong.count) are wrong, seed \(seed)")
    #expect(numbers.right + numbers.cancelled >= Self.count, "seed \(seed)")
    #expect(numbers.cancelled > 0 && engine.counters.preemptions > 0 && engine.counters.cachedPositions > 0)
    #expect(engine.counters.pageBytes <= 7 * page)
    // No slot is stuck: everything is served once more, one by one.
    for (kind, text) in zip(kinds, expected) { #expect(try Self.answer(engine, kind) == text, "seed \(seed)") }
    engine.close()
    guard Self.long != nil, numbers.resident.count >= 16 else { return }
    let series = stride(from: 0, to: numbers.resident.count, by: numbers.resident.count / 16)
      .map { String(numbers.resident[$0] >> 10) }
    print("soak: KiB resident, from the first request to the last: " + series.joined(separator: " "))
    // Medians, because a sample has two models loaded or three, and a load is in the making or is not.
    let quarter = numbers.resident.count / 4
    let (early, late) = (
      Self.median(numbers.resident[quarter..<2 * quarter]), Self.median(numbers.resident[(3 * quarter)...])
    )
    print("soak: \(numbers.right) right, \(numbers.cancelled) cancelled, resident \(early) and then \(late) bytes")
    #expect(Double(late) <= Double(early) * 1.02)
  }

  private static func median(_ values: ArraySlice<Int>) -> Int {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
  }

  /// One request, or one load or unload; false when enough have been asked.
  private static func turn(
    _ engine: InferenceEngine, _ kinds: [GenerationRequest], _ expected: [String], _ score: Score, _ dice: inout Dice
  ) -> Bool {
    let number = score.numbers.withLock { numbers in
      numbers.asked += 1
      if numbers.asked % 256 == 0, let bytes = try? resident() { numbers.resident.append(bytes) }
      return numbers.asked
    }
    guard number <= count else { return false }
    let index = Int.random(in: 0..<kinds.count, using: &dice)
    // A fifth leave before the end: when the answer begins, or after some of it.
    let leaves = Int.random(in: 0..<5, using: &dice) == 0
    let patience = Int.random(in: 0..<6, using: &dice)
    var text = ""
    var events = 0
    do {
      if number % 97 == 0 { try engine.unload("m\(number % 3)") }
      if number % 89 == 0 { _ = try engine.load(id: "m\(number % 3)") }
      try engine.generate(kinds[index]) { event in
        events += 1
        if leaves, events > patience { throw Left() }
        if case .text(let piece, _, _) = event { text += piece }
      }
      let (found, wanted) = (text, expected[index])
      score.numbers.withLock { numbers in
        numbers.right += 1
        if found != wanted { numbers.wrong.append("request \(index) of model \(kinds[index].model ?? "")") }
      }
    } catch is Left {
      let isBeginning = expected[index].utf8.starts(with: text.utf8)
      score.numbers.withLock { numbers in
        numbers.cancelled += 1
        if !isBeginning { numbers.wrong.append("the beginning of request \(index)") }
      }
    } catch {
      score.numbers.withLock { $0.wrong.append("request \(index): \(error)") }
    }
    return true
  }
}
