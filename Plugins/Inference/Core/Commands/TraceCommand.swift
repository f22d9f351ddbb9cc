/// `symbolon inference trace`: what every operator gave for one token.
package enum TraceCommand {
  /// What the command takes.
  private struct Words {
    let model: String
    let modelHash: String
    let machine: CommandMachine
    let isReference: Bool
    let position: Int?
    let layer: Int?
    let other: PositionTrace?
    private let receipt: Receipt?
    private let request: GenerationRequest?

    init(_ document: JSONValue) throws {
      var fields = try RequestFields(document)
      let path = try fields.requiredText("model")
      isReference = try fields.bool("reference") ?? false
      if isReference, document["isa"] != nil || document["threads"] != nil {
        throw GenerationRequest.wrong("reference", "has no instruction sets and no threads: leave those out")
      }
      machine = try CommandMachine(&fields)
      position = try fields.whole("position", UInt32.self, "a whole number from 0").map(Int.init)
      layer = try fields.whole("layer", UInt16.self, "a whole number from 0").map(Int.init)
      other = try fields.take("compare").map { json throws(InferenceError) in try PositionTrace(json: json) }
      receipt = try fields.take("receipt").map { json throws(InferenceError) in try Receipt(json: json) }
      let isChat = try fields.bool("chat") ?? false
      let asked = ["prompt", "messages"].compactMap { name in
        fields.take(name).map { JSONValue.Member(name, $0) }
      }
      try fields.finish()
      guard (receipt == nil) != (asked.isEmpty) else {
        throw GenerationRequest.wrong("prompt", "must be given, or `messages` or `receipt`, and one of them alone")
      }
      let members = try CommandPrompt.members(asked, isChat: isChat)
      request = receipt == nil ? try GenerationRequest(json: JSONValue.object(members).text, seed: 0) : nil
      (model, modelHash) = try ReplayCommand.known(path)
    }

    /// The tokens up to the one that is asked about.
    func tokens(_ model: Model) throws(InferenceError) -> [Int32] {
      var tokens = receipt?.fed ?? []
      if let request { tokens = try model.promptTokens(of: request) }
      try Prefill.check(tokens, model)
      let position = position ?? tokens.count - 1
      guard tokens.indices.contains(position) else {
        throw GenerationRequest.wrong(
          "position", "must be \(tokens.isEmpty ? "of a token, but there is none" : "0 to \(tokens.count - 1)")")
      }
      return Array(tokens[...position])
    }
  }

  /// Computes the position that `json` asks for and shows its operators, and where another trace differs.
  package static func run(_ json: String, _ setting: CommandSetting) throws {
    let words = try Words(try JSONValue(document: json))
    let pool = try WorkerPool(threads: words.machine.threads)
    let model = try Model(path: words.model, pool: pool)
    let tokens = try words.tokens(model)
    var trace = try compute(words, model, tokens, pool, setting)
    if let layer = words.layer {
      guard layer <= model.sizes.layers else {
        throw GenerationRequest.wrong("layer", "must be 0 to \(model.sizes.layers), the head's")
      }
      trace = trace.only(layer: layer)
    }
    var result = trace.json
    var text = table(trace)
    if let other = words.other {
      let difference = try difference(of: trace, from: other)
      result.insert(.init("ok", .bool(difference == nil)), at: 0)
      if let difference { result.append(.init("difference", difference.json)) }
      text += "\n\n" + (difference?.sentence ?? "Equal: no operator differs.")
    }
    try setting.text(text)
    try setting.result(result)
  }

  private static func compute(
    _ words: Words, _ model: Model, _ tokens: [Int32], _ pool: WorkerPool, _ setting: CommandSetting
  ) throws -> PositionTrace {
    func progress(_ done: Int, _ total: Int) throws {
      if words.isReference || done % 32 == 0 { try setting.progress("computing", done, of: total) }
    }
    guard words.isReference else {
      return try PositionTrace(
        model, modelHash: words.modelHash, tokens, pool: pool, path: words.machine.path,
        isCancelled: setting.isCancelled, progress: progress)
    }
    let reference = try ReferenceModel(GGUFFile(try MappedFile(words.model)))
    return try PositionTrace(
      reference: reference, modelHash: words.modelHash, tokens, isCancelled: setting.isCancelled, progress: progress)
  }

  /// The first operator of two traces that differs.
  struct Difference {
    let step: OperatorTrace.Step
    let other: OperatorTrace.Step?

    var sentence: String {
      let place = "Different: first in layer \(step.layer), operator \(step.name)."
      guard let other, (other.number, other.layer) == (step.number, step.layer) else {
        return place + "\nOnly one of the two has it."
      }
      return place + "\nhere   \(step.digest)\nthere  \(other.digest)"
    }

    var json: JSONValue {
      .object([
        .init("layer", .number("\(step.layer)")), .init("operator", .string(step.name)),
        .init("sentence", .string(sentence)),
      ])
    }
  }

  /// Compares what both have: a trace of one layer with that layer.
  private static func difference(
    of trace: PositionTrace, from other: PositionTrace
  ) throws(InferenceError) -> Difference? {
    let (here, there) = (trace.digests, other.digests)
    guard (here.position, here.token) == (there.position, there.token) else {
      throw InferenceError(
        .invalidRequest, "other_position",
        "The other trace is of position \(there.position) (token \(there.token)), this one of position "
          + "\(here.position) (token \(here.token)): give the same prompt and position.")
    }
    let layer = trace.layer ?? other.layer
    guard other.layer == nil || other.layer == layer else {
      throw InferenceError(
        .invalidRequest, "other_layer",
        "The other trace is of layer \(other.layer ?? 0) alone: ask for the same `--layer`.")
    }
    let own = layer.map { trace.operators.only(layer: $0) } ?? trace.operators
    let theirs = layer.map { other.operators.only(layer: $0) } ?? other.operators
    guard let step = own.firstDifference(from: theirs) else { return nil }
    let index = own.steps.firstIndex(of: step)
    return Difference(
      step: step, other: index.flatMap { theirs.steps.indices.contains($0) ? theirs.steps[$0] : nil })
  }

  /// For people: a line of at most 80 columns for each operator, with the beginning of its digest.
  static func table(_ trace: PositionTrace) -> String {
    func left(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(0, width - text.count))
    }
    func right(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(0, width - text.count)) + text
    }
    let digests = trace.digests
    var lines = [
      "position \(digests.position), token \(digests.token), \(trace.engine)", "leaf  \(digests.leaf)", "",
      "layer  " + left("operator", 20) + right("values", 8) + "  digest",
    ]
    for step in trace.operators.steps {
      lines.append(
        right("\(step.layer)", 5) + "  " + left(step.name, 20) + right("\(step.count)", 8) + "  "
          + step.digest.hex.prefix(40))
    }
    return lines.joined(separator: "\n")
  }
}
