/// The model's own chat template: the part of Jinja that such templates use, with bounded work.
package struct ChatTemplate: Sendable {
  private let statements: [TemplateStatement]
  private let begin: String
  private let end: String
  /// How the model asks for calls of tools.
  package let toolForm: ToolCallForm
  /// Whether the template shows tools itself.
  package let showsTools: Bool

  /// Reads a template; `begin` and `end` are the texts of `bos_token` and `eos_token`.
  package init(_ source: String, begin: String, end: String) throws(TemplateError) {
    statements = try TemplateParser.parse(source)
    self.begin = begin
    self.end = end
    showsTools = source.contains("tools")
    toolForm = ToolCallForm(template: source)
  }

  /// The prompt of a conversation, with the tools that are offered as `{"type":"function","function":{…}}`.
  ///
  /// Only what the template itself wrote is marked as authored.
  package func render(
    _ messages: [ChatMessage], tools: [JSONValue] = [], addGenerationPrompt: Bool = true
  ) throws(TemplateError) -> MarkedText {
    let usesTools = !tools.isEmpty || messages.contains { !$0.toolCalls.isEmpty || $0.role == "tool" }
    let plain = usesTools && !showsTools ? ToolCallForm.plain(messages, tools: tools) : messages
    let list = plain.map(Self.value)
    var rendering = TemplateRendering(names: [
      "messages": .list(list), "add_generation_prompt": .bool(addGenerationPrompt),
      "tools": tools.isEmpty ? .none : .list(tools.map { TemplateValue($0) }), "documents": .none,
      "bos_token": .text(begin), "eos_token": .text(end),
    ])
    try rendering.run(statements)
    return rendering.output
  }

  private static func value(_ message: ChatMessage) -> TemplateValue {
    func text(_ text: String) -> TemplateValue { .text(MarkedText(text, authored: false)) }
    var map = TemplateMap(["role": text(message.role), "content": text(message.content)])
    func set(_ name: String, _ value: TemplateValue) { map.set(MarkedText(name, authored: true), to: value) }
    if let name = message.name { set("name", text(name)) }
    if let id = message.toolCallID { set("tool_call_id", text(id)) }
    if !message.toolCalls.isEmpty {
      let calls = message.toolCalls.map { call -> TemplateValue in
        let arguments = (try? JSONParser.parse(call.arguments)).map { TemplateValue($0) } ?? text(call.arguments)
        var map = TemplateMap([
          "type": .text("function"), "function": .map(TemplateMap(["name": text(call.name), "arguments": arguments])),
        ])
        if let id = call.id { map.set(MarkedText("id", authored: true), to: text(id)) }
        return .map(map)
      }
      set("tool_calls", .list(calls))
    }
    return .map(map)
  }
}
