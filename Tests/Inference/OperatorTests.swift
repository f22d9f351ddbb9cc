import Foundation
import InferenceCore
import Testing

/// What every operator gives, by the kernels and by the second implementation.
@Suite struct OperatorTests {
  /// The families, and a model whose heads are whole registers and need no arranging.
  static let models = TinyModel.families + [TinyModel(layers: 3, type: .q4_0, tied: false, seed: 15, biases: true)]

  /// The operators of every position by the second implementation.
  static func reference(_ path: String, _ tokens: [Int32]) throws -> [OperatorTrace] {
    let sequence = ReferenceSequence(try ReferenceModel(GGUFFile(try MappedFile(path))))
    return try tokens.map { token in
      var trace = OperatorTrace()
      _ = try sequence.step(token) { operation, layer, values in
        values.withUnsafeBufferPointer { trace.add(operation.rawValue, layer: layer, $0) }
      }
      return trace
    }
  }

  /// The same by the kernels, in steps of `batch` columns.
  static func kernels(
    _ path: String, _ tokens: [Int32], batch: Int, threads: Int, instructionSet: Int32
  ) throws -> [OperatorTrace] {
    let pool = try WorkerPool(threads: threads)
    let model = try Model(path: path, pool: pool)
    let session = try Session(model, pool: pool, logitRows: batch, observed: batch, path: instructionSet)
    let cache = try SequenceCache(model, positions: tokens.count)
    var traces: [OperatorTrace] = []
    for start in stride(from: 0, to: tokens.count, by: batch) {
      let columns = (start..<min(start + batch, tokens.count)).map {
        Session.Column(token: tokens[$0], position: $0, cache: cache, wantsLogits: true, wantsOperators: true)
      }
      _ = try session.step(columns)
      traces += columns.indices.map { session.operators($0) }
    }
    return traces
  }

  @Test(arguments: models.indices) func bothImplementationsGiveTheSameOperatorByOperator(_ index: Int) throws {
    let tiny = Self.models[index]
    let file = try TemporaryFile(tiny.bytes())
    // Beyond the window of 37.
    let tokens = ReferenceTests.text(44, seed: 21)
    let expected = try Self.reference(file.path, tokens)
    for path in KernelTests.paths {
      // Decode, prefill in odd pieces, and all at once.
      for (batch, threads) in [(1, 1), (1, 2), (13, 2), (44, 3)] {
        let found = try Self.kernels(file.path, tokens, batch: batch, threads: threads, instructionSet: path)
        #expect(found.count == expected.count)
        for position in tokens.indices where found[position] != expected[position] {
          let step = found[position].firstDifference(from: expected[position])
          Issue.record("path \(path), batch \(batch), position \(position): \(String(describing: step))")
          return
        }
      }
    }
  }

  @Test func familiesHaveTheOperatorsOfTheText() throws {
    for tiny in Self.models {
      let file = try TemporaryFile(tiny.bytes())
      let trace = try #require(
        try Self.kernels(file.path, [3], batch: 1, threads: 1, instructionSet: 0).first)
      let lacking: Set<String> =
        switch tiny.architecture {
        case "gemma3": []
        case "qwen3": ["attention_post_norm", "feed_post_norm"]
        default: ["query_norm", "key_norm", "attention_post_norm", "feed_post_norm"]
        }
      let ofLayer = [
        "attention_norm", "query", "key", "value", "query_norm", "key_norm", "query_rotated", "key_rotated",
        "attention", "attention_output", "attention_post_norm", "attention_residual", "feed_norm", "gate", "up",
        "gated", "down", "feed_post_norm", "feed_residual",
      ].filter { !lacking.contains($0) }
      let names =
        ["0 embedding"] + (0..<tiny.layers).flatMap { layer in ofLayer.map { "\(layer) \($0)" } }
        + ["\(tiny.layers) output_norm", "\(tiny.layers) logits"]
      #expect(trace.steps.map { "\($0.layer) \($0.name)" } == names)
      #expect(trace.steps.last?.count == tiny.vocabulary && trace.steps.first?.count == tiny.width)
    }
  }

  /// Looking changes nothing, and shows the columns that were asked for, with the head only where there are logits.
  @Test func whoIsObservedIsComputedAsOthersAre() throws {
    let file = try TemporaryFile(TinyModel.families[3].bytes())
    let tokens = ReferenceTests.text(20, seed: 22)
    let expected = try Self.reference(file.path, tokens)
    let pool = try WorkerPool(threads: 2)
    let model = try Model(path: file.path, pool: pool)
    var rows: [[UInt32]] = []
    for observed in [0, 7] {
      let session = try Session(model, pool: pool, logitRows: 10, observed: observed)
      let cache = try SequenceCache(model, positions: tokens.count)
      let logits = try session.step(
        tokens.indices.map {
          Session.Column(
            token: tokens[$0], position: $0, cache: cache, wantsLogits: $0 % 2 == 0, wantsLeaf: true,
            wantsOperators: observed > 0 && $0 % 3 == 1)
        })
      rows.append(logits.map(\.bitPattern))
      let leaves = try LeafTests.reference(file.path, tokens)
      #expect(tokens.indices.allSatisfy { session.digests($0) == leaves[$0] })
      for index in 0..<observed {
        let position = 3 * index + 1
        let steps = expected[position].steps
        let found = session.operators(index)
        #expect(found == OperatorTrace(position % 2 == 0 ? steps : Array(steps.dropLast(2))), "position \(position)")
      }
      #expect(session.operators(observed).steps.isEmpty)
    }
    #expect(rows[0] == rows[1])
  }

  @Test func aTraceComesBackFromItsJSONAndABadOneDoesNot() throws {
    let file = try TemporaryFile(TinyModel.families[2].bytes())
    let trace = try OperatorReplayTests.trace(file.path, ReferenceTests.text(5, seed: 3))
    let json = JSONValue.object(trace.json)
    #expect(try PositionTrace(json: try JSONValue(document: json.text)) == trace)
    let layer = trace.only(layer: 1)
    #expect(try PositionTrace(json: .object(layer.json)) == layer)
    #expect(throws: InferenceError.self) { try layer.whole() }
    for member in trace.json where member.name != "engine" {
      for value: JSONValue in [.null, .number("-1"), .number("1e99"), "zz", .array([]), .array([.null]), .object([])] {
        let others = trace.json.map { $0.name == member.name ? .init($0.name, value) : $0 }
        #expect(throws: InferenceError.self, "\(member.name)") { try PositionTrace(json: .object(others)) }
      }
    }
    // A digest that the leaf commits to, changed in one of its two places.
    let text = json.text
    let residual = try #require(trace.operators.steps.last { $0.name == "feed_residual" }).digest.hex
    let changed = text.replacingOccurrences(
      of: "\"digest\":\"\(residual)\"", with: "\"digest\":\"\(Digest(of: []).hex)\"")
    #expect(changed != text)
    #expect(throws: InferenceError.self) { try PositionTrace(json: try JSONValue(document: changed)) }
    var dice = Dice(seed: 77)
    for _ in 0..<300 {
      var bytes = Array(text.utf8)
      bytes[Int(dice.next() % UInt64(bytes.count))] = UInt8(dice.next() & 127)
      guard let json = try? JSONValue(document: String(decoding: bytes, as: UTF8.self)) else { continue }
      _ = try? PositionTrace(json: json)
    }
  }
}
