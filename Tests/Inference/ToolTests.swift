import Foundation
import InferenceCore
import Testing

/// Calls of tools: found in what models write, and demanded of models that would not write them.
struct ToolTests {
  /// What an answer comes to: its text, and its calls as `name arguments`.
  private static func read(_ form: ToolCallForm, _ pieces: [String]) -> (text: String, calls: [String]) {
    var parser = ToolCallParser(form)
    var (text, calls) = ("", [String]())
    for piece in pieces.flatMap({ parser.add($0) }) + parser.finish() {
      switch piece {
      case .text(let more): text += more
      case .call(let call): calls.append("\(call.name) \(call.arguments)")
      }
    }
    return (text, calls)
  }

  struct Case: Sendable {
    let form: ToolCallForm
    let answer: String
    let text: String
    let calls: [String]
  }

  static let cases: [Case] = [
    Case(form: .tagged, answer: "Hello <b>you</b>!\n", text: "Hello <b>you</b>!", calls: []),
    Case(
      form: .tagged, answer: "\n<tool_call>\n{\"name\": \"add\", \"arguments\": {\"a\": [1, 2]}}\n</tool_call>\n",
      text: "",
      calls: [#"add {"a":[1,2]}"#]),
    Case(
      form: .tagged,
      answer:
        "I look. <tool_call>{\"name\":\"a\",\"arguments\":{}}</tool_call> \n<tool_call>{\"name\":\"b\"}</tool_call>",
      text: "I look.", calls: ["a {}", "b {}"]),
    Case(
      form: .tagged, answer: "<tool_call>{\"name\":\"a\",\"arguments\":{\"x\":1}}", text: "", calls: [#"a {"x":1}"#]),
    Case(
      form: .tagged, answer: "a <tool_call>no JSON</tool_call> b", text: "a <tool_call>no JSON</tool_call> b", calls: []
    ),
    Case(form: .tagged, answer: "1 <tool_ca", text: "1 <tool_ca", calls: []),
    Case(form: .tagged, answer: "<tool_call><tool_call>{}", text: "<tool_call><tool_call>{}", calls: []),
    Case(form: .tagged, answer: " \n", text: " \n", calls: []),
    Case(form: .bare, answer: #"{"name": "add", "parameters": {"a": "1"}}"#, text: "", calls: [#"add {"a":"1"}"#]),
    Case(
      form: .bare, answer: #"<|python_tag|>{"name":"a","parameters":{}}; {"name":"b","parameters":{}}"#, text: "",
      calls: ["a {}", "b {}"]),
    Case(form: .bare, answer: #"{"city": "Ulm"}"#, text: #"{"city": "Ulm"}"#, calls: []),
    Case(form: .bare, answer: "Ulm is {a} city", text: "Ulm is {a} city", calls: []),
    Case(
      form: .listed, answer: #"[TOOL_CALLS][{"name":"a","arguments":"{\"x\":1}"},{"name":"b","arguments":{}}]"#,
      text: "",
      calls: [#"a {"x":1}"#, "b {}"]),
    Case(form: .listed, answer: "[1, 2] are numbers", text: "[1, 2] are numbers", calls: []),
  ]

  @Test(arguments: cases) func callsAreFoundHoweverTheTextComes(_ example: Case) {
    let scalars = Array(example.answer)
    var dice = Dice(seed: 3)
    for round in 0..<60 {
      var pieces: [String] = []
      var rest = scalars[...]
      while !rest.isEmpty {
        let count = round == 0 ? rest.count : round == 1 ? 1 : Int.random(in: 1...9, using: &dice)
        pieces.append(String(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      let found = Self.read(example.form, pieces)
      #expect(found.text == example.text && found.calls == example.calls, "\(example.answer), cut into \(pieces)")
    }
  }

  @Test func aCallWithoutEndIsTextAndBounded() {
    let long = "<tool_call>" + String(repeating: "x", count: 200_000)
    let found = Self.read(
      .tagged, stride(from: 0, to: 200_011, by: 1000).map { String(long.dropFirst($0).prefix(1000)) })
    #expect(found.calls == [] && found.text == long)
  }

  private static let tools = #"""
    "tools":[{"type":"function","function":{"name":"add","parameters":{"type":"object","properties":
    {"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"],"additionalProperties":false}}},
    {"type":"function","function":{"name":"now"}}]
    """#

  private static func events(_ engine: InferenceEngine, _ choice: String, seed: Int) throws -> [GenerationEvent] {
    var events: [GenerationEvent] = []
    let request = try GenerationRequest(
      json: #"{"messages":[{"role":"user","content":"2+3"}],"max_tokens":300,"temperature":1.5,"seed":\#(seed),"#
        + tools + #","tool_choice":\#(choice)}"#, seed: 1)
    try engine.generate(request) { events.append($0) }
    return events
  }

  @Test func aDemandedCallComesFromAnyModel() throws {
    let file = try TemporaryFile(TinyModel(seed: 31).bytes())
    defer { withExtendedLifetime(file) {} }
    let engine = try InferenceEngine([InferenceEngine.Source(path: file.path, id: "m")])
    defer { engine.close() }
    var names: Set<String> = []
    for seed in 0..<24 {
      let isNamed = seed % 2 == 0
      let choice = isNamed ? #"{"type":"function","function":{"name":"add"}}"# : "\"required\""
      let events = try Self.events(engine, choice, seed: seed)
      guard case .end(let finish, _, _, _, _)? = events.last, finish != .length else { continue }
      #expect(finish == .toolCalls)
      let calls = events.compactMap { event -> (id: String, name: String, arguments: String)? in
        if case .toolCall(_, let id, let name, let arguments) = event { (id, name, arguments) } else { nil }
      }
      #expect(calls.count == 1 && !events.contains { if case .text = $0 { true } else { false } })
      let call = try #require(calls.first)
      names.insert(call.name)
      #expect(call.id.hasPrefix("call_") && call.id.utf8.count == 29)
      let arguments = try JSONParser.parse(call.arguments)
      if call.name == "add" {
        #expect(arguments["a"]?.integer(Int.self) != nil && arguments["b"]?.integer(Int.self) != nil)
      } else {
        #expect(!isNamed && arguments == .object([]))
      }
      let again = try Self.events(engine, choice, seed: seed)
      #expect(again.contains { if case .toolCall(_, call.id, _, call.arguments) = $0 { true } else { false } })
    }
    #expect(names == ["add", "now"])
  }

  @Test func toolsReachThePromptAndNoneDoesNot() throws {
    let file = try TemporaryFile(TinyModel(seed: 32).bytes())
    defer { withExtendedLifetime(file) {} }
    let engine = try InferenceEngine([InferenceEngine.Source(path: file.path, id: "m")])
    defer { engine.close() }
    func count(_ more: String) throws -> Int {
      try engine.count(
        try GenerationRequest(json: #"{"messages":[{"role":"user","content":"hi"}]\#(more)}"#, seed: 1))
    }
    let plain = try count("")
    #expect(try count("," + Self.tools) > plain + 100)
    #expect(try count("," + Self.tools + #","tool_choice":"none""#) == plain)
  }
}
