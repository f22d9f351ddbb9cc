import Canonical

/// What a voter says.
package enum Choice: UInt8, CaseIterable, Sendable {
  case yes = 1
  case no = 2
  case abstain = 3

  /// The word, and only the word.
  package init(_ text: String) throws(GovernanceError) {
    guard let choice = Self.allCases.first(where: { $0.word == text }) else {
      throw GovernanceError(
        .invalidArgument, "invalid_choice", "`choice` is yes, no or abstain; `\(text.prefix(40))` is neither.")
    }
    self = choice
  }

  package var word: String {
    switch self {
    case .yes: "yes"
    case .no: "no"
    case .abstain: "abstain"
    }
  }
}

/// Heads by choice: one account, one head.
package struct Tally: Equatable, Sendable {
  package var yes: UInt32 = 0
  package var no: UInt32 = 0
  package var abstain: UInt32 = 0

  package init(yes: UInt32 = 0, no: UInt32 = 0, abstain: UInt32 = 0) {
    self.yes = yes
    self.no = no
    self.abstain = abstain
  }

  /// All who voted, abstentions included.
  package var cast: UInt64 { UInt64(yes) + UInt64(no) + UInt64(abstain) }

  package mutating func add(_ choice: Choice) { change(choice) { $0 += 1 } }

  package mutating func remove(_ choice: Choice) { change(choice) { $0 -= $0 > 0 ? 1 : 0 } }

  private mutating func change(_ choice: Choice, _ body: (inout UInt32) -> Void) {
    switch choice {
    case .yes: body(&yes)
    case .no: body(&no)
    case .abstain: body(&abstain)
    }
  }

  /// How many heads of `eligible` must vote: the share, rounded up, and at least one.
  package static func quorum(_ rules: Rules, eligible: UInt32) -> UInt64 {
    max(1, (UInt64(eligible) * UInt64(rules.quorumMilli) + 999) / 1000)
  }

  /// True when these votes, final as they are, pass.
  package func passes(_ rules: Rules, eligible: UInt32) -> Bool {
    cast >= Self.quorum(rules, eligible: eligible)
      && UInt64(yes) * 1000 > UInt64(rules.thresholdMilli) * (UInt64(yes) + UInt64(no))
  }

  /// The outcome, as soon as those who have not voted can no longer change it.
  ///
  /// Worst for a proposal: all of them say no, or stay away (which only matters for the quorum). Best: all say yes.
  package func settled(_ rules: Rules, eligible: UInt32) -> Bool? {
    let silent = UInt32(clamping: cast >= UInt64(eligible) ? 0 : UInt64(eligible) - cast)
    var worst = self
    worst.no += silent
    if cast >= Self.quorum(rules, eligible: eligible), worst.passes(rules, eligible: eligible) { return true }
    var best = self
    best.yes += silent
    return best.passes(rules, eligible: eligible) ? nil : false
  }
}
