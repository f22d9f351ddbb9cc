extension Model {
  /// The tokens the model starts from: at least one.
  package func promptTokens(of request: GenerationRequest) throws(InferenceError) -> [Int32] {
    var tokens = tokenizer.begin.map { [$0] } ?? []
    switch request.prompt {
    case .text(let text): tokens += tokenizer.encode(text)
    case .messages(let messages):
      do throws(TemplateError) {
        tokens += tokenizer.encode(try template.get().render(messages, tools: request.offeredTools.map(\.element)))
      } catch {
        throw InferenceError(
          .invalidRequest, "template_failed",
          "The model's chat template does not take these messages (\(error.reason)): use `prompt`, or other roles.",
          parameter: "messages")
      }
    }
    guard !tokens.isEmpty else { throw GenerationRequest.wrong("prompt", "must not be empty") }
    return tokens
  }
}
