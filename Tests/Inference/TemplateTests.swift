import Foundation
import InferenceCore
import Testing

@Suite struct TemplateTests {
  /// What `Scripts/reference/make_templates.py` wrote: the text that jinja2 makes, or that it makes none.
  private struct Expected {
    let templates: [String]
    let conversations: [[ChatMessage]]
    let tools: [JSONValue]
    let rows: [(template: Int, conversation: Int, prompt: Bool, tools: Bool, text: String?)]

    init() throws {
      let file = try JSONParser.parse(try String(contentsOf: Fixture.url("templates.json"), encoding: .utf8))
      templates = file["templates"]?.array?.compactMap(\.string) ?? []
      tools = file["tools"]?.array ?? []
      conversations = (file["conversations"]?.array ?? []).map { ($0.array ?? []).map(Self.message) }
      rows = (file["rows"]?.array ?? []).compactMap { row in
        guard let row = row.array, row.count == 5, let template = row[0].integer(Int.self),
          let conversation = row[1].integer(Int.self)
        else { return nil }
        return (template, conversation, row[2] == .bool(true), row[3] == .bool(true), row[4].string)
      }
    }

    private static func message(_ value: JSONValue) -> ChatMessage {
      let calls = (value["tool_calls"]?.array ?? []).map { call in
        ToolCall(
          id: call["id"]?.string, name: call["function"]?["name"]?.string ?? "",
          arguments: call["function"]?["arguments"]?.text ?? "{}")
      }
      return ChatMessage(
        role: value["role"]?.string ?? "", content: value["content"]?.string ?? "", toolCalls: calls,
        toolCallID: value["tool_call_id"]?.string, name: value["name"]?.string)
    }
  }

  @Test func rendersAsJinjaDoes() throws {
    let expected = try Expected()
    #expect(expected.rows.count >= 800 && expected.templates.count >= 45)
    for row in expected.rows {
      let source = expected.templates[row.template]
      // A template that knows of no tools would get them in another way here.
      if row.tools, !source.contains("tools") { continue }
      let template = try ChatTemplate(source, begin: "<s>", end: "</s>")
      let conversation = expected.conversations[row.conversation]
      if !source.contains("tools"), conversation.contains(where: { !$0.toolCalls.isEmpty || $0.role == "tool" }) {
        continue
      }
      let text = try? template.render(
        conversation, tools: row.tools ? expected.tools : [], addGenerationPrompt: row.prompt
      ).string
      #expect(text == row.text, "\(source.debugDescription), conversation \(row.conversation)")
    }
  }

  @Test func whatItDoesNotKnowIsNamed() {
    let error = #expect(throws: TemplateError.self) { try ChatTemplate("{% include 'x' %}", begin: "", end: "") }
    #expect(error?.reason.contains("include") == true)
    for source in [
      "{% if x %}", "{{ x", "{{ x | frobnicate }}", "{{ x is odder }}", "{% endif %}", "{{ a b }}", "{{ 'x }}",
    ] {
      #expect(throws: TemplateError.self, "\(source)") { try ChatTemplate(source, begin: "", end: "") }
    }
    for deep in ["(", "[", "not ", "-", "{% if 1 %}", "{{ x[", "a if ", "{'a':", "f("] {
      let source = "{{ " + String(repeating: deep, count: 100_000) + " }}"
      #expect(throws: TemplateError.self) { try ChatTemplate(source, begin: "", end: "") }
    }
  }

  @Test func raisedReasonsReachTheCaller() throws {
    let template = try ChatTemplate("{{ raise_exception('no system messages') }}", begin: "", end: "")
    let error = #expect(throws: TemplateError.self) { try template.render([]) }
    #expect(error?.reason == "no system messages")
  }

  @Test(arguments: [
    "{% for a in messages %}{% for b in messages %}{% for c in messages %}x{% endfor %}{% endfor %}{% endfor %}",
    "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "{% set x = 'aaaaaaaaaaaaaaaa' %}{% for a in range(99) %}"
      + "{% for b in range(99) %}{{ x * 65536 }}{% endfor %}{% endfor %}", "{{ range(99999999999) }}",
    "{% set ns = namespace(x='ab') %}{% for a in range(64) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for a in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{{ 9223372036854775807 + 1 }}", "{{ 'a' * 99999999999 }}", "{{ 2 ** 99 }}",
  ]) func workIsBounded(source: String) throws {
    let template = try ChatTemplate(source, begin: "", end: "")
    let messages = (0..<200).map { ChatMessage(role: "user", content: "\($0)") }
    #expect(throws: TemplateError.self) { try template.render(messages) }
  }

  /// What a caller wrote forms no control tokens, whatever the template does with it.
  @Test func nothingOfACallerBecomesAuthored() throws {
    let source =
      "{% for m in messages %}{{ (m.content | trim | replace('a', 'b') | upper)[0:40] ~ m.content.split(' ') }}"
      + "{{ m | tojson }}{{ m.content | indent }}{{ [m.content] }}{% endfor %}"
    let text = try ChatTemplate(source, begin: "", end: "").render([ChatMessage(role: "user", content: "<|im_end|> a")])
    for (index, byte) in text.bytes.enumerated() where byte == UInt8(ascii: "|") { #expect(!text.authored[index]) }
  }

  @Test func aTemplateWithoutToolsGetsThemAsText() throws {
    let template = try ChatTemplate(
      "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}", begin: "", end: "")
    let tool = try JSONParser.parse(#"{"type":"function","function":{"name":"add","parameters":{"type":"object"}}}"#)
    let text = try template.render(
      [
        ChatMessage(role: "user", content: "2+3?"),
        ChatMessage(
          role: "assistant", content: "", toolCalls: [ToolCall(id: "c", name: "add", arguments: #"{"a":2}"#)]),
        ChatMessage(role: "tool", content: "5", toolCallID: "c"),
      ], tools: [tool]
    ).string
    #expect(text.hasPrefix("[system]") && text.contains(tool.text))
    #expect(text.contains("[assistant]<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\":2}}\n</tool_call>"))
    #expect(text.hasSuffix("[user]<tool_response>\n5\n</tool_response>"))
  }

  @Test func mutatedTemplatesNeverTrap() throws {
    let sources = try Expected().templates
    let seed = UInt64.random(in: 0...UInt64.max)
    var dice = Dice(seed: seed)
    let pieces = [
      "{{", "}}", "{%", "%}", "{#", "#}", "-%}", "[", "]", "(", ")", "|", "'", "\"", "loop", "::", "-1", "**", "\\",
    ]
    let messages = [ChatMessage(role: "user", content: "é<|x|>"), ChatMessage(role: "assistant", content: "")]
    var rendered = 0
    for _ in 0..<100_000 {
      var text = Array((sources.randomElement(using: &dice) ?? "").unicodeScalars.prefix(400))
      for _ in 0..<Int.random(in: 1...3, using: &dice) {
        let place = Int.random(in: 0...text.count, using: &dice)
        let end = min(text.count, place + Int.random(in: 0...5, using: &dice))
        text.replaceSubrange(place..<end, with: (pieces.randomElement(using: &dice) ?? "").unicodeScalars)
      }
      var source = String.UnicodeScalarView()
      source.append(contentsOf: text)
      guard let template = try? ChatTemplate(String(source), begin: "<s>", end: "</s>") else { continue }
      if (try? template.render(messages)) != nil { rendered += 1 }
    }
    #expect(rendered > 1000, "seed \(seed)")
  }
}
