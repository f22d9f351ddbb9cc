/// A request for texts as vectors, as the client sent it and checked.
package struct EmbeddingRequest: Equatable, Sendable {
  package var model: String
  package var inputs: [String]
  /// Whether vectors are written as base64 of little-endian binary32, as OpenAI's own client asks for.
  package var isBase64: Bool

  /// Reads the body of `POST /v1/embeddings`.
  package static func parse(_ body: [UInt8]) throws(Refusal) -> EmbeddingRequest {
    var fields = try Fields(body: body)
    let model = try fields.model()
    guard let input = fields.take("input") else { throw fields.missing("input") }
    let inputs = try AnswerRequest.texts(of: input, "input", maximum: Limits.inputs)
    if let index = inputs.firstIndex(of: "") {
      let name = input.stringValue == nil ? "input[\(index)]" : "input"
      throw Refusal(.invalid, "invalid_value", "Invalid '\(name)': the text is empty.", parameter: name)
    }
    let encoding = try fields.string("encoding_format") ?? "float"
    guard ["float", "base64"].contains(encoding) else {
      throw fields.unsupportedValue("encoding_format", encoding, "'float' and 'base64'")
    }
    try fields.refuse("dimensions", "the models served here have one width, so leave it out")
    try fields.ignoreLabels()
    try fields.finish()
    return EmbeddingRequest(model: model, inputs: inputs, isBase64: encoding == "base64")
  }
}

/// Vectors of texts, as the engine gave them.
package struct Embeddings: Equatable, Sendable {
  package var vectors: [[Float]]
  package var promptTokens: UInt64

  package init(vectors: [[Float]], promptTokens: UInt64) {
    self.vectors = vectors
    self.promptTokens = promptTokens
  }

  /// Reads the result of `inference.embed`; nil when it is none.
  package init?(_ json: JSONValue) {
    guard let list = json["embeddings"]?.arrayValue, let tokens = json["prompt_tokens"]?.unsignedValue else {
      return nil
    }
    vectors = []
    for element in list {
      guard let numbers = element.arrayValue else { return nil }
      var vector: [Float] = []
      for number in numbers {
        guard case .number(let text) = number, let value = Float(text) else { return nil }
        vector.append(value)
      }
      vectors.append(vector)
    }
    promptTokens = tokens
  }

  /// The answer of `/v1/embeddings`.
  func answer(_ request: EmbeddingRequest, model: String) -> JSONValue {
    let data = vectors.enumerated().map { index, vector -> JSONValue in
      let written: JSONValue =
        request.isBase64 ? .string(Base64.text(Self.bytes(of: vector))) : .array(vector.map { .number("\($0)") })
      return ["object": "embedding", "index": .integer(index), "embedding": written]
    }
    return [
      "object": "list", "data": .array(data), "model": .string(model),
      "usage": ["prompt_tokens": .integer(promptTokens), "total_tokens": .integer(promptTokens)],
    ]
  }

  private static func bytes(of vector: [Float]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(vector.count * 4)
    for value in vector { withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 } }
    return bytes
  }
}
