/// How a model writes that it wants tools called.
package enum ToolCallForm: Equatable, Sendable {
  /// `<tool_call>{"name":…,"arguments":{…}}</tool_call>`, as often as there are calls: Hermes, Qwen, and every model
  /// whose template knows of no tools.
  case tagged
  /// `{"name":…,"parameters":{…}}` as the whole answer, perhaps behind `<|python_tag|>`: Llama 3.
  case bare
  /// `[TOOL_CALLS] [{"name":…,"arguments":{…}}]` as the whole answer: Mistral.
  case listed

  /// The form that a template's own text speaks of.
  init(template: String) {
    if template.contains("<tool_call>") {
      self = .tagged
    } else if template.contains("[TOOL_CALLS]") {
      self = .listed
    } else if template.contains("tools"), template.contains("\"parameters\"") || template.contains("<|python_tag|>") {
      self = .bare
    } else {
      self = .tagged
    }
  }

  static let (opening, closing) = ("<tool_call>", "</tool_call>")

  /// The control token before calls, by its name; it adds no bytes to an answer's text, but begins its calls.
  var marker: String? {
    switch self {
    case .tagged: nil
    case .bare: "<|python_tag|>"
    case .listed: "[TOOL_CALLS]"
    }
  }

  /// The member with the arguments.
  var argumentsName: String { self == .bare ? "parameters" : "arguments" }

  /// The bytes before and after the object of a call, when a call is demanded.
  var frame: (before: String, after: String) {
    switch self {
    case .tagged: (Self.opening + "\n", "\n" + Self.closing)
    case .bare: ("", "")
    case .listed: ("[", "]")
    }
  }
}

extension ToolCallForm {
  /// A conversation for a template that knows of no tools: what they are stands in the system's message, calls and
  /// their answers are texts.
  static func plain(_ messages: [ChatMessage], tools: [JSONValue]) -> [ChatMessage] {
    var plain = messages.map { message -> ChatMessage in
      switch message.role {
      case "tool":
        return ChatMessage(role: "user", content: "<tool_response>\n\(message.content)\n</tool_response>")
      case "assistant" where !message.toolCalls.isEmpty:
        let calls = message.toolCalls.map { call -> String in
          var name: [UInt8] = []
          JSONValue.quote(call.name, into: &name)
          let object = "{\"name\": \(String(decoding: name, as: UTF8.self)), \"arguments\": \(call.arguments)}"
          return "\(opening)\n\(object)\n\(closing)"
        }
        return ChatMessage(
          role: "assistant", content: ([message.content] + calls).filter { !$0.isEmpty }.joined(separator: "\n"))
      default: return message
      }
    }
    guard !tools.isEmpty else { return plain }
    let text = introduction(tools)
    if let first = plain.first, first.role == "system" {
      plain[0] = ChatMessage(role: "system", content: first.content.isEmpty ? text : first.content + "\n\n" + text)
    } else {
      plain.insert(ChatMessage(role: "system", content: text), at: 0)
    }
    return plain
  }

  /// What a model is told of the tools that it may ask for.
  private static func introduction(_ tools: [JSONValue]) -> String {
    """
    You can call functions. Each is described by one line of JSON between <tools> and </tools>:
    <tools>
    \(tools.map(\.text).joined(separator: "\n"))
    </tools>
    To call a function, write its name and arguments as one JSON object between \(opening) and \(closing):
    \(opening)
    {"name": "the function's name", "arguments": {"an argument": "its value"}}
    \(closing)
    The results come between <tool_response> and </tool_response>.
    """
  }
}
