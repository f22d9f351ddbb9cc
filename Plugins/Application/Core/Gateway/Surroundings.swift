import Canonical

/// A model that the engine offers.
package struct Model: Equatable, Sendable {
  package var id: String
  package var sha256: String
  package var quantization: String
  package var contextLength: UInt64
  /// Unix seconds.
  package var created: UInt64

  package init(id: String, sha256: String, quantization: String, contextLength: UInt64, created: UInt64) {
    self.id = id
    self.sha256 = sha256
    self.quantization = quantization
    self.contextLength = contextLength
    self.created = created
  }
}

/// The inference parameters in force: governance's, or the operator's where there is no governance.
package struct Parameters: Equatable, Sendable {
  package var temperature: Double
  package var maximumTokens: UInt64
  package var systemPrompt: String
  /// Lower-case hexadecimal; what `/v1/models` shows and answers carry.
  package var hash: String

  package init(temperature: Double, maximumTokens: UInt64, systemPrompt: String, hash: String) {
    self.temperature = temperature
    self.maximumTokens = maximumTokens
    self.systemPrompt = systemPrompt
    self.hash = hash
  }

  /// The operator's own parameters, hashed over their canonical form.
  package init(temperature: Double, maximumTokens: UInt64, systemPrompt: String) {
    var writer = CanonicalWriter()
    writer.u32(UInt32((max(0, min(temperature, 1000)) * 1000).rounded()))
    writer.u32(UInt32(clamping: maximumTokens))
    writer.text(systemPrompt)
    self.init(
      temperature: temperature, maximumTokens: maximumTokens, systemPrompt: systemPrompt,
      hash: Hex.string(SHA256.hash(writer.bytes)))
  }
}

/// What the engine is asked to do: the request with all defaults filled in.
package struct EngineRequest: Equatable, Sendable {
  package var model: String
  package var prompt: Prompt
  package var maximumTokens: UInt64
  package var temperature: Double
  package var sampling: Sampling

  /// The JSON form that `inference.generate` and `inference.count` take.
  package var json: JSONValue {
    var members: [JSONValue.Member] = [.init("model", .string(model))]
    switch prompt {
    case .messages(let messages):
      let list = messages.map { ["role": .string($0.role), "content": .string($0.content)] as JSONValue }
      members.append(.init("messages", .array(list)))
    case .text(let text): members.append(.init("prompt", .string(text)))
    }
    members.append(.init("max_tokens", .integer(maximumTokens)))
    members.append(.init("temperature", .number("\(temperature)")))
    if let topP = sampling.topP { members.append(.init("top_p", .number("\(topP)"))) }
    if let topK = sampling.topK { members.append(.init("top_k", .integer(topK))) }
    if let seed = sampling.seed { members.append(.init("seed", .integer(UInt64(bitPattern: seed)))) }
    if !sampling.stop.isEmpty { members.append(.init("stop", .array(sampling.stop.map { .string($0) }))) }
    return .object(members)
  }
}

/// What the engine says while it generates.
package enum EngineEvent: Equatable, Sendable {
  case start(promptTokens: UInt64)
  /// A piece of text, and how many tokens were generated up to its end.
  case text(String, tokens: UInt64)
  case end(finishReason: String, tokens: TokenCounts)

  /// Reads an event of `inference.generate`; nil when it is none of these.
  package init?(_ json: JSONValue) {
    switch json["type"]?.stringValue {
    case "start":
      guard let tokens = json["prompt_tokens"]?.unsignedValue else { return nil }
      self = .start(promptTokens: tokens)
    case "text":
      guard let text = json["text"]?.stringValue, let tokens = json["tokens"]?.unsignedValue else { return nil }
      self = .text(text, tokens: tokens)
    case "end":
      guard let reason = json["finish_reason"]?.stringValue, let prompt = json["prompt_tokens"]?.unsignedValue,
        let completion = json["completion_tokens"]?.unsignedValue
      else { return nil }
      self = .end(finishReason: reason, tokens: TokenCounts(prompt: prompt, completion: completion))
    default: return nil
    }
  }
}

/// The other layers as one request sees them.
package protocol Surroundings {
  func models() throws -> [Model]
  func count(_ request: EngineRequest) throws -> UInt64
  /// Generates until the end, or until the closure throws, whose error is rethrown or becomes a cancellation.
  func generate(_ request: EngineRequest, _ onEvent: (EngineEvent) throws -> Void) throws
  func parameters() throws -> Parameters
  func price() throws -> Price
  /// Whether the client has gone away.
  var isCancelled: Bool { get }
}
