import Canonical

/// A ticket key's money and use, as the meter knows them.
///
/// `budget` and `settled` are the ledger's numbers; `pending` and `unsettled` are charges that it has not taken yet.
package struct KeyEntry: Equatable, Sendable {
  /// Where a key is in its life.
  package enum Phase: UInt8, Sendable {
    case opening, open, revoked, closed
  }

  package var phase: Phase
  package var budget: Amount
  package var settled = Amount.zero
  package var pending = Amount.zero
  package var unsettled = Amount.zero
  /// Held for requests that run now; never stored, because a crash gives it back.
  package var reserved = Amount.zero
  package var requests: UInt64 = 0
  package var tokens = TokenCounts()

  package init(phase: Phase, budget: Amount) {
    self.phase = phase
    self.budget = budget
  }

  /// All that was ever charged.
  package var charged: Amount { settled + pending + unsettled }

  /// What a new request may reserve.
  package var balance: Amount { budget - charged - reserved }

  var storedNumbers: [UInt64] {
    [settled.micro, pending.micro, unsettled.micro, requests, tokens.prompt, tokens.completion]
  }

  init?(budget: Amount, _ reader: inout CanonicalReader) {
    guard let byte = try? reader.u8(), let phase = Phase(rawValue: byte) else { return nil }
    self.init(phase: phase, budget: budget)
    var numbers: [UInt64] = []
    while numbers.count < 6 {
      guard let number = try? reader.u64() else { return nil }
      numbers.append(number)
    }
    settled = Amount(numbers[0])
    pending = Amount(numbers[1])
    unsettled = Amount(numbers[2])
    requests = numbers[3]
    tokens = TokenCounts(prompt: numbers[4], completion: numbers[5])
  }

  package func json(_ key: KeyHash) -> JSONValue {
    [
      "id": .string(key.id), "phase": .string("\(phase)"), "budget": .integer(budget.micro),
      "balance": .integer(balance.micro), "reserved": .integer(reserved.micro), "charged": .integer(charged.micro),
      "unsettled": .integer((pending + unsettled).micro), "requests": .integer(requests),
      "prompt_tokens": .integer(tokens.prompt), "completion_tokens": .integer(tokens.completion),
      "hash": .string(key.description),
    ]
  }
}
