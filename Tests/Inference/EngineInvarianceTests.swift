import Foundation
import InferenceCore
import InferenceKernels
import Synchronization
import Testing

/// One trace root for each request, however the engine serves it: the whole matrix of what an operator may set.
@Suite struct EngineInvarianceTests {
  /// What a receipt would bind of an answer.
  struct Answer: Equatable, Sendable, CustomTestStringConvertible {
    let prompt: [Int32]
    let output: [Int32]
    let root: Digest

    var testDescription: String { "\(prompt.count) + \(output.count) tokens under \(root)" }

    init(_ record: AnswerRecord) {
      prompt = record.prompt
      output = record.output
      root = Trace(bytes: record.leaves).root
    }
  }

  /// One way to serve.
  struct Way: Sendable, CustomTestStringConvertible {
    var threads = 2
    var path: Int32?
    var prefixes = true
    var guesses: Int?
    var together = true
    var active = 16

    var testDescription: String {
      "\(threads) threads, path \(path.map(String.init) ?? "best"), prefixes \(prefixes), guesses \(guesses ?? -1), "
        + "\(together ? "together" : "alone"), \(active) active"
    }
  }

  /// An engine that serves in a way, with what it told about its answers by seed.
  private final class Served: Sendable {
    let engine: InferenceEngine
    private let records: Records

    private final class Records: Sendable { let all = Mutex([UInt64: Answer]()) }

    init(_ path: String, _ way: Way) throws {
      let records = Records()
      var options = InferenceEngine.Options()
      options.threads = way.threads
      options.path = way.path
      options.prefixCache = way.prefixes
      options.speculation = way.guesses != nil
      options.guesses = way.guesses
      options.maxActive = way.active
      options.maxQueue = 256
      options.receipts = { record in
        records.all.withLock { $0[record.request.sampling.seed] = Answer(record) }
        return "{}"
      }
      self.records = records
      engine = try InferenceEngine([InferenceEngine.Source(path: path, id: "model")], options: options)
    }

    /// The answers in the order of the requests, whose seeds differ.
    func answers(_ requests: [GenerationRequest], together: Bool) throws -> [Answer] {
      records.all.withLock { $0 = [:] }
      let failures = Mutex([String]())
      let group = DispatchGroup()
      for request in requests {
        guard together else {
          try engine.generate(request) { _ in }
          continue
        }
        group.enter()
        Thread.detachNewThread { [self] in
          do { try engine.generate(request) { _ in } } catch { failures.withLock { $0.append("\(error)") } }
          group.leave()
        }
      }
      group.wait()
      try #require(failures.withLock { $0 } == [])
      return try requests.map { request in
        try #require(records.all.withLock { $0[request.sampling.seed] })
      }
    }
  }

  private static func request(_ text: String, _ count: Int, seed: Int, temperature: Double) -> GenerationRequest {
    var request = GenerationRequest(
      prompt: .text(text), maxTokens: count,
      sampling: SamplingParameters(temperature: temperature, seed: UInt64(seed)))
    request.receipt = true
    return request
  }

  /// Every way that differs from the plain one in one point or two.
  private static var ways: [Way] {
    var ways = KernelTests.paths.map { Way(path: $0, guesses: 3) }
    ways += [1, 3, 4, 5, 6, 7, 8].map { Way(threads: $0, guesses: $0 % 2 == 0 ? 4 : nil) }
    for prefixes in [false, true] {
      for guesses in [nil, 1, 5] {
        for together in [false, true] { ways.append(Way(prefixes: prefixes, guesses: guesses, together: together)) }
      }
    }
    return ways + [1, 2, 3, 4, 8, 64].map { Way(guesses: 2, active: $0) }
  }

  @Test func everyWayOfServingHasTheRootsOfTheSecondImplementation() throws {
    let file = try TemporaryFile(InvarianceTests.odd.bytes())
    // Repeats itself, so that there is something to guess; one token a byte.
    let text = String(repeating: "the quick brown fox jumps over the lazy dog. ", count: 12)
    let lengths = [3, 240, 255, 256, 257, 300, 511, 512, 513]
    let requests = lengths.enumerated().map { index, length in
      Self.request(String(text.prefix(length)), 20, seed: index, temperature: index % 2 == 0 ? 0 : 0.8)
    }
    let plain = try Served(file.path, Way(threads: 1, path: 0, prefixes: false, together: false, active: 1))
    let expected = try plain.answers(requests, together: false)
    plain.engine.close()
    for (answer, length) in zip(expected, lengths) {
      #expect(answer.prompt.count == length && answer.output.count == 20)
      let fed = answer.prompt + answer.output.dropLast()
      #expect(answer.root == (try InvarianceTests.reference(file.path, fed)).trace.root, "\(length) tokens")
    }
    for way in Self.ways {
      let served = try Served(file.path, way)
      defer { served.engine.close() }
      #expect(try served.answers(requests, together: way.together) == expected, "\(way.testDescription)")
      let counters = served.engine.counters
      #expect(way.guesses == nil ? counters.guesses == 0 : counters.guesses > 0)
      guard way.prefixes else { continue }
      // Now every prefix is known.
      let before = counters.cachedPositions
      #expect(try served.answers(requests, together: way.together) == expected, "again, \(way.testDescription)")
      #expect(served.engine.counters.cachedPositions > before + 2000)
    }
  }

  @Test func manyAtOnceHaveTheirRoots() throws {
    let file = try TemporaryFile(InvarianceTests.odd.bytes())
    let requests = (0..<64).map { Self.request("question \($0) is", 4 + $0 % 5, seed: $0, temperature: 0.9) }
    let alone = try Served(file.path, Way(prefixes: false, together: false, active: 1))
    let expected = try alone.answers(requests, together: false)
    alone.engine.close()
    for active in [1, 2, 3, 4, 8, 64] {
      let served = try Served(file.path, Way(active: active))
      defer { served.engine.close() }
      #expect(try served.answers(requests, together: true) == expected, "\(active) at once")
    }
  }

  @Test func theRealModelIsServedWithOneRoot() throws {
    let path = try RealModel.path()
    let text = "Tell me about tides. Tides are the rise and fall of the sea. Tides are the rise"
    let requests = (0..<5).map {
      Self.request(text + ["", " and", ". Tides", "", ""][$0], 16, seed: $0, temperature: $0 < 2 ? 0 : 0.7)
    }
    let plain = try Served(path, Way(threads: 1, prefixes: false, together: false, active: 1))
    let expected = try plain.answers(requests, together: false)
    plain.engine.close()
    let model = try RealModel.loaded.get()
    for answer in expected {
      // Decode and prefill are one.
      let fed = answer.prompt + answer.output.dropLast()
      let run = try InvarianceTests.kernels(model, fed, cut: [256], threads: 2)
      #expect(run.trace.root == answer.root)
    }
    let ways = KernelTests.paths.map { Way(threads: $0 == 0 ? 2 : 3, path: $0, guesses: 4) } + [Way(prefixes: false)]
    for way in ways {
      let served = try Served(path, way)
      defer { served.engine.close() }
      #expect(try served.answers(requests, together: true) == expected, "\(way.testDescription)")
      guard way.path == KernelTests.paths.last else { continue }
      #expect(try served.answers(requests, together: false) == expected, "from known prefixes")
      try served.engine.unload("model")
      #expect(served.engine.models.first?.state == "unloaded")
      _ = try served.engine.load(id: "model")
      #expect(try served.answers(requests, together: true) == expected, "reloaded")
    }
  }
}
