import Canonical

/// A model that the engine offers.
package struct Model: Equatable, Sendable {
  package var id: String
  package var sha256: String
  package var quantization: String
  package var contextLength: UInt64
  /// Unix seconds.
  package var created: UInt64
  /// The class of nodes whose answers have the same bits; empty while the engine has not read the file.
  package var fingerprint: String

  package init(
    id: String, sha256: String, quantization: String, contextLength: UInt64, created: UInt64, fingerprint: String = ""
  ) {
    self.id = id
    self.sha256 = sha256
    self.quantization = quantization
    self.contextLength = contextLength
    self.created = created
    self.fingerprint = fingerprint
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
  package var form: AnswerForm
  /// How many alternatives are told with each token's log-probability; nil tells none.
  package var logprobs: UInt64?
  package var wantsReceipt: Bool
  /// Who asks, for fairness between callers.
  package var caller: String

  /// The JSON form that `inference.generate` and `inference.count` take.
  package var json: JSONValue {
    var members: [JSONValue.Member] = [.init("model", .string(model))]
    switch prompt {
    case .messages(let messages): members.append(.init("messages", .array(messages.map(\.json))))
    case .text(let text): members.append(.init("prompt", .string(text)))
    }
    members.append(.init("max_tokens", .integer(maximumTokens)))
    members.append(.init("temperature", .number("\(temperature)")))
    let numbers = [
      ("top_p", sampling.topP), ("min_p", sampling.minP), ("typical_p", sampling.typicalP),
      ("frequency_penalty", sampling.frequencyPenalty), ("presence_penalty", sampling.presencePenalty),
      ("repetition_penalty", sampling.repetitionPenalty),
    ]
    for (name, number) in numbers {
      if let number { members.append(.init(name, .number("\(number)"))) }
    }
    if let topK = sampling.topK { members.append(.init("top_k", .integer(topK))) }
    if let seed = sampling.seed { members.append(.init("seed", .integer(UInt64(bitPattern: seed)))) }
    if !sampling.stop.isEmpty { members.append(.init("stop", .array(sampling.stop.map { .string($0) }))) }
    if !sampling.bias.isEmpty { members.append(.init("logit_bias", .object(sampling.bias))) }
    if let logprobs { members += [.init("logprobs", true), .init("top_logprobs", .integer(logprobs))] }
    members += form.members
    if wantsReceipt { members.append(.init("receipt", true)) }
    members.append(.init("caller", .string(caller)))
    return .object(members)
  }
}

/// The other layers as one request sees them.
package protocol Surroundings: Sendable {
  func models() throws -> [Model]
  func count(_ request: EngineRequest) throws -> UInt64
  func embed(_ request: EmbeddingRequest, caller: String) throws -> Embeddings
  /// Generates until the end, or until the closure throws, whose error is rethrown or becomes a cancellation.
  func generate(_ request: EngineRequest, _ onEvent: (EngineEvent) throws -> Void) throws
  func parameters() throws -> Parameters
  func price() throws -> Price
  /// Runs a part of the request on another thread than its own, with surroundings for that thread; the engine stops there
  /// soon after `isStopped` turns true.
  func onOtherThread(
    isStopped: @escaping @Sendable () -> Bool, _ body: (any Surroundings) throws -> Void
  ) throws
  /// Whether the client has gone away.
  var isCancelled: Bool { get }
}
