import ApplicationCore

/// `[plugin.application.settings]` in plugins.conf; everything has a default, and a name that is not here is refused.
struct Settings: Decodable {
  /// µ-credits for 1,000 tokens, until governance sets a price.
  var pricePrompt: UInt64 = 1000
  var priceCompletion: UInt64 = 2000
  /// The inference parameters of a node without governance.
  var temperature = 0.7
  var maximumTokens: UInt64 = 256
  var systemPrompt = ""
  var requestsPerMinute: UInt64 = 600
  var concurrentRequests: UInt64 = 16
  /// How often charges are settled on the ledger.
  var settleSeconds: UInt64 = 10
  /// And after how many charges at the latest.
  var settleCharges: UInt64 = 256
  var journalBytes: UInt64 = 1 << 20

  private struct Name: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: Name.self)
    for key in container.allKeys {
      switch key.stringValue {
      case "price_prompt": pricePrompt = try container.decode(UInt64.self, forKey: key)
      case "price_completion": priceCompletion = try container.decode(UInt64.self, forKey: key)
      case "temperature": temperature = try container.decode(Double.self, forKey: key)
      case "max_tokens": maximumTokens = try container.decode(UInt64.self, forKey: key)
      case "system_prompt": systemPrompt = try container.decode(String.self, forKey: key)
      case "requests_per_minute": requestsPerMinute = try container.decode(UInt64.self, forKey: key)
      case "concurrent_requests": concurrentRequests = try container.decode(UInt64.self, forKey: key)
      case "settle_seconds": settleSeconds = try container.decode(UInt64.self, forKey: key)
      case "settle_charges": settleCharges = try container.decode(UInt64.self, forKey: key)
      case "journal_bytes": journalBytes = try container.decode(UInt64.self, forKey: key)
      default:
        throw DecodingError.dataCorruptedError(
          forKey: key, in: container, debugDescription: "unknown setting `\(key.stringValue)`.")
      }
      try check(key, in: container)
    }
  }

  private func check(_ key: Name, in container: KeyedDecodingContainer<Name>) throws {
    let limits: [(String, Bool, String)] = [
      ("price_prompt", pricePrompt <= Price.maximum, "at most \(Price.maximum)"),
      ("price_completion", priceCompletion <= Price.maximum, "at most \(Price.maximum)"),
      ("temperature", (0...2).contains(temperature), "from 0 to 2"),
      ("max_tokens", (1...1_048_576).contains(maximumTokens), "from 1 to 1048576"),
      ("requests_per_minute", (1...1_000_000).contains(requestsPerMinute), "from 1 to 1000000"),
      ("concurrent_requests", (1...10_000).contains(concurrentRequests), "from 1 to 10000"),
      ("settle_seconds", (1...3600).contains(settleSeconds), "from 1 to 3600"),
      ("settle_charges", (1...1_000_000).contains(settleCharges), "from 1 to 1000000"),
      ("journal_bytes", (4096...(1 << 30)).contains(journalBytes), "from 4096 to 1073741824"),
    ]
    for (name, holds, range) in limits where name == key.stringValue && !holds {
      throw DecodingError.dataCorruptedError(forKey: key, in: container, debugDescription: "`\(name)` is \(range).")
    }
  }

  var price: Price { Price(version: 0, prompt: pricePrompt, completion: priceCompletion) }

  var parameters: Parameters {
    Parameters(temperature: temperature, maximumTokens: maximumTokens, systemPrompt: systemPrompt)
  }

  var limits: Meter.Limits {
    Meter.Limits(
      rate: RateLimit(requestsPerMinute: requestsPerMinute, concurrent: Int(concurrentRequests)),
      maximumJournalBytes: Int(journalBytes))
  }
}
