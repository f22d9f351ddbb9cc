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
      "sha256": .string(model.sha256), "context_length": .integer(model.contextLength),
      "quantization": .string(model.quantization), "pricing": price.json,
      "parameters_hash": .string(parameters.hash),
      "parameters": [
        "temperature": .number("\(parameters.temperature)"), "max_tokens": .integer(parameters.maximumTokens),
        "system_prompt": .string(parameters.systemPrompt),
      ],
    ]
  }

  /// What `system_fingerprint` says: it changes with the model's bytes and with the parameters in force.
  static func fingerprint(_ model: Model, _ parameters: Parameters) -> String {
    "fp_" + Hex.string(SHA256.hash(Array("\(model.sha256)|\(parameters.hash)".utf8)).prefix(8))
  }
}
