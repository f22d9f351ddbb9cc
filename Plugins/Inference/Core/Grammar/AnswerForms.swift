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
  ///
  /// `calls` is how the model writes calls, which `tool_choice` may demand.
  func reader(
    _ request: GenerationRequest, _ tokenizer: Tokenizer, calls: ToolCallForm
  ) throws(InferenceError) -> FormReader? {
    let demanded = Self.demanded(request)
    if !demanded.isEmpty { return try reader(ofCalls: demanded, request, tokenizer, calls) }
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

  /// The tools of which one has to be called.
  private static func demanded(_ request: GenerationRequest) -> [GenerationRequest.Tool] {
    switch request.toolChoice {
    case .none, .auto: []
    case .required: request.tools
    case .named(let name): request.tools.filter { $0.name == name }
    }
  }

  /// Reads an answer that is one call of any of some tools.
  private func reader(
    ofCalls tools: [GenerationRequest.Tool], _ request: GenerationRequest, _ tokenizer: Tokenizer, _ form: ToolCallForm
  ) throws(InferenceError) -> FormReader {
    var shared: [JSONValue.Member] = []
    let choices = tools.map { tool -> JSONValue in
      let parameters =
        tool.parameters ?? .object([.init("type", "object"), .init("additionalProperties", .bool(false))])
      for member in parameters.object ?? [] where member.name == "$defs" || member.name == "definitions" {
        if !shared.contains(where: { $0.name == member.name }) { shared.append(member) }
      }
      let members: [JSONValue.Member] = [
        .init("name", .object([.init("const", .string(tool.name))])), .init(form.argumentsName, parameters),
      ]
      return .object([
        .init("type", "object"), .init("properties", .object(members)),
        .init("required", .array(["name", .string(form.argumentsName)])), .init("additionalProperties", .bool(false)),
      ])
    }
    let schema = JSONValue.object([.init("anyOf", .array(choices))] + shared)
    let isStrict = tools.contains(where: \.isStrict)
    let (before, after) = form.frame
    do throws(GrammarFault) {
      guard schema.text.utf8.count <= 4 * Self.mostBytes else {
        throw GrammarFault("have more than \(4 * Self.mostBytes) bytes")
      }
      let key = "calls \(form) \(isStrict) " + schema.text
      return try FormReader(
        try masks(key, tokenizer) { () throws(GrammarFault) in
          try SchemaCompiler.grammar(schema, isStrict: isStrict) { .sequence([.text(before), $0, .text(after)]) }
        })
    } catch {
      throw GenerationRequest.wrong(
        "tools", "hold a schema that \(error.reason) (at \(error.path.isEmpty ? "its top" : error.path))")
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
