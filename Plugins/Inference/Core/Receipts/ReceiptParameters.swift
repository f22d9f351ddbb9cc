/// How the tokens of an answer were chosen: everything of a request but the model, the prompt and who asked.
package struct ReceiptParameters: Equatable, Sendable {
  /// With the seed.
  package var sampling: SamplingParameters
  /// The most tokens that the answer could have.
  package var maxTokens: Int
  package var stops: [String]
  /// The form of the answer, the tools and the choice among them, as the request had them; nil for none.
  package var responseFormat: JSONValue?
  package var tools: JSONValue?
  package var toolChoice: JSONValue?

  package init(
    sampling: SamplingParameters, maxTokens: Int, stops: [String] = [], responseFormat: JSONValue? = nil,
    tools: JSONValue? = nil, toolChoice: JSONValue? = nil
  ) {
    self.sampling = sampling
    self.maxTokens = maxTokens
    self.stops = stops
    self.responseFormat = responseFormat
    self.tools = tools
    self.toolChoice = toolChoice
  }

  /// Those of a request whose answer may have `maxTokens` tokens.
  package init(_ request: GenerationRequest, maxTokens: Int) {
    self.init(sampling: request.sampling, maxTokens: maxTokens, stops: request.stops)
    if !request.tools.isEmpty {
      tools = .array(request.tools.map(\.element))
      switch request.toolChoice {
      case .none: toolChoice = .string("none")
      case .auto: break
      case .required: toolChoice = .string("required")
      case .named(let name):
        toolChoice = .object([
          .init("type", .string("function")), .init("function", .object([.init("name", .string(name))])),
        ])
      }
    }
    switch request.responseFormat {
    case .text: break
    case .jsonObject: responseFormat = .object([.init("type", .string("json_object"))])
    case .jsonSchema(let name, let schema, let isStrict):
      responseFormat = .object([
        .init("type", .string("json_schema")),
        .init(
          "json_schema",
          .object([.init("name", .string(name)), .init("schema", schema), .init("strict", .bool(isStrict))])),
      ])
    }
  }

  /// H of the parameters without the seed, which the statement has itself.
  ///
  /// "symbolon.parameters/1", then in order: binary64 temperature, u32 top_k, binary64 top_p, min_p, typical_p,
  /// repetition, frequency and presence penalty; u32 number of biases, each u32 token and binary64; u32 max_tokens; u32
  /// number of stops, each a slice; the JSON texts of response_format, tools and tool_choice as slices, empty for none.
  package var hash: Digest {
    var message = Array("symbolon.parameters/1".utf8)
    func append(_ value: Double) { message.append(number: value.bitPattern) }
    append(sampling.temperature)
    message.append(number: UInt32(clamping: sampling.topK))
    for value in [
      sampling.topP, sampling.minP, sampling.typicalP, sampling.repetitionPenalty, sampling.frequencyPenalty,
      sampling.presencePenalty,
    ] {
      append(value)
    }
    message.append(number: UInt32(sampling.bias.count))
    for bias in sampling.bias {
      message.append(number: UInt32(bitPattern: bias.token))
      append(bias.value)
    }
    message.append(number: UInt32(clamping: maxTokens))
    message.append(number: UInt32(stops.count))
    for stop in stops { message.append(slice: stop.utf8) }
    for value in [responseFormat, tools, toolChoice] { message.append(slice: (value?.text ?? "").utf8) }
    return Digest(of: message)
  }

  /// The members of a request that has them; numbers so that they come back the same.
  package var json: JSONValue {
    var members: [JSONValue.Member] = []
    func add(_ name: String, _ value: JSONValue) { members.append(.init(name, value)) }
    func number(_ value: Double) -> JSONValue { .number("\(value)") }
    add("max_tokens", .number("\(maxTokens)"))
    add("temperature", number(sampling.temperature))
    add("top_k", .number("\(sampling.topK)"))
    add("top_p", number(sampling.topP))
    add("min_p", number(sampling.minP))
    add("typical_p", number(sampling.typicalP))
    add("repetition_penalty", number(sampling.repetitionPenalty))
    add("frequency_penalty", number(sampling.frequencyPenalty))
    add("presence_penalty", number(sampling.presencePenalty))
    if !sampling.bias.isEmpty {
      add("logit_bias", .object(sampling.bias.map { .init("\($0.token)", number($0.value)) }))
    }
    if !stops.isEmpty { add("stop", .array(stops.map { .string($0) })) }
    if let responseFormat { add("response_format", responseFormat) }
    if let tools { add("tools", tools) }
    if let toolChoice { add("tool_choice", toolChoice) }
    return .object(members)
  }

  /// The request that has these parameters and any prompt: what chooses the same tokens from the same logits.
  package func request() throws(InferenceError) -> GenerationRequest {
    let message = JSONValue.object([.init("role", .string("user")), .init("content", .string("-"))])
    let members = (json.object ?? []) + [.init("messages", .array([message]))]
    return try GenerationRequest(json: JSONValue.object(members).text, seed: sampling.seed)
  }

  /// Reads what `json` wrote.
  package init(json: JSONValue, seed: UInt64) throws(InferenceError) {
    guard let object = json.object, object.count <= 64, json["max_tokens"] != nil else {
      throw InferenceError(.invalidRequest, "bad_receipt", "The receipt's `parameters` are no parameters.")
    }
    let message = JSONValue.object([.init("role", .string("user")), .init("content", .string("-"))])
    let members = object + [.init("messages", .array([message]))]
    let request = try GenerationRequest(json: JSONValue.object(members).text, seed: seed)
    var parameters = ReceiptParameters(request, maxTokens: request.maxTokens ?? 0)
    parameters.sampling.seed = seed
    // As they were written: what is signed is their text.
    parameters.tools = json["tools"]
    parameters.toolChoice = json["tool_choice"]
    parameters.responseFormat = json["response_format"]
    self = parameters
  }
}
