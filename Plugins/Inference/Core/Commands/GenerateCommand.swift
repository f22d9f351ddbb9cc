import Synchronization

/// `symbolon inference generate`: one answer from a model's file, without a node.
package enum GenerateCommand {
  /// What the command takes beyond the members of a request.
  private struct Words {
    let model: String
    let machine: CommandMachine
    let wantsReceipt: Bool
    let file: String?
    let wantsDigests: Bool
    let request: GenerationRequest

    init(_ document: JSONValue, _ setting: CommandSetting) throws {
      var fields = try RequestFields(document)
      model = try CommandFile.model(try fields.requiredText("model"))
      machine = try CommandMachine(&fields)
      file = try fields.text("receipt_file")
      wantsDigests = try fields.bool("digests") ?? false
      let asked = try fields.bool("receipt") ?? false
      wantsReceipt = asked || file != nil || wantsDigests
      let isChat = try fields.bool("chat") ?? false
      let own: Set<String> = ["model", "threads", "isa", "receipt", "receipt_file", "digests", "chat"]
      let members = try CommandPrompt.members(
        (document.object ?? []).filter { !own.contains($0.name) }, isChat: isChat)
      let seed = try setting.seed()
      var request = try GenerationRequest(json: JSONValue.object(members).text, seed: seed)
      request.receipt = true
      self.request = request
    }
  }

  /// When what was done, on the monotonic clock.
  private struct Times {
    let began = monotonicNanoseconds()
    var loaded: UInt64 = 0
    var first: UInt64?
    var ended: UInt64 = 0

    func json(tokens: Int) -> JSONValue {
      func milliseconds(_ from: UInt64, _ to: UInt64) -> JSONValue {
        .number("\((Double(to - from) / 1e4).rounded() / 100)")
      }
      let first = first ?? ended
      var members: [JSONValue.Member] = [
        .init("load_ms", milliseconds(began, loaded)), .init("first_token_ms", milliseconds(loaded, first)),
        .init("total_ms", milliseconds(loaded, ended)),
      ]
      if tokens > 1, ended > first {
        let rate = Double(tokens - 1) / (Double(ended - first) / 1e9)
        members.append(.init("tokens_per_second", .number("\((rate * 100).rounded() / 100)")))
      }
      return .object(members)
    }
  }

  /// Answers the request in `json` and shows text, then a result.
  package static func run(_ json: String, _ setting: CommandSetting) throws {
    let words = try Words(try JSONValue(document: json), setting)
    let provider = words.wantsReceipt ? try setting.provider() : []
    let kept = Mutex<AnswerRecord?>(nil)
    var options = InferenceEngine.Options()
    options.threads = words.machine.threads
    options.path = words.machine.path
    options.maxActive = 1
    var times = Times()
    let record: AnswerRecord
    var text = ""
    do {
      options.receipts = { record in
        kept.withLock { $0 = record }
        return "{}"
      }
      let engine = try InferenceEngine([InferenceEngine.Source(path: words.model)], options: options)
      defer { engine.close() }
      times.loaded = monotonicNanoseconds()
      try engine.generate(words.request, isCancelled: setting.isCancelled) { event in
        if case .text(let piece, _, _) = event {
          if times.first == nil { times.first = monotonicNanoseconds() }
          text += piece
          try setting.text(piece)
        }
      }
      times.ended = monotonicNanoseconds()
      guard let found = kept.withLock({ $0 }) else {
        throw InferenceError(.internal, "no_record", "The engine kept no record of the answer.")
      }
      record = found
    }
    var receipt: Receipt?
    if words.wantsReceipt {
      let digests = words.wantsDigests ? try digests(of: record, words) : []
      receipt = try Receipt(record, digests: digests, provider: provider, sign: setting.sign)
    }
    if let file = words.file, let receipt { try CommandFile.write(receipt.json.text + "\n", to: file) }
    try setting.result(result(text, record, words, times, receipt))
  }

  private static func result(
    _ text: String, _ record: AnswerRecord, _ words: Words, _ times: Times, _ receipt: Receipt?
  ) -> [JSONValue.Member] {
    func tokens(_ tokens: [Int32]) -> JSONValue { .array(tokens.map { .number("\($0)") }) }
    var members: [JSONValue.Member] = [
      .init("text", .string(text)), .init("finish_reason", .string(record.finish.rawValue)),
      .init("prompt_tokens", tokens(record.prompt)), .init("output_tokens", tokens(record.output)),
      .init("model_sha256", .string(record.model.sha256)),
      .init("system_fingerprint", .string(record.model.fingerprint)),
      .init("seed", .number("\(record.request.sampling.seed)")),
    ]
    members += words.machine.json
    members += [
      .init("timings", times.json(tokens: record.output.count)),
      .init("trace_root", .string(Trace(bytes: record.leaves).root.hex)),
    ]
    if let receipt {
      members.append(
        words.file.map { JSONValue.Member("receipt_file", .string($0)) } ?? JSONValue.Member("receipt", receipt.json))
    }
    return members
  }

  /// What each leaf commits to: computed once more, and held to what the answer left.
  private static func digests(of record: AnswerRecord, _ words: Words) throws -> [[Digest]] {
    let pool = try WorkerPool(threads: words.machine.threads)
    let model = try Model(path: words.model, pool: pool)
    let tokens = record.prompt + record.output.dropLast()
    var found: [[Digest]] = []
    var trace = Trace()
    try Prefill(model, pool: pool, path: words.machine.path).run(tokens, rowsFrom: tokens.count) { position in
      found.append(position.digests.digests)
      trace.append(position.digests.leaf)
      return true
    }
    guard trace == Trace(bytes: record.leaves) else {
      throw InferenceError(
        .internal, "not_repeatable",
        "This machine computed the answer twice with different results: its memory or processor is faulty.")
    }
    return found
  }
}
