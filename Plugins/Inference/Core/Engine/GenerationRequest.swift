/// What a caller asks of the engine.
///
/// `GenerationRequest(json:seed:)` reads it; `check` holds its limits, however it was made.
package struct GenerationRequest: Sendable {
  /// Where the model starts from.
  package enum Prompt: Equatable, Sendable {
    case messages([ChatMessage])
    case text(String)
  }

  /// A function the model may ask to call.
  package struct Tool: Equatable, Sendable {
    /// 1 to 64 of the characters A-Z a-z 0-9 _ -.
    package let name: String
    /// The schema of its arguments; nil for none.
    package let parameters: JSONValue?
    /// Whether the arguments must fit the schema; a schema beyond what the engine can hold is then refused.
    package let isStrict: Bool
    /// The whole element, as chat templates take it: `{"type":"function","function":{…}}`.
    package let element: JSONValue

    package init(name: String, parameters: JSONValue?, isStrict: Bool, element: JSONValue) {
      self.name = name
      self.parameters = parameters
      self.isStrict = isStrict
      self.element = element
    }
  }

  /// Whether tools are called.
  package enum ToolChoice: Equatable, Sendable {
    /// Tools are shown to nobody.
    case none
    /// The model decides.
    case auto
    /// At least one call of any tool.
    case required
    /// One call of this tool.
    case named(String)
  }

  /// What form the answer has.
  package enum ResponseFormat: Equatable, Sendable {
    case text
    /// Any JSON object.
    case jsonObject
    /// JSON that a schema describes; if it is not strict, keywords beyond what the engine can hold are left out.
    case jsonSchema(name: String, schema: JSONValue, isStrict: Bool)
  }

  package var model: String?
  package var prompt: Prompt
  package var tools: [Tool]
  package var toolChoice: ToolChoice
  package var responseFormat: ResponseFormat
  /// nil: as many as the context has room for.
  package var maxTokens: Int?
  package var sampling: SamplingParameters
  /// At most 16 texts of 1 to 256 bytes, at which the answer ends without showing them.
  package var stops: [String]
  /// How many alternatives to tell with each token's log-probability, 0...20; nil tells no log-probabilities.
  package var logprobs: Int?
  /// Whether the answer ends with a signed receipt.
  package var receipt: Bool
  /// Who asks, for fairness between callers: an opaque text of at most 64 bytes, never shown.
  package var caller: String?

  package init(
    model: String? = nil, prompt: Prompt, tools: [Tool] = [], toolChoice: ToolChoice = .auto,
    responseFormat: ResponseFormat = .text, maxTokens: Int? = nil, sampling: SamplingParameters = SamplingParameters(),
    stops: [String] = [], logprobs: Int? = nil, receipt: Bool = false, caller: String? = nil
  ) {
    self.model = model
    self.prompt = prompt
    self.tools = tools
    self.toolChoice = toolChoice
    self.responseFormat = responseFormat
    self.maxTokens = maxTokens
    self.sampling = sampling
    self.stops = stops
    self.logprobs = logprobs
    self.receipt = receipt
    self.caller = caller
  }

  /// The tools that the model is shown.
  package var offeredTools: [Tool] { toolChoice == .none ? [] : tools }
}

extension GenerationRequest {
  /// The limits of a request.
  enum Limit {
    static let stops = 16
    static let stopBytes = 256
    static let topK = 1_000_000
    static let biases = 1024
    static let tools = 128
    static let messages = 2048
    static let nameBytes = 64
    static let callerBytes = 64
  }

  /// Refuses what is out of range, naming the member.
  package func check() throws(InferenceError) {
    if let maxTokens, maxTokens < 1 { throw Self.wrong("max_tokens", "must be at least 1") }
    func holds(_ name: String, _ value: Double, _ range: ClosedRange<Double>) throws(InferenceError) {
      guard range.contains(value) else {
        throw Self.wrong(
          name, "must be a number from \(Self.plain(range.lowerBound)) to \(Self.plain(range.upperBound))")
      }
    }
    try holds("temperature", sampling.temperature, 0...2)
    try holds("top_p", sampling.topP, 0...1)
    try holds("min_p", sampling.minP, 0...1)
    try holds("typical_p", sampling.typicalP, 0...1)
    try holds("frequency_penalty", sampling.frequencyPenalty, -2...2)
    try holds("presence_penalty", sampling.presencePenalty, -2...2)
    guard (0.01...2).contains(sampling.repetitionPenalty) else {
      throw Self.wrong("repetition_penalty", "must be a number from 0.01 to 2")
    }
    guard (0...Limit.topK).contains(sampling.topK) else {
      throw Self.wrong("top_k", "must be a whole number from 0 (all) to \(Limit.topK)")
    }
    guard sampling.bias.count <= Limit.biases else {
      throw Self.wrong("logit_bias", "takes at most \(Limit.biases) tokens")
    }
    for bias in sampling.bias { try holds("logit_bias", bias.value, -100...100) }
    guard zip(sampling.bias, sampling.bias.dropFirst()).allSatisfy({ $0.token < $1.token }) else {
      throw Self.wrong("logit_bias", "names a token twice")
    }
    guard stops.count <= Limit.stops, stops.allSatisfy({ (1...Limit.stopBytes).contains($0.utf8.count) }) else {
      throw Self.wrong("stop", "takes at most \(Limit.stops) texts of 1 to \(Limit.stopBytes) bytes")
    }
    if let logprobs, !(0...20).contains(logprobs) {
      throw Self.wrong("top_logprobs", "must be a whole number from 0 to 20")
    }
    if let caller, caller.utf8.count > Limit.callerBytes {
      throw Self.wrong("caller", "takes at most \(Limit.callerBytes) bytes")
    }
    try checkTools()
  }

  private func checkTools() throws(InferenceError) {
    guard tools.count <= Limit.tools else { throw Self.wrong("tools", "takes at most \(Limit.tools) tools") }
    var names: Set<String> = []
    for (index, tool) in tools.enumerated() {
      guard Self.isName(tool.name) else {
        throw Self.wrong("tools[\(index)].function.name", "must have 1 to 64 of the characters A-Z a-z 0-9 _ -")
      }
      guard names.insert(tool.name).inserted else {
        throw Self.wrong("tools[\(index)].function.name", "is the name of two tools")
      }
    }
    if !tools.isEmpty, case .text = prompt { throw Self.wrong("tools", "need `messages`, not `prompt`") }
    switch toolChoice {
    case .none, .auto: break
    case .required:
      if tools.isEmpty { throw Self.wrong("tool_choice", "is \"required\", but `tools` names none") }
    case .named(let name):
      if !names.contains(name) { throw Self.wrong("tool_choice", "names \"\(name)\", which is not among `tools`") }
    }
    let calls = toolChoice != .none && toolChoice != .auto
    if calls, responseFormat != .text {
      throw Self.wrong("response_format", "must be \"text\" when `tool_choice` demands a call")
    }
    if case .jsonSchema(let name, _, _) = responseFormat, !Self.isName(name) {
      throw Self.wrong(
        "response_format.json_schema.name", "must have 1 to 64 of the characters A-Z a-z 0-9 _ -")
    }
  }

  private static func isName(_ text: String) -> Bool {
    (1...Limit.nameBytes).contains(text.utf8.count)
      && text.utf8.allSatisfy { byte in
        byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || (0x30...0x39).contains(byte)
          || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
      }
  }

  private static func plain(_ number: Double) -> String { String(Int(number)) }

  /// An error about a member, which its sentence names first; the code names the outermost one.
  static func wrong(_ parameter: String, _ reason: String) -> InferenceError {
    let outermost = parameter.prefix { $0 != "." && $0 != "[" }
    return InferenceError(
      .invalidRequest, "invalid_\(outermost)", "`\(parameter)` \(reason).", parameter: parameter)
  }
}
