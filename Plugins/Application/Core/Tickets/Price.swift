/// What tokens cost, in µ-credits for 1,000 of them, and the version by which a request keeps the price it began with.
package struct Price: Equatable, Sendable {
  /// The highest price for 1,000 tokens that can be set, so that no product of a price and a request overflows.
  package static let maximum: UInt64 = 1_000_000_000_000

  /// 0 for the operator's default, else counted up by every `set_price`.
  package var version: UInt64
  package var prompt: UInt64
  package var completion: UInt64

  package init(version: UInt64, prompt: UInt64, completion: UInt64) {
    self.version = version
    self.prompt = prompt
    self.completion = completion
  }

  /// What the tokens cost; a fraction of a µ-credit is rounded up once, on the sum.
  package func cost(_ tokens: TokenCounts) -> Amount {
    let (prompt, over1) = self.prompt.multipliedReportingOverflow(by: tokens.prompt)
    let (completion, over2) = self.completion.multipliedReportingOverflow(by: tokens.completion)
    let (sum, over3) = prompt.addingReportingOverflow(completion)
    if over1 || over2 || over3 { return Amount(.max) }
    return Amount(sum / 1000 + (sum.isMultiple(of: 1000) ? 0 : 1))
  }

  /// How many completion tokens an amount pays for after the prompt; nil when any number is free.
  package func affordableCompletion(_ amount: Amount, prompt tokens: UInt64) -> UInt64? {
    guard completion > 0 else { return cost(TokenCounts(prompt: tokens)) <= amount ? nil : 0 }
    let (thousandths, over) = amount.micro.multipliedReportingOverflow(by: 1000)
    let (spent, over2) = prompt.multipliedReportingOverflow(by: tokens)
    if over2 { return 0 }
    let available = over ? UInt64.max : thousandths
    return available > spent ? (available - spent) / completion : 0
  }

  package var json: JSONValue {
    [
      "version": .integer(version), "prompt": .integer(prompt), "completion": .integer(completion),
      "unit": "micro-credits per 1000 tokens",
    ]
  }
}

/// Tokens read and tokens written.
package struct TokenCounts: Equatable, Sendable {
  package var prompt: UInt64
  package var completion: UInt64

  package init(prompt: UInt64 = 0, completion: UInt64 = 0) {
    self.prompt = prompt
    self.completion = completion
  }
}
