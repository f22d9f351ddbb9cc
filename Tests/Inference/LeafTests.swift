import Foundation
import InferenceCore
import Synchronization
import Testing

/// The leaves that a run leaves behind: the same from both implementations, whatever the engine does besides.
@Suite struct LeafTests {
  /// The digests of every position by the second implementation.
  static func reference(_ path: String, _ tokens: [Int32]) throws -> [PositionDigests] {
    let sequence = ReferenceSequence(try ReferenceModel(GGUFFile(try MappedFile(path))))
    return try tokens.map { try sequence.step($0, wantsLogits: false).digests }
  }

  /// The same by the kernels, in steps of `batch` columns.
  static func kernels(
    _ path: String, _ tokens: [Int32], batch: Int, threads: Int = 2, instructionSet: Int32? = nil
  ) throws -> [PositionDigests] {
    let pool = try WorkerPool(threads: threads)
    let model = try Model(path: path, pool: pool)
    let session = try Session(model, pool: pool, logitRows: 1, path: instructionSet)
    let cache = try SequenceCache(model, positions: tokens.count)
    var digests: [PositionDigests] = []
    for start in stride(from: 0, to: tokens.count, by: batch) {
      let columns = (start..<min(start + batch, tokens.count)).map {
        Session.Column(token: tokens[$0], position: $0, cache: cache, wantsLogits: false, wantsLeaf: true)
      }
      _ = try session.step(columns)
      for index in columns.indices {
        digests.append(session.digests(index))
        #expect(session.leaf(index) == session.digests(index).leaf)
      }
    }
    return digests
  }

  @Test func bothImplementationsLeaveTheSameDigests() throws {
    let file = try TemporaryFile(
      TinyModel(width: 96, layers: 3, heads: 3, kvHeads: 1, feedWidth: 160, type: .q8_0, seed: 3).bytes())
    let tokens = ReferenceTests.text(40, seed: 5)
    let expected = try Self.reference(file.path, tokens)
    for path in KernelTests.paths {
      for (batch, threads) in [(1, 1), (1, 2), (7, 2), (40, 3)] {
        let found = try Self.kernels(file.path, tokens, batch: batch, threads: threads, instructionSet: path)
        #expect(found == expected, "path \(path), batch \(batch), \(threads) threads")
      }
    }
  }

  @Test func leavesAreThoseOfTheColumnsThatWantThem() throws {
    let file = try TemporaryFile(TinyModel().bytes())
    let tokens = ReferenceTests.text(9)
    let expected = try Self.reference(file.path, tokens)
    let pool = try WorkerPool(threads: 2)
    let model = try Model(path: file.path, pool: pool)
    let session = try Session(model, pool: pool, logitRows: 1)
    let cache = try SequenceCache(model, positions: tokens.count)
    _ = try session.step(
      tokens.indices.map {
        Session.Column(token: tokens[$0], position: $0, cache: cache, wantsLogits: $0 == 8, wantsLeaf: $0 % 3 == 1)
      })
    for index in 0..<3 { #expect(session.digests(index) == expected[3 * index + 1]) }
  }

  @Test func pagesAreCrossed() throws {
    let file = try TemporaryFile(TinyModel(layers: 1, heads: 3, kvHeads: 1).bytes())
    let tokens = ReferenceTests.text(515)
    #expect(try Self.kernels(file.path, tokens, batch: 100) == Self.reference(file.path, tokens))
  }

  /// What the engine told about answers, by prompt.
  final class Records: Sendable {
    let all = Mutex([AnswerRecord]())

    func hear(_ record: AnswerRecord) -> String {
      all.withLock { $0.append(record) }
      return "{}"
    }
  }

  /// Runs requests on an engine, together, and holds every record to a prefill of its own.
  private func check(
    _ requests: [GenerationRequest], twice: Bool = false, _ change: (inout InferenceEngine.Options) -> Void
  ) throws -> ServingCounters {
    let file = try TemporaryFile(TinyModel(ends: false).bytes())
    let records = Records()
    var options = InferenceEngine.Options()
    options.threads = 2
    options.receipts = records.hear
    change(&options)
    let engine = try InferenceEngine([InferenceEngine.Source(path: file.path, id: "tiny")], options: options)
    defer { engine.close() }
    for _ in 0..<(twice ? 2 : 1) {
      let group = DispatchGroup()
      let failures = Mutex([String]())
      for request in requests {
        group.enter()
        Thread.detachNewThread {
          do { try engine.generate(request) { _ in } } catch { failures.withLock { $0.append("\(error)") } }
          group.leave()
        }
      }
      group.wait()
      #expect(failures.withLock { $0 } == [])
    }
    let traced = requests.count { $0.receipt } * (twice ? 2 : 1)
    #expect(records.all.withLock(\.count) == traced)
    for record in records.all.withLock({ $0 }) {
      let tokens = record.prompt + record.output.dropLast()
      let expected = try Self.kernels(file.path, tokens, batch: 256).map(\.leaf)
      #expect(Trace(bytes: record.leaves) == Trace(expected), "\(record.prompt.count) + \(record.output.count) tokens")
    }
    return engine.counters
  }

  private func request(_ text: String, _ count: Int, _ seed: UInt64, receipt: Bool = true) -> GenerationRequest {
    var request = GenerationRequest(
      prompt: .text(text), maxTokens: count, sampling: SamplingParameters(temperature: 0.9, seed: seed))
    request.receipt = receipt
    return request
  }

  private static let text = String(repeating: "the quick brown fox jumps over a lazy dog and ", count: 14)

  @Test func prefixesBringTheirLeaves() throws {
    // The first, without a receipt, leaves pages without leaves, which are of no use to the others.
    let requests = [request(Self.text, 3, 1, receipt: false)] + (0..<4).map { request(Self.text + "\($0)", 20, $0) }
    let counters = try check(requests, twice: true) { $0.speculation = false }
    #expect(counters.cachedPositions > 2 * 512)
  }

  @Test func guessesLeaveNoLeavesButThoseOfWhatCame() throws {
    let counters = try check((0..<3).map { request(Self.text, 60, $0) }) { options in
      options.guesses = 4
      options.prefixCache = false
    }
    #expect(counters.guesses > counters.rightGuesses)
  }

  @Test func preemptionKeepsLeaves() throws {
    let page = 2 * 2 * 2 * 256 * 32 * 2
    for prefixCache in [false, true] {
      let counters = try check((0..<6).map { request("question \($0) ", 300 + 60 * Int($0), $0) }) { options in
        options.kvMemory = 4 * page
        options.maxActive = 6
        options.prefixCache = prefixCache
      }
      #expect(counters.preemptions > 0)
    }
  }
}
