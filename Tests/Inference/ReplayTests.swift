import Foundation
import InferenceCore
import Testing

/// Receipts of the engine, and what a replay finds when anything of them or of the model was changed.
@Suite struct ReplayTests {
  /// A setting that keeps what a command shows.
  final class Screen {
    var messages: [JSONValue] = []

    var setting: CommandSetting {
      let key = ReceiptTests.Key()
      return CommandSetting(provider: { key.publicKey }, sign: key.sign, seed: { 99 }) { self.messages.append($0) }
    }

    var result: JSONValue? { messages.last { $0["type"]?.string == "result" } }
    var text: String { messages.filter { $0["type"]?.string == "text" }.compactMap { $0["text"]?.string }.joined() }
  }

  static let tiny = TinyModel(type: .q8_0, ends: false)

  static func generate(_ path: String, _ more: [JSONValue.Member] = []) throws -> JSONValue {
    let screen = Screen()
    let members: [JSONValue.Member] = [
      .init("model", .string(path)), .init("prompt", "the quick brown fox"), .init("seed", .number("7")),
      .init("temperature", .number("0.9")), .init("threads", .number("2")), .init("receipt", .bool(true)),
    ]
    let others = members.filter { member in !more.contains { $0.name == member.name } }
    var all = others + more
    if !all.contains(where: { $0.name == "max_tokens" }) { all.append(.init("max_tokens", .number("24"))) }
    try GenerateCommand.run(JSONValue.object(all).text, screen.setting)
    let result = try #require(screen.result)
    #expect(result["text"]?.string == screen.text)
    return result
  }

  static func receipt(_ path: String, digests: Bool = true) throws -> Receipt {
    let result = try generate(path, [.init("digests", .bool(digests))])
    return try Receipt(json: try #require(result["receipt"]))
  }

  static func replay(
    _ receipt: Receipt, _ path: String, threads: Int = 2, instructionSet: Int32? = nil,
    conversation: GenerationRequest.Prompt? = nil
  ) throws -> Replay.Report {
    let pool = try WorkerPool(threads: threads)
    let hash = try VerifiedHashes(folder: nil).sha256(of: try MappedFile(path))
    return try Replay(
      receipt, model: try Model(path: path, pool: pool), modelHash: hash, conversation: conversation
    ).run(pool: pool, path: instructionSet)
  }

  /// The same receipt with another opening, signed by whoever changed it.
  static func signed(_ receipt: Receipt, _ change: (inout Receipt.Opening) -> Void) throws -> Receipt {
    var opening = receipt.opening
    change(&opening)
    let key = ReceiptTests.Key()
    return try Receipt(model: receipt.statement.model, opening, provider: key.publicKey, sign: key.sign)
  }

  private func failing(_ report: Replay.Report) -> [String] { report.checks.filter { !$0.holds }.map(\.name) }

  @Test func anAnswerComesOutAgainOnEveryPath() throws {
    let file = try TemporaryFile(Self.tiny.bytes())
    let receipt = try Self.receipt(file.path)
    #expect(receipt.opening.output.count == 24)
    for path in KernelTests.paths {
      for threads in [1, 3] {
        let report = try Self.replay(receipt, file.path, threads: threads, instructionSet: path)
        #expect(report.isEqual, "\(report)")
        #expect(report.traceRoot == receipt.statement.traceRoot)
      }
    }
    let asked = try Self.replay(receipt, file.path, conversation: .text("the quick brown fox"))
    #expect(asked.isEqual && asked.checks.contains { $0.name == "template" }, "\(asked)")
  }

  @Test func longAnswersAndPromptsComeOutAgain() throws {
    let file = try TemporaryFile(Self.tiny.bytes())
    let prompt = JSONValue.string(String(repeating: "lazy dog ", count: 40))
    let result = try Self.generate(
      file.path, [.init("prompt", prompt), .init("max_tokens", .number("200"))])
    let receipt = try Receipt(json: try #require(result["receipt"]))
    #expect(receipt.fed.count > 512 && receipt.opening.output.count == 200)
    #expect(try Self.replay(receipt, file.path).isEqual)
  }

  @Test func aChangedBitOfAWeightIsFoundAndPlaced() throws {
    let bytes = Self.tiny.bytes()
    let file = try TemporaryFile(bytes)
    let receipt = try Self.receipt(file.path)
    var changed = bytes
    // The last tensor is the down projection of the last layer: sign of a code in its middle.
    changed[changed.count - 1701] ^= 0x80
    let other = try TemporaryFile(changed)
    let report = try Self.replay(receipt, other.path)
    #expect(failing(report).contains("model") && !report.isEqual)
    let difference = try #require(report.difference)
    guard case .computation(_, _, let place) = difference else {
      Issue.record("\(difference)")
      return
    }
    #expect(difference.position == 0 && place == .residual(layer: 1), "\(difference)")
    #expect(difference.operatorName == "feed_residual")
    let blind = try Self.replay(Self.signed(receipt) { $0.digests = [] }, other.path)
    #expect(blind.difference == .computation(position: 0, token: receipt.fed[0], place: nil))
  }

  @Test func anotherOrderOfLayersIsFoundInTheFirst() throws {
    let bytes = Self.tiny.bytes()
    let file = try TemporaryFile(bytes)
    let receipt = try Self.receipt(file.path)
    var changed = bytes
    for index in bytes.indices.dropLast(6) where bytes[index..<index + 4].elementsEqual("blk.".utf8) {
      changed[index + 4] ^= 1
    }
    #expect(changed != bytes)
    let different = try TemporaryFile(changed)
    let report = try Self.replay(receipt, different.path)
    guard case .computation(0, _, .cache(layer: 0)) = report.difference else {
      Issue.record("\(report)")
      return
    }
  }

  @Test func anotherQuantisationIsFoundInTheEmbedding() throws {
    let file = try TemporaryFile(Self.tiny.bytes())
    let receipt = try Self.receipt(file.path)
    var other = Self.tiny
    other.type = .q4_1
    let different = try TemporaryFile(other.bytes())
    let report = try Self.replay(receipt, different.path)
    #expect(report.difference == .computation(position: 0, token: receipt.fed[0], place: .embedding), "\(report)")
  }

  /// What was signed must also be what was done.
  @Test func anotherSeedOrParameterChoosesOtherwise() throws {
    let file = try TemporaryFile(Self.tiny.bytes())
    let receipt = try Self.receipt(file.path, digests: false)
    let first = receipt.opening.prompt.count
    let changes: [(String, (inout Receipt.Opening) -> Void)] = [
      ("seed", { $0.parameters.sampling.seed += 1 }), ("temperature", { $0.parameters.sampling.temperature = 0 }),
      ("top_k", { $0.parameters.sampling.topK = 1 }),
      ("bias", { $0.parameters.sampling.bias = [.init(token: 5, value: 100)] }),
    ]
    for (name, change) in changes {
      let report = try Self.replay(Self.signed(receipt, change), file.path)
      guard case .choice(let position, let claimed, let found) = report.difference else {
        Issue.record("\(name): \(report)")
        continue
      }
      #expect(receipt.opening.output[position - first] == claimed && claimed != found, "\(name)")
      #expect(failing(report) == ["trace_root", "choices"], "\(name): \(report)")
    }
    let longer = try Self.replay(Self.signed(receipt) { $0.parameters.maxTokens = 25 }, file.path)
    #expect(longer.difference == .ending(position: first + 23, token: receipt.opening.output[23], ends: false))
    let shorter = try Self.replay(Self.signed(receipt) { $0.parameters.maxTokens = 10 }, file.path)
    #expect(shorter.difference == .ending(position: first + 9, token: receipt.opening.output[9], ends: true))
  }

  @Test func anotherPromptTokenIsFoundWhereItStands() throws {
    let file = try TemporaryFile(Self.tiny.bytes())
    let receipt = try Self.receipt(file.path)
    for position in [0, 5] {
      let report = try Self.replay(Self.signed(receipt) { $0.prompt[position] ^= 1 }, file.path)
      #expect(report.difference?.position == position, "\(report)")
    }
    let swapped = try Self.replay(Self.signed(receipt) { $0.output[9] ^= 1 }, file.path)
    #expect(swapped.difference?.position == receipt.opening.prompt.count + 9, "\(swapped)")
    let asked = try Self.replay(receipt, file.path, conversation: .text("the quick brown dog"))
    #expect(failing(asked) == ["template"] && asked.difference == nil && !asked.isEqual)
  }

  @Test func everyBindingHasASentenceOfItsOwn() throws {
    let file = try TemporaryFile(Self.tiny.bytes())
    let receipt = try Self.receipt(file.path)
    let good = try Self.replay(receipt, file.path)
    #expect(Set(good.checks.map(\.sentence)).count == good.checks.count)
    var unsigned = receipt
    unsigned.signature[0] ^= 1
    let report = try Self.replay(unsigned, file.path)
    #expect(failing(report) == ["signature"] && report.difference == nil && !report.isEqual)
    let lines = ReplayCommand.sentences(report)
    #expect(lines.contains("NO   signature") && lines.contains("the receipt does not hold"), "\(lines)")
  }

  /// Leaves do not depend on how tokens are chosen, so the root changes only with what was computed.
  @Test func theTraceRootIsThatOfTheTokens() throws {
    let file = try TemporaryFile(Self.tiny.bytes())
    let requests: [[JSONValue.Member]] = [
      [], [.init("seed", .number("8"))], [.init("temperature", .number("0.5"))], [.init("chat", .bool(true))],
    ]
    let roots = try requests.map { try #require(try Self.generate(file.path, $0)["trace_root"]?.string) }
    #expect(Set(roots).count == roots.count)
    let again = try Self.generate(file.path, [.init("isa", "scalar"), .init("threads", .number("1"))])
    #expect(again["trace_root"]?.string == roots[0])
  }

  @Test func theReplayCommandSaysEqualOrNot() throws {
    let file = try TemporaryFile(Self.tiny.bytes())
    let receipt = try Self.receipt(file.path)
    func command(_ receipt: JSONValue) throws -> Screen {
      let screen = Screen()
      let members: [JSONValue.Member] = [.init("receipt", receipt), .init("model", .string(file.path))]
      try ReplayCommand.run(JSONValue.object(members).text, screen.setting)
      return screen
    }
    let equal = try command(receipt.json)
    #expect(equal.result?["ok"] == .bool(true) && equal.text.contains("Equal"), "\(equal.text)")
    let other = try command(Self.signed(receipt) { $0.output[3] ^= 1 }.json)
    #expect(other.result?["ok"] == .bool(false), "\(other.text)")
    #expect(other.result?["difference"]?["operator"]?.string == "sampling" && other.text.contains("Different"))
    #expect(throws: InferenceError.self) { try command(.object([])) }
  }

  static let mistakes: [(name: String, value: JSONValue, code: String)] = [
    ("model", JSONValue.string("/nowhere/model.gguf"), "model_missing"), ("isa", "mmx", "invalid_isa"),
    ("threads", .number("65"), "invalid_threads"), ("max_tokens", .number("0"), "invalid_max_tokens"),
    ("max_tokens", .number("100000"), "context_length_exceeded"), ("colour", "red", "unknown_parameter"),
    ("temperature", .number("9"), "invalid_temperature"), ("receipt_file", "/nowhere/receipt", "not_written"),
  ]

  @Test(arguments: mistakes.indices) func whatCannotBeDoneHasACode(_ index: Int) throws {
    let (name, value, code) = Self.mistakes[index]
    let file = try TemporaryFile(Self.tiny.bytes())
    let error = #expect(throws: InferenceError.self) { try Self.generate(file.path, [.init(name, value)]) }
    #expect(error?.code == code)
  }
}
