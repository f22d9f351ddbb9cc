import InferenceCore
import InferenceKernels
import Synchronization
import Testing

/// The known-answer test of the start: where its answers come from, that it sees a fault, and what happens then.
@Suite(.serialized) struct SelfTestTests {
  @Test(arguments: 0..<symbolon_checks()) func theAnswersAreThoseOfThePlainImplementation(_ check: Int32) {
    let name = String(cString: symbolon_check_name(check))
    let start = SelfTestTwin.digest(Int(check), seed: 1, rounds: Int(SYMBOLON_CHECK_ROUNDS))
    #expect(start == symbolon_check_answer(check), "\(name)")
    let seed = UInt64.random(in: 0...UInt64.max)
    let other = SelfTestTwin.digest(Int(check), seed: seed, rounds: 12)
    for path in KernelTests.paths {
      #expect(symbolon_check_digest(path, check, seed, 12) == other, "\(name) on path \(path), seed \(seed)")
    }
  }

  /// What the planted fault strikes: a type of weights, or a kind of gate.
  private static let struck = Atomic<Int32>(-1)
  private static func sound() -> symbolon_operations { symbolon_operations_for(0).pointee }

  /// One bit of one of the results of an operation, wrong; nil for an operation whose table entry cannot be at fault.
  private func faulty(_ check: Int, in operations: symbolon_operations) -> symbolon_operations? {
    var operations = operations
    switch check - KernelTests.types.count {
    case ..<0:
      Self.struck.store(Int32(KernelTests.types[check].rawValue), ordering: .relaxed)
      operations.multiply = { matrix, group, vectors, count, out in
        Self.sound().multiply(matrix, group, vectors, count, out)
        guard let out, matrix?.pointee.type == Self.struck.load(ordering: .relaxed) else { return }
        out[Int(count) - 1].11 = out[Int(count) - 1].11.nextUp
      }
    case 1:
      operations.quantise = { x, n, blocks in
        let finite = Self.sound().quantise(x, n, blocks)
        blocks?[Int(n) / 32 - 1].q.31 ^= 1
        return finite
      }
    case 2:
      operations.norm = { x, w, n, epsilon, y in
        Self.sound().norm(x, w, n, epsilon, y)
        if let y { y[Int(n) - 1] = y[Int(n) - 1].nextUp }
      }
    case 3:
      operations.scores = { q, count, d, keys, first, end, scale, out in
        Self.sound().scores(q, count, d, keys, first, end, scale, out)
        if let row = out?[Int(count) - 1] { row[16 * Int(end) - 1] = row[16 * Int(end) - 1].nextUp }
      }
    case 4: operations.softmax = { Self.sound().softmax($0, $1, $2).nextDown }
    case 5:
      operations.values = { p, firsts, ends, scale, count, d, strip, out in
        Self.sound().values(p, firsts, ends, scale, count, d, strip, out)
        if let row = out?[Int(count) - 1] { row[Int(d) - 1] = row[Int(d) - 1].nextUp }
      }
    case 6, 7:
      Self.struck.store(Int32(check - KernelTests.types.count - 6), ordering: .relaxed)
      operations.gate = { kind, g, u, n in
        Self.sound().gate(kind, g, u, n)
        if let g, kind == Self.struck.load(ordering: .relaxed) { g[Int(n) - 1] = g[Int(n) - 1].nextUp }
      }
    case 8:
      operations.halve = { x, n, half in
        let finite = Self.sound().halve(x, n, half)
        half?[Int(n) - 1] ^= 1
        return finite
      }
    case 9:
      operations.weigh = { x, n, greatest, temperature, weights in
        Self.sound().weigh(x, n, greatest, temperature, weights)
        weights?[Int(n) - 1] ^= 1
      }
    default: return nil
    }
    return operations
  }

  @Test(arguments: 0..<symbolon_checks()) func aFaultOfOneBitIsFoundAndNamed(_ check: Int32) {
    for path in KernelTests.paths {
      var sound = symbolon_operations_for(path).pointee
      #expect(symbolon_test_operations(&sound) == nil)
      guard var faulty = faulty(Int(check), in: sound) else { continue }
      let found = symbolon_test_operations(&faulty).map { String(cString: $0) }
      #expect(found == String(cString: symbolon_check_name(check)))
    }
  }

  @Test func anEngineThatFailsKnowsItsModelsAndRefusesToServe() throws {
    let file = try TemporaryFile(TinyModel(ends: false, seed: 1).bytes())
    let asked = Mutex<[Int32]>([])
    var options = InferenceEngine.Options()
    options.threads = 1
    options.path = 0
    options.kernelTest = { path in
      asked.withLock { $0.append(path) }
      return "multiply.q4_1"
    }
    let engine = try InferenceEngine([InferenceEngine.Source(path: file.path, id: "m")], options: options)
    defer { withExtendedLifetime(file) { engine.close() } }
    #expect(asked.withLock { $0 } == [0])
    #expect(engine.models.map(\.id) == ["m"] && engine.models.map(\.state) == ["unloaded"])
    let request = GenerationRequest(prompt: .text("hello"), maxTokens: 1)
    for refused in [
      #expect(throws: InferenceError.self) { _ = try engine.load(id: "m") },
      #expect(throws: InferenceError.self) { _ = try engine.count(request) },
      #expect(throws: InferenceError.self) { try engine.generate(request) { _ in } },
      #expect(throws: InferenceError.self) {
        _ = try engine.embed(InferenceEngine.EmbeddingRequest(model: "m", input: ["hello"], caller: nil))
      },
    ] {
      #expect(refused?.code == "self_test_failed" && refused?.kind == .unavailable)
      #expect(refused?.sentence.contains("multiply.q4_1") == true && refused?.sentence.contains("scalar") == true)
    }
  }

  @Test func anEngineWithoutTheInstructionSetRefusesToo() throws {
    let missing = try #require((Int32(0)..<4).first { symbolon_path_available($0) == 0 })
    #expect(KnownAnswers.failure(missing) == InstructionSet.name(missing))
    #expect(KnownAnswers.failure(InstructionSet.best) == nil)
  }
}
