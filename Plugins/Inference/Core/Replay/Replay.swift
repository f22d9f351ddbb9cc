/// Computes an answer again from its receipt, as one prefill, and says what holds of it.
///
/// The bits are those of the answer's own run, whatever machine, threads and batches that had
/// (`docs/arithmetic.md`), so any difference is a fault or a lie.
package struct Replay {
  package let receipt: Receipt
  package let model: Model
  /// SHA-256 of the model's file, lowercase hexadecimal digits.
  package let modelHash: String
  /// What the model is said to have been asked; nil when nobody says.
  package var conversation: GenerationRequest.Prompt?
  /// What the other side says its operators gave at the first position that differs; nil when it says nothing.
  package var operators: PositionTrace?

  package init(
    _ receipt: Receipt, model: Model, modelHash: String, conversation: GenerationRequest.Prompt? = nil,
    operators: PositionTrace? = nil
  ) {
    (self.receipt, self.model, self.modelHash) = (receipt, model, modelHash)
    (self.conversation, self.operators) = (conversation, operators)
  }

  /// Computes and compares; `progress` hears how many of how many positions are done.
  package func run(
    pool: WorkerPool, path: Int32? = nil, isCancelled: () -> Bool = { false },
    progress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> Report {
    let opening = receipt.opening
    guard !opening.prompt.isEmpty, !opening.output.isEmpty else {
      throw InferenceError(.invalidRequest, "no_tokens", "The receipt has no prompt or no answer to compute again.")
    }
    let tokens = receipt.fed
    try Prefill.check(tokens, model)
    let prefill = try Prefill(model, pool: pool, path: path)
    let request = try opening.parameters.request()
    var writer = try AnswerWriter(
      request, prompt: opening.prompt, maxTokens: opening.parameters.maxTokens, model: model)
    var report = Report(checks: try statementChecks(request), positions: tokens.count)
    var trace = Trace()
    try prefill.run(tokens, rowsFrom: opening.prompt.count - 1, isCancelled: isCancelled) { found in
      let position = found.digests.position
      let leaf = found.digests.leaf
      trace.append(leaf)
      guard position < opening.leaves.count, leaf == opening.leaves[position] else {
        report.difference = difference(at: found.digests)
        return false
      }
      if let row = found.row {
        let place = position + 1 - opening.prompt.count
        let choice = try writer.take(row, position: position + 1, path: prefill.path)
        let claimed = opening.output[place]
        if choice.token != claimed {
          report.difference = .choice(position: position + 1, claimed: claimed, found: choice.token)
          return false
        }
        if (choice.finish != nil) != (place == opening.output.count - 1) {
          report.difference = .ending(position: position + 1, token: claimed, ends: choice.finish != nil)
          return false
        }
      }
      try progress(trace.count, tokens.count)
      return true
    }
    try locate(&report, pool: pool, path: path, isCancelled: isCancelled)
    let isWhole = trace.count == tokens.count && trace.root == receipt.statement.traceRoot
    report.traceRoot = trace.count == tokens.count ? trace.root : nil
    report.checks += [
      Report.Check(
        "trace_root", isWhole && !receipt.flaws.contains(.trace),
        yes: "All \(tokens.count) positions lead to the trace root that was signed.",
        no: "What was computed does not lead to the trace root that was signed."),
      Report.Check(
        "choices", report.difference == nil,
        yes: "Parameters and seed choose every token of the answer, and its end, again.",
        no: "The answer does not come out again: \(report.difference?.sentence ?? "")"),
    ]
    return report
  }

  /// Finds the operator that was the first to go apart, if the other side told what its own gave there.
  private func locate(
    _ report: inout Report, pool: WorkerPool, path: Int32?, isCancelled: () -> Bool
  ) throws {
    guard let operators, case .computation(let position, let token, _) = report.difference else { return }
    let theirs = operators.digests
    let isThere = theirs.position == position && theirs.token == token
    let isSigned =
      isThere && receipt.opening.leaves.indices.contains(position)
      && theirs.leaf == receipt.opening.leaves[position]
    report.checks.append(
      Report.Check(
        "operators", isSigned, yes: "The operators lead to the leaf of position \(position) that was signed.",
        no: isThere
          ? "The operators do not lead to the leaf of position \(position) that was signed: they are of another run."
          : "The operators are of position \(theirs.position) (token \(theirs.token)), but the first difference is at "
            + "position \(position) (token \(token)): ask the other side for that."))
    guard isSigned else { return }
    let own = try PositionTrace(
      model, modelHash: modelHash, Array(receipt.fed[...position]), pool: pool, path: path, isCancelled: isCancelled)
    if let step = own.operators.firstDifference(from: operators.operators) {
      report.difference = .operation(position: position, token: token, step)
    }
  }

  /// What can be said before anything is computed.
  private func statementChecks(_ request: GenerationRequest) throws(InferenceError) -> [Report.Check] {
    let flaws = receipt.flaws
    let statement = receipt.statement
    func check(_ name: String, _ flaw: Receipt.Flaw, _ yes: String) -> Report.Check {
      Report.Check(name, !flaws.contains(flaw), yes: yes, no: flaw.sentence)
    }
    var checks = [
      check("signature", .signature, "The statement is signed with the provider's key."),
      check("specification", .specification, "It was computed with the arithmetic that this engine has."),
      Report.Check(
        "model", Hexadecimal.bytes(modelHash) == statement.model, yes: "The file is the model that was signed.",
        no: "The file is another model: its SHA-256 is \(modelHash), but "
          + "\(Hexadecimal.text(statement.model)) was signed."),
      check("parameters", .parameters, "The parameters are those that were signed."),
      Report.Check(
        "seed", receipt.opening.parameters.sampling.seed == statement.seed,
        yes: "The seed \(statement.seed) is the one that was signed.", no: "The seed is not the one that was signed."),
      check("prompt", .prompt, "The prompt's tokens are those that were signed."),
      check("output", .output, "The answer's tokens are those that were signed."),
    ]
    if !receipt.opening.digests.isEmpty {
      checks.append(check("digests", .digests, "The digests of every position lead to its leaf."))
    }
    if let conversation {
      var request = request
      request.prompt = conversation
      let tokens = try model.promptTokens(of: request)
      checks.append(
        Report.Check(
          "template", tokens == receipt.opening.prompt,
          yes: "The model's template and tokenizer make this prompt of what was asked.",
          no: "The model's template and tokenizer make another prompt of what was asked."))
    }
    return checks
  }

  /// Where a position went apart, as far as the receipt tells.
  private func difference(at found: PositionDigests) -> Report.Difference {
    let digests = receipt.opening.digests
    guard digests.indices.contains(found.position), digests[found.position].count % 2 == 1 else {
      return .computation(position: found.position, token: found.token, place: nil)
    }
    let claimed = PositionDigests(position: found.position, token: found.token, digests: digests[found.position])
    return .computation(
      position: found.position, token: found.token, place: found.firstDifference(from: claimed))
  }
}
