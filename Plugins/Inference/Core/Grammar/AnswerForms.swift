import Synchronization

/// The forms that a model's answers were asked for: what it took to make them is kept for the next request.
final class AnswerForms: Sendable {
  private struct Contents {
    var table: TokenTable?
    /// The most recently used last.
    var masks: [(text: String, masks: TokenMasks)] = []
  }

  private static let mostKept = 16
  /// Bytes of a schema.
  private static let mostBytes = 64 << 10

  private let contents = Mutex(Contents())

  /// Reads an answer's tokens against the form that a request asks for; nil when any text will do.
  func reader(_ request: GenerationRequest, _ tokenizer: Tokenizer) throws(InferenceError) -> FormReader? {
    do throws(GrammarFault) {
      switch request.responseFormat {
      case .text: return nil
      case .jsonObject:
        return try FormReader(
          try masks("json_object", tokenizer) { () throws(GrammarFault) in
            try SchemaCompiler.anyObject()
          })
      case .jsonSchema(_, let schema, let isStrict):
        let text = (isStrict ? "strict " : "") + schema.text
        guard text.utf8.count <= Self.mostBytes else {
          throw GrammarFault("has more than \(Self.mostBytes) bytes")
        }
        return try FormReader(
          try masks(text, tokenizer) { () throws(GrammarFault) in
            try SchemaCompiler.grammar(schema, isStrict: isStrict)
          })
      }
    } catch {
      throw Self.refusal(error)
    }
  }

  /// What is told to the caller of a form that cannot be held.
  static func refusal(_ fault: GrammarFault) -> InferenceError {
    GenerationRequest.wrong("response_format.json_schema.schema\(fault.path)", fault.reason)
  }

  private func masks(
    _ text: String, _ tokenizer: Tokenizer, _ make: () throws(GrammarFault) -> Grammar
  ) throws(GrammarFault) -> TokenMasks {
    let known = contents.withLock { contents -> TokenMasks? in
      guard let index = contents.masks.firstIndex(where: { $0.text == text }) else { return nil }
      let entry = contents.masks.remove(at: index)
      contents.masks.append(entry)
      return entry.masks
    }
    if let known { return known }
    let grammar = try make()
    return contents.withLock { contents in
      let table = contents.table ?? TokenTable(tokenizer)
      contents.table = table
      let masks = TokenMasks(grammar, table)
      contents.masks.append((text, masks))
      if contents.masks.count > Self.mostKept { contents.masks.removeFirst() }
      return masks
    }
  }
}
