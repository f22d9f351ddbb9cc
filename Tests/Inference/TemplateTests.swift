import InferenceCore
import Testing

@Suite struct TemplateTests {
  private struct Row: Decodable {
    struct Message: Decodable {
      let role: String
      let content: String
    }
    let template: String
    let messages: [Message]
    let prompt: Bool
    let text: String
  }

  @Test func rendersAsJinjaDoes() throws {
    let rows = try Fixture.rows("templates.json", of: Row.self)
    #expect(rows.count >= 64)
    for row in rows {
      let template = try ChatTemplate(row.template, begin: "<s>", end: "</s>")
      let messages = row.messages.map { ChatMessage(role: $0.role, content: $0.content) }
      let text = try template.render(messages, addGenerationPrompt: row.prompt).string
      #expect(text == row.text, "\(row.template.debugDescription)")
    }
  }

  @Test func whatItDoesNotKnowIsNamed() {
    let error = #expect(throws: TemplateError.self) { try ChatTemplate("{% macro x() %}", begin: "", end: "") }
    #expect(error?.reason.contains("macro") == true)
    #expect(throws: TemplateError.self) { try ChatTemplate("{% if x %}", begin: "", end: "") }
    #expect(throws: TemplateError.self) { try ChatTemplate("{{ x", begin: "", end: "") }
    #expect(throws: TemplateError.self) { try ChatTemplate("{{ x | tojson }}", begin: "", end: "") }
    let deep = String(repeating: "(", count: 100_000)
    #expect(throws: TemplateError.self) { try ChatTemplate("{{ \(deep) }}", begin: "", end: "") }
  }

  @Test func raisedReasonsReachTheCaller() throws {
    let template = try ChatTemplate("{{ raise_exception('no system messages') }}", begin: "", end: "")
    let error = #expect(throws: TemplateError.self) { try template.render([]) }
    #expect(error?.reason == "no system messages")
  }

  @Test func workIsBounded() throws {
    let loop =
      "{% for a in messages %}{% for b in messages %}{% for c in messages %}x{% endfor %}{% endfor %}{% endfor %}"
    let template = try ChatTemplate(loop, begin: "", end: "")
    let messages = (0..<200).map { ChatMessage(role: "user", content: "\($0)") }
    #expect(throws: TemplateError.self) { try template.render(messages) }
  }
}
