import Host
import Testing

@Suite struct ConfigurationEditorTests {
  private static let text = """
    # A node.
    [host]
    data = "/tmp/x"   # here

    [plugin.first]        # the first
    library = "a.so"      # beside this file
    home    = "host"      # in the host

    [plugin.second]
    library = "b.so"
    enabled = false   # "not" yet
    permissions = [
      "call:a.b",   # [plugin.third]
    ]

    [plugin.second.settings]
    enabled = true
    note = \"\"\"
    [plugin.third]
    enabled = true
    \"\"\"

    [plugin."org.example.third"]
    library = 'c.so'
    """

  private func edited(_ key: String, _ literal: String?, _ id: String) throws -> String {
    var editor = ConfigurationEditor(Self.text)
    try editor.set(key, literal, plugin: id)
    return editor.text
  }

  /// Lines that went and lines that came.
  private func difference(_ new: String) -> (gone: [String], come: [String]) {
    let (old, new) = (Self.text.split(separator: "\n").map(String.init), new.split(separator: "\n").map(String.init))
    let change = new.difference(from: old)
    return (
      change.removals.map { if case .remove(_, let line, _) = $0 { line } else { "" } },
      change.insertions.map { if case .insert(_, let line, _) = $0 { line } else { "" } }
    )
  }

  @Test func aNewKeyStandsBelowTheOthersInTheirColumns() throws {
    let text = try edited("enabled", "false", "first")
    #expect(difference(text).gone == [] && difference(text).come == ["enabled = false"])
    #expect(text.contains("home    = \"host\"      # in the host\nenabled = false\n\n[plugin.second]"))
    #expect(try edited("pin", "\"ab\"", "first").contains("\npin     = \"ab\"\n"))
  }

  @Test func aValueIsReplacedAndItsCommentStays() throws {
    let text = try edited("enabled", "true", "second")
    #expect(difference(text).gone == ["enabled = false   # \"not\" yet"])
    #expect(difference(text).come == ["enabled = true   # \"not\" yet"])
  }

  @Test func aKeyIsTakenOutOfItsOwnTableOnly() throws {
    #expect(difference(try edited("enabled", nil, "second")).gone == ["enabled = false   # \"not\" yet"])
    #expect(try edited("enabled", nil, "first") == Self.text)
  }

  @Test func listsAndLongTextsAreNotTakenForTables() throws {
    let text = try edited("pin", "\"ab\"", "second")
    #expect(text.contains("    ]\npin") || text.contains("]\npin         = \"ab\"\n"))
    #expect(throws: HostError.self) { try edited("enabled", "false", "third") }
    #expect(throws: HostError.self) { try edited("permissions", "[]", "second") }
  }

  @Test func quotedIdsAreFound() throws {
    #expect(try edited("enabled", "false", "org.example.third").hasSuffix("library = 'c.so'\nenabled = false"))
  }

  /// Whatever is edited, the parser sees the one change that was meant.
  @Test func theParserSeesTheOneChange() throws {
    let before = try Configuration(parsing: Self.text, path: "/x/plugins.conf")
    for id in before.plugins.map(\.id) {
      for flag in [true, false] {
        var expected = before
        let index = try #require(expected.plugins.firstIndex { $0.id == id })
        expected.plugins[index].enabled = flag
        let text = try edited("enabled", flag ? nil : "false", id)
        #expect(try Configuration(parsing: text, path: "/x/plugins.conf").means(expected), "\(id) \(flag)")
      }
    }
  }

  @Test func lineEndingsOfOtherSystemsStay() throws {
    var editor = ConfigurationEditor("[plugin.a]\r\nlibrary = \"a.so\" # x\r\n")
    try editor.set("enabled", "false", plugin: "a")
    #expect(editor.text == "[plugin.a]\r\nlibrary = \"a.so\" # x\r\nenabled = false\r\n")
  }
}
