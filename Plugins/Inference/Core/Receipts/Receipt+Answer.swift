extension Receipt {
  /// Signs what an engine did; `digests` adds what each leaf commits to.
  package init(
    _ record: AnswerRecord, digests: [[Digest]] = [], provider: [UInt8], sign: ([UInt8]) throws -> [UInt8]
  ) throws {
    guard let model = Hexadecimal.bytes(record.model.sha256), model.count == 32 else {
      throw InferenceError(.internal, "no_model_hash", "The hash of the model's file is not known: load it again.")
    }
    let leaves = stride(from: 0, to: record.leaves.count, by: Digest.size).compactMap {
      Digest(record.leaves[$0..<min($0 + Digest.size, record.leaves.count)])
    }
    let parameters = ReceiptParameters(record.request, maxTokens: record.request.maxTokens ?? record.output.count)
    try self.init(
      model: model,
      Opening(
        parameters: parameters, prompt: record.prompt, output: record.output, leaves: leaves, digests: digests),
      provider: provider, sign: sign)
  }
}
