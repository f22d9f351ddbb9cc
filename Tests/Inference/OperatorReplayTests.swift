import Foundation
import InferenceCore
import Testing

/// Two sides that disagree about an answer: a replay names the token, and with the other side's operators the operator.
@Suite struct OperatorReplayTests {
  static func hash(_ path: String) throws -> String {
    try VerifiedHashes(folder: nil).sha256(of: try MappedFile(path))
  }

  /// The operators of the last of some tokens, as `symbolon inference trace` computes them.
  static func trace(_ path: String, _ tokens: [Int32]) throws -> PositionTrace {
    let pool = try WorkerPool(threads: 2)
    return try PositionTrace(
      try Model(path: path, pool: pool), modelHash: hash(path), tokens, pool: pool)
  }

  private func replay(_ receipt: Receipt, _ path: String, _ operators: PositionTrace?) throws -> Replay.Report {
    let pool = try WorkerPool(threads: 2)
    return try Replay(
      receipt, model: try Model(path: path, pool: pool), modelHash: Self.hash(path), operators: operators
    ).run(pool: pool)
  }

  /// Gemma's layers have every operator.
  static let tiny: TinyModel = {
    var tiny = TinyModel.families[3]
    tiny.ends = false
    return tiny
  }()

  /// The file with one bit of a tensor changed: of a code, or high in the fraction of a number.
  private func changed(_ bytes: [UInt8], _ tensor: String) throws -> [UInt8] {
    let file = try TemporaryFile(bytes)
    let gguf = try GGUFFile(try MappedFile(file.path))
    let found = try #require(gguf.tensors[tensor], "\(tensor)")
    let start = try #require(gguf.file.bytes.baseAddress)
    let offset = try withExtendedLifetime(gguf) { try #require(found.bytes.baseAddress) - start }
    var changed = bytes
    if found.type == 0 { changed[offset + 2] ^= 0x40 } else { changed[offset + 9] ^= 0x80 }
    return changed
  }

  /// What differs first between an answer from one file and its replay with another: place, operator and layer.
  private func dispute(_ answering: String, _ replaying: String) throws -> Replay.Report {
    let receipt = try ReplayTests.receipt(answering, digests: false)
    let blind = try replay(receipt, replaying, nil)
    guard case .computation(let position, let token, nil) = blind.difference else {
      Issue.record("\(blind)")
      return blind
    }
    #expect(receipt.fed[position] == token)
    let theirs = try Self.trace(answering, Array(receipt.fed[...position]))
    let report = try replay(receipt, replaying, try PositionTrace(json: .object(theirs.json)))
    #expect(report.checks.contains { $0.name == "operators" && $0.holds }, "\(report)")
    #expect(report.difference?.position == position && report.difference?.token == token)
    // A later token's operators are of no use, and the report says so.
    if position + 1 < receipt.fed.count {
      let late = try replay(receipt, replaying, try Self.trace(answering, Array(receipt.fed[...(position + 1)])))
      #expect(late.difference == blind.difference)
      #expect(late.checks.contains { $0.name == "operators" && !$0.holds && $0.sentence.contains("ask") })
    }
    return report
  }

  static let bits: [(tensor: String, name: String)] = [
    ("attn_norm", "attention_norm"), ("attn_q", "query"), ("attn_k", "key"), ("attn_v", "value"),
    ("attn_q_norm", "query_norm"), ("attn_k_norm", "key_norm"), ("attn_output", "attention_output"),
    ("post_attention_norm", "attention_post_norm"), ("ffn_norm", "feed_norm"), ("ffn_gate", "gate"),
    ("ffn_up", "up"), ("ffn_down", "down"), ("post_ffw_norm", "feed_post_norm"),
  ]

  @Test(arguments: bits.indices) func aChangedBitIsFoundInItsOperatorAndLayer(_ index: Int) throws {
    let (tensor, name) = Self.bits[index]
    let bytes = Self.tiny.bytes()
    let layer = 1 + index % 3
    let file = try TemporaryFile(bytes)
    let other = try TemporaryFile(try changed(bytes, "blk.\(layer).\(tensor).weight"))
    let report = try dispute(other.path, file.path)
    #expect(report.difference?.operatorName == name && report.difference?.layer == layer, "\(report)")
    let roots = try [file, other].map { try ReplayTests.receipt($0.path, digests: false).statement.traceRoot }
    #expect(roots[0] != roots[1])
    let sentences = ReplayCommand.sentences(report)
    #expect(sentences.contains("layer \(layer), operator \(name)"), "\(sentences)")
    let json = JSONValue.object(report.json)["difference"]
    #expect(json?["operator"]?.string == name && json?["layer"]?.integer(Int.self) == layer)
  }

  @Test func otherLayersAndOtherQuantisationsAreFoundWhereTheyBegin() throws {
    let bytes = ReplayTests.tiny.bytes()
    let file = try TemporaryFile(bytes)
    var swapped = bytes
    for index in bytes.indices.dropLast(6) where bytes[index..<index + 4].elementsEqual("blk.".utf8) {
      swapped[index + 4] ^= 1
    }
    var requantised = ReplayTests.tiny
    requantised.type = .q4_1
    for (other, name) in [(swapped, "attention_norm"), (requantised.bytes(), "embedding")] {
      let answering = try TemporaryFile(other)
      let report = try dispute(answering.path, file.path)
      #expect(report.difference?.operatorName == name && report.difference?.layer == 0, "\(report)")
    }
  }

  /// Prompt, seed, template and parameters are not the model's: there the token is named, and that it was chosen.
  @Test func otherWaysOfAskingChangeTheRootAndNoOperator() throws {
    let file = try TemporaryFile(ReplayTests.tiny.bytes())
    let receipt = try ReplayTests.receipt(file.path, digests: false)
    let others: [[JSONValue.Member]] = [
      [.init("seed", .number("8"))], [.init("temperature", .number("0.5"))], [.init("top_k", .number("2"))],
      [.init("chat", .bool(true))],
    ]
    for members in others {
      let made = try ReplayTests.generate(file.path, members)
      let other = try Receipt(json: try #require(made["receipt"]))
      #expect(other.statement.traceRoot != receipt.statement.traceRoot)
      // The same claim about what was asked, with the other's answer.
      let claim = try ReplayTests.signed(receipt) {
        ($0.prompt, $0.output, $0.leaves) = (other.opening.prompt, other.opening.output, other.opening.leaves)
      }
      let trace = try Self.trace(file.path, Array(other.fed.prefix(3)))
      let report = try replay(claim, file.path, trace)
      #expect(report.difference == nil || report.difference?.operatorName == "sampling", "\(report)")
      if members[0].name != "chat" {
        let first = try #require(zip(receipt.opening.output, other.opening.output).enumerated().first { $1.0 != $1.1 })
        #expect(report.difference?.position == receipt.opening.prompt.count + first.offset, "\(report)")
      }
    }
  }

  @Test func operatorsOfAnotherRunProveNothing() throws {
    let bytes = ReplayTests.tiny.bytes()
    let file = try TemporaryFile(bytes)
    let other = try TemporaryFile(try changed(bytes, "blk.0.ffn_up.weight"))
    let receipt = try ReplayTests.receipt(other.path, digests: false)
    let report = try replay(receipt, file.path, try Self.trace(file.path, Array(receipt.fed[...0])))
    #expect(report.checks.contains { $0.name == "operators" && !$0.holds && $0.sentence.contains("another run") })
    #expect(report.difference?.operatorName == nil)
  }
}

/// `symbolon inference trace` without its host.
@Suite struct TraceCommandTests {
  private func run(_ members: [JSONValue.Member]) throws -> ReplayTests.Screen {
    let screen = ReplayTests.Screen()
    try TraceCommand.run(JSONValue.object(members).text, screen.setting)
    return screen
  }

  private func asking(_ path: String, _ more: [JSONValue.Member] = []) -> [JSONValue.Member] {
    [.init("model", .string(path)), .init("prompt", "the quick brown fox"), .init("position", .number("2"))] + more
  }

  @Test func everyEngineShowsTheSameTable() throws {
    let file = try TemporaryFile(TinyModel.families[0].bytes())
    let reference = try run(asking(file.path, [.init("reference", .bool(true))]))
    let expected = try #require(reference.result)
    #expect(expected["engine"]?.string == "reference" && expected["position"]?.integer(Int.self) == 2)
    #expect(reference.text.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(reference.text)")
    #expect(reference.text.contains("    2  feed_residual") && !reference.text.contains("query_norm"))
    for path in KernelTests.paths {
      let name = JSONValue.string(InstructionSet.name(path))
      let screen = try run(asking(file.path, [.init("isa", name), .init("compare", expected)]))
      #expect(screen.result?["ok"] == .bool(true) && screen.text.hasSuffix("Equal: no operator differs."))
      #expect(screen.result?["operators"] == expected["operators"] && screen.result?["leaf"] == expected["leaf"])
    }
    let layer = try run(asking(file.path, [.init("layer", .number("1"))]))
    let rows = try #require(layer.result?["operators"]?.array)
    #expect(rows.count == 15 && rows.allSatisfy { $0["layer"]?.integer(Int.self) == 1 })
    let head = try run(asking(file.path, [.init("layer", .number("3"))]))
    #expect(head.result?["operators"]?.array?.compactMap { $0["operator"]?.string } == ["output_norm", "logits"])
  }

  @Test func aComparisonNamesTheFirstOperatorThatDiffers() throws {
    var other = TinyModel.families[0]
    let file = try TemporaryFile(other.bytes())
    other.seed = 99
    let elsewhere = try TemporaryFile(other.bytes())
    let saved = try #require(try run(asking(elsewhere.path)).result)
    let screen = try run(asking(file.path, [.init("compare", saved)]))
    #expect(screen.result?["ok"] == .bool(false) && screen.text.contains("layer 0, operator embedding."))
    #expect(screen.result?["difference"]?["operator"]?.string == "embedding")
    let layer = try run(asking(file.path, [.init("compare", saved), .init("layer", .number("2"))]))
    #expect(layer.result?["difference"]?["operator"]?.string == "attention_norm", "\(layer.text)")
    #expect(layer.result?["difference"]?["layer"]?.integer(Int.self) == 2)
    #expect(layer.text.split(separator: "\n").allSatisfy { $0.count <= 80 })
  }

  @Test func theTokensOfAReceiptAreThoseOfItsAnswer() throws {
    let file = try TemporaryFile(ReplayTests.tiny.bytes())
    let receipt = try ReplayTests.receipt(file.path)
    let position = receipt.fed.count - 1
    let screen = try run([.init("model", .string(file.path)), .init("receipt", receipt.json)])
    #expect(screen.result?["position"]?.integer(Int.self) == position)
    #expect(screen.result?["token"]?.integer(Int32.self) == receipt.fed[position])
    #expect(screen.result?["leaf"]?.string == receipt.opening.leaves[position].hex)
    #expect(screen.result?["digests"]?.string == receipt.opening.digests[position].map(\.hex).joined())
  }

  static let mistakes: [(members: [JSONValue.Member], code: String)] = [
    ([.init("position", .number("99"))], "invalid_position"), ([.init("position", .number("-1"))], "invalid_position"),
    ([.init("layer", .number("4"))], "invalid_layer"), ([.init("layer", "x")], "invalid_layer"),
    ([.init("compare", .object([]))], "bad_operators"), ([.init("receipt", .object([]))], "bad_receipt"),
    ([.init("reference", .bool(true)), .init("isa", "scalar")], "invalid_reference"),
    ([.init("model", "/nowhere.gguf")], "model_missing"), ([.init("colour", "red")], "unknown_parameter"),
    ([.init("prompt", .null)], "invalid_prompt"), ([.init("isa", "mmx")], "invalid_isa"),
  ]

  @Test(arguments: mistakes.indices) func whatCannotBeDoneHasACode(_ index: Int) throws {
    let (members, code) = Self.mistakes[index]
    let file = try TemporaryFile(TinyModel.families[0].bytes())
    let all = asking(file.path).filter { member in !members.contains { $0.name == member.name } } + members
    let error = #expect(throws: InferenceError.self) { try run(all) }
    #expect(error?.code == code)
  }

  @Test func anotherPositionIsNotCompared() throws {
    let file = try TemporaryFile(TinyModel.families[0].bytes())
    let saved = try #require(try run(asking(file.path)).result)
    let error = #expect(throws: InferenceError.self) {
      try run([
        .init("model", .string(file.path)), .init("prompt", "the quick brown fox"), .init("compare", saved),
      ])
    }
    #expect(error?.code == "other_position")
  }
}
