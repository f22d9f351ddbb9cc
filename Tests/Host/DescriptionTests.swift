import Host
import Testing

/// A description crosses a process border as JSON and is the same afterwards.
@Suite struct DescriptionTests {
  @Test func everyPartSurvivesJSON() throws {
    let text = #"""
      {"abi":1,"flags":1,"id":"sample","imports":[{"optional":true,"plugin":"ledger","signature":"h()"}],"methods":[\#
      {"command":"do f","deadline_ms":2500,"defaults":{"a":7},"flags":1,"signature":"f(a: u64) -> (b: text)",\#
      "summary":"F"},{"defaults":{},"flags":0,"signature":"g()","summary":"G"}],"permissions":["publish:news.*"],\#
      "routes":[],"state":{"exports":[2],"id":"s","imports":[1,2],"version":2},"summary":"A sample","version":"1.0.0"}
      """#
    let description = try PluginDescription(json: try JSONValue(parsing: text.utf8))
    #expect(description.json.text == text)
    #expect(description.methods.map(\.deadlineMs) == [2500, 0])
    #expect(description.permissions.map(\.description) == ["publish:news.*"] && description.state?.imports == [1, 2])
  }

  @Test func aDeadlineThatIsNoNumberIsRefused() throws {
    let json = try JSONValue(
      parsing: #"""
        {"id":"s","version":"1.0.0","summary":"S","abi":1,"flags":0,"imports":[],"routes":[],"permissions":[],
        "methods":[{"signature":"f()","summary":"F","flags":0,"defaults":{},"deadline_ms":-1}]}
        """#.utf8)
    #expect(throws: HostError.self) { try PluginDescription(json: json) }
  }
}
