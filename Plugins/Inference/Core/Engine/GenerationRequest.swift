import FoundationEssentials

/// What a caller asks of the engine.
package struct GenerationRequest: Sendable {
  /// Where the model starts from.
  package enum Prompt: Sendable {
    case messages([ChatMessage])
    case text(String)
  }

  package var model: String?
  package var prompt: Prompt
  /// nil: as many as the context has room for.
  package var maxTokens: Int?
  package var sampling: SamplingParameters
  package var stops: [String]

  package init(
    model: String? = nil, prompt: Prompt, maxTokens: Int? = nil, sampling: SamplingParameters = SamplingParameters(),
    stops: [String] = []
  ) {
    self.model = model
    self.prompt = prompt
    self.maxTokens = maxTokens
    self.sampling = sampling
    self.stops = stops
  }

  /// The members of the JSON form.
  ///
  /// A member that cannot be read is named in the error.
  private struct Wire: Decodable {
    struct Message: Decodable {
      let role: String
      let content: String
    }

    enum Key: String, CodingKey {
      case model, messages, prompt, temperature, seed, stop
      case maxTokens = "max_tokens"
      case topK = "top_k"
      case topP = "top_p"
    }

    let model: String?
    let messages: [Message]?
    let prompt: String?
    let maxTokens: Int?
    let temperature: Double?
    let topK: Int?
    let topP: Double?
    let seed: UInt64?
    let stop: [String]?

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: Key.self)
      func member<Value: Decodable>(_ key: Key, _ form: String) throws -> Value? {
        do {
          return try container.decodeIfPresent(Value.self, forKey: key)
        } catch {
          throw GenerationRequest.wrong(key.rawValue, "must be \(form)")
        }
      }
      model = try member(.model, "a text")
      messages = try member(.messages, "a list of objects with the texts `role` and `content`")
      prompt = try member(.prompt, "a text")
      maxTokens = try member(.maxTokens, "a whole number of at least 1")
      temperature = try member(.temperature, "a number from 0 to 100")
      topK = try member(.topK, "0 or a positive whole number")
      topP = try member(.topP, "a number above 0 and at most 1")
      seed = try member(.seed, "a whole number from 0 to 18446744073709551615")
      stop = try member(.stop, "a list of texts")
    }
  }

  /// Reads the JSON form and checks every member; `seed` is used when the request names none.
  package init(json: String, seed: @autoclosure () -> UInt64) throws(InferenceError) {
    let wire: Wire
    do {
      wire = try JSONDecoder().decode(Wire.self, from: Data(json.utf8))
    } catch let error as InferenceError {
      throw error
    } catch {
      throw InferenceError(.invalidRequest, "invalid_request", "The request is not a JSON object.")
    }
    switch (wire.messages, wire.prompt) {
    case (let messages?, nil):
      guard !messages.isEmpty else { throw Self.wrong("messages", "must hold at least one message") }
      prompt = .messages(messages.map { ChatMessage(role: $0.role, content: $0.content) })
    case (nil, let text?): prompt = .text(text)
    default: throw Self.wrong("messages", "or `prompt` must be given, and not both")
    }
    model = wire.model
    maxTokens = wire.maxTokens
    stops = wire.stop ?? []
    sampling = SamplingParameters(
      temperature: wire.temperature ?? 1, topK: wire.topK ?? 0, topP: wire.topP ?? 1, seed: wire.seed ?? seed())
    try check()
  }

  /// Refuses numbers out of range, naming the member.
  package func check() throws(InferenceError) {
    if let maxTokens, maxTokens < 1 { throw Self.wrong("max_tokens", "must be at least 1") }
    guard (0...100).contains(sampling.temperature) else { throw Self.wrong("temperature", "must be from 0 to 100") }
    guard (0...1_000_000).contains(sampling.topK) else { throw Self.wrong("top_k", "must be 0 or a positive number") }
    guard sampling.topP > 0, sampling.topP <= 1 else { throw Self.wrong("top_p", "must be above 0 and at most 1") }
    guard stops.count <= 16, stops.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 1024 }) else {
      throw Self.wrong("stop", "takes at most 16 strings of 1 to 1024 bytes")
    }
  }

  static func wrong(_ parameter: String, _ reason: String) -> InferenceError {
    InferenceError(.invalidRequest, "invalid_\(parameter)", "`\(parameter)` \(reason).", parameter: parameter)
  }
}
