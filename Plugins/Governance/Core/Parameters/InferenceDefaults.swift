import Canonical

/// What inference uses when a request says nothing else, as the community decided.
package struct InferenceDefaults: Equatable, Sendable {
  /// In thousandths, 0 to 2,000.
  package let temperatureMilli: UInt32
  /// 1 to 32,768.
  package let maxTokens: UInt32
  /// At most 4,096 bytes; empty leaves the model its own.
  package let systemPrompt: String

  /// What holds until the first vote; the temperature is the one that SmolLM2's model card recommends.
  package static let initial = InferenceDefaults(known: 200, 512, "")

  private init(known temperature: UInt32, _ maxTokens: UInt32, _ systemPrompt: String) {
    temperatureMilli = temperature
    self.maxTokens = maxTokens
    self.systemPrompt = systemPrompt
  }

  /// Values within their bounds.
  package init(temperatureMilli: UInt32, maxTokens: UInt32, systemPrompt: String) throws(GovernanceError) {
    guard temperatureMilli <= 2000 else {
      throw GovernanceError(
        .invalidArgument, "invalid_temperature",
        "`temperature_milli` is in thousandths and at most 2000, which is a temperature of 2; "
          + "\(temperatureMilli) was given.")
    }
    guard (1...32768).contains(maxTokens) else {
      throw GovernanceError(
        .invalidArgument, "invalid_max_tokens", "`max_tokens` is 1 to 32768; \(maxTokens) was given.")
    }
    guard systemPrompt.utf8.count <= 4096 else {
      throw GovernanceError(
        .invalidArgument, "system_prompt_too_long",
        "`system_prompt` has at most 4096 bytes; \(systemPrompt.utf8.count) were given.")
    }
    self.init(known: temperatureMilli, maxTokens, systemPrompt)
  }

  /// SHA-256 of the domain tag and the canonical form: what a receipt names.
  package var hash: Digest { Digest(of: Array("symbolon/inference-defaults/v1\0".utf8) + canonical) }

  private var canonical: [UInt8] {
    var writer = CanonicalWriter()
    write(to: &writer)
    return writer.bytes
  }
}

extension InferenceDefaults {
  init(from reader: inout CanonicalReader) throws {
    try self.init(
      temperatureMilli: try reader.u32(), maxTokens: try reader.u32(), systemPrompt: try reader.text(limit: 4096))
  }

  func write(to writer: inout CanonicalWriter) {
    writer.u32(temperatureMilli)
    writer.u32(maxTokens)
    writer.text(systemPrompt)
  }
}

/// The defaults in force, and since which block.
struct DefaultsRecord: Record {
  static var title: String { "The record of the inference defaults" }

  let defaults: InferenceDefaults
  let height: Height

  init(_ defaults: InferenceDefaults, since height: Height) {
    self.defaults = defaults
    self.height = height
  }

  init(from reader: inout CanonicalReader) throws {
    defaults = try InferenceDefaults(from: &reader)
    height = Height(try reader.u64())
  }

  func write(to writer: inout CanonicalWriter) {
    defaults.write(to: &writer)
    writer.u64(height.value)
  }
}

/// The defaults as other layers and people read them.
package struct ParametersView: Codable, Equatable, Sendable {
  package let temperature: Double
  package let max_tokens: UInt32
  package let system_prompt: String
  /// SHA-256 in hexadecimal.
  package let hash: String
  /// The block since which they hold; 0 before the first vote.
  package let height: UInt64

  package init(_ defaults: InferenceDefaults, since height: Height) {
    temperature = Double(defaults.temperatureMilli) / 1000
    max_tokens = defaults.maxTokens
    system_prompt = defaults.systemPrompt
    hash = defaults.hash.description
    self.height = height.value
  }
}
