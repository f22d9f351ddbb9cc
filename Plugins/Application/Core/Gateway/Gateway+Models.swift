extension Gateway {
  func modelList(_ surroundings: some Surroundings) throws -> JSONValue {
    let parameters = try surroundings.parameters()
    let price = try surroundings.price()
    return ["object": "list", "data": .array(try surroundings.models().map { Self.json($0, parameters, price) })]
  }

  func model(_ id: String, _ surroundings: some Surroundings) throws -> JSONValue {
    let model = try Self.find(id, try surroundings.models())
    return Self.json(model, try surroundings.parameters(), try surroundings.price())
  }

  static func find(_ id: String, _ models: [Model]) throws(Refusal) -> Model {
    guard let model = models.first(where: { $0.id == id }) else {
      let offered = models.prefix(8).map { "`\($0.id)`" }.joined(separator: ", ")
      throw Refusal(
        .notFound, "model_not_found",
        "The model `\(id.prefix(128))` does not exist or you do not have access to it. "
          + (offered.isEmpty ? "No model is loaded." : "This node serves \(offered)."))
    }
    return model
  }

  /// A model as OpenAI lists it, with what a buyer needs besides: hash, context, price and parameters in force.
  private static func json(_ model: Model, _ parameters: Parameters, _ price: Price) -> JSONValue {
    [
      "id": .string(model.id), "object": "model", "created": .integer(model.created), "owned_by": "symbolon",
      "sha256": .string(model.sha256), "system_fingerprint": fingerprint(model),
      "context_length": .integer(model.contextLength), "max_output_length": .integer(model.contextLength),
      "supported_parameters": .array(supportedParameters),
      "quantization": .string(model.quantization), "pricing": price.json,
      "parameters_hash": .string(parameters.hash),
      "parameters": [
        "temperature": .number("\(parameters.temperature)"), "max_tokens": .integer(parameters.maximumTokens),
        "system_prompt": .string(parameters.systemPrompt),
      ],
    ]
  }

  /// What `system_fingerprint` says: the class of nodes whose answers to the same request have the same bits.
  static func fingerprint(_ model: Model) -> JSONValue {
    model.fingerprint.isEmpty ? .null : .string(model.fingerprint)
  }

  /// What a request to `/v1/chat/completions` may say, as catalogues of models list it.
  private static let supportedParameters: [JSONValue] = [
    "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "min_p", "n",
    "presence_penalty", "receipt", "repetition_penalty", "response_format", "seed", "stop", "stream", "temperature",
    "tool_choice", "tools", "top_k", "top_logprobs", "top_p", "typical_p",
  ]
}
