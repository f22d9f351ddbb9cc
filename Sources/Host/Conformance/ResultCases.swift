/// What methods give back, and what they leave alone: one rule a case.
enum ResultCases {
  private static func rule(
    _ name: String, _ summary: String, _ rules: Set<Rule>, rounds: Int = 20, _ options: CallOptions = CallOptions(),
    isWarning: Bool = false
  ) -> ConformanceCase {
    ConformanceCase(name, summary, needs: "method.keeps-nothing") { context throws(CaseEnd) in
      let subject = try context.started()
      for profile in [ArgumentSource.Profile.ordinary, .random, .empty] {
        let verdict = try Sweep.run(context, subject, profile, rounds: rounds, options, rules: rules)
        if case .failed(let text) = verdict, isWarning { return .warning(text) }
        if verdict != .success { return verdict }
      }
      return .success
    }
  }

  static let all: [ConformanceCase] = [
    rule("result.once", "A slice result is exactly one message", [.resultCount]),
    rule("result.utf8", "Texts are UTF-8", [.utf8]),
    rule("result.json", "JSON parses", [.json]),
    rule("result.bool", "A bool is 0 or 1", [.bool]),
    rule("result.bounds", "Nothing is written beside a result", [.resultBounds]),
    rule("result.status", "The status is one of the contract's", [.status]),
    rule("error.bounds", "Nothing is written beside the error slot", [.errorBounds]),
    rule("error.slot", "The slot holds the status that was returned, and ended texts", [.errorSlot]),
    rule("error.sentence", "A failure says what to do", [.errorText], isWarning: true),
    rule("call.untouched", "The caller's symbolon_call stays as it is", [.callChanged]),
    rule("sink.thread", "Sinks are written on the call's thread", [.sinkThread]),
    rule(
      "sink.late", "Sinks are not written after the return", [.sinkLate], rounds: 2,
      CallOptions(settlesMicroseconds: 20_000)),
    rule("sink.refused", "A refused stream ends", [.refusal], rounds: 5, CallOptions(refusesFrom: 2)),
  ]
}
