/// `symbolon inference replay`: whether an answer comes out again.
package enum ReplayCommand {
  /// Where models are looked for when none is named.
  private static let folder = "~/.symbolon/models"

  /// Replays the receipt in `json` and shows a sentence for each thing it binds, then a result.
  package static func run(_ json: String, _ setting: CommandSetting) throws {
    var fields = try RequestFields(try JSONValue(document: json))
    let receipt = try Receipt(json: try fields.required("receipt"))
    let named = try fields.text("model")
    let machine = try CommandMachine(&fields)
    let conversation = try conversation(&fields)
    let operators = try fields.take("operators").map { json throws(InferenceError) in
      try PositionTrace(json: json).whole()
    }
    try fields.finish()
    let (path, hash) = try named.map { try known($0) } ?? find(receipt.statement.model, setting)
    let pool = try WorkerPool(threads: machine.threads)
    let model = try Model(path: path, pool: pool)
    let replay = Replay(receipt, model: model, modelHash: hash, conversation: conversation, operators: operators)
    let began = monotonicNanoseconds()
    let report = try replay.run(pool: pool, path: machine.path, isCancelled: setting.isCancelled) { done, total in
      if done % 32 == 0 { try setting.progress("replaying", done, of: total) }
    }
    let milliseconds = Double((monotonicNanoseconds() - began) / 10_000) / 100
    try setting.text(sentences(report))
    try setting.result(
      report.json + [.init("model", .string(path)), .init("replay_ms", .number("\(milliseconds)"))] + machine.json)
  }

  /// For people: a line for each check, and the verdict.
  package static func sentences(_ report: Replay.Report) -> String {
    var lines = report.checks.map { check in
      (check.holds ? "yes" : "NO ") + "  \(check.name): \(check.sentence)"
    }
    if report.isEqual {
      lines.append("Equal: the answer came out again, bit for bit.")
    } else if let difference = report.difference {
      let layer = difference.layer.map { ", layer \($0)" } ?? ""
      let cause = layer + (difference.operatorName.map { ", operator \($0)" } ?? "")
      lines.append("Different: first at position \(difference.position), token \(difference.token)\(cause).")
    } else {
      lines.append("Different: what was computed is equal, but the receipt does not hold.")
    }
    return lines.joined(separator: "\n")
  }

  private static func conversation(_ fields: inout RequestFields) throws -> GenerationRequest.Prompt? {
    let members = ["messages", "prompt"].compactMap { name in fields.take(name).map { JSONValue.Member(name, $0) } }
    guard !members.isEmpty else { return nil }
    return try GenerationRequest(json: JSONValue.object(members).text, seed: 0).prompt
  }

  /// The model at a path, and the hash of its file.
  static func known(_ path: String) throws(InferenceError) -> (String, String) {
    let path = try CommandFile.model(path)
    return (path, try VerifiedHashes(folder: nil).sha256(of: try MappedFile(path)))
  }

  /// The file of a model, by its hash.
  private static func find(_ hash: [UInt8], _ setting: CommandSetting) throws -> (String, String) {
    let wanted = Hexadecimal.text(hash)
    let folder = ModelFolder.expanded(Self.folder)
    let files = (try? ModelFolder.files(in: folder)) ?? []
    for (index, path) in files.enumerated() {
      try setting.progress("looking for the model", index, of: files.count)
      guard let file = try? MappedFile(path) else { continue }
      if try VerifiedHashes(folder: nil).sha256(of: file) == wanted { return (path, wanted) }
    }
    throw InferenceError(
      .notFound, "model_not_found", "No file in \(folder) has the SHA-256 \(wanted): name the model with --model.")
  }
}
