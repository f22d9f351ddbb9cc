import Host
import Testing

@Suite struct ConfigurationTests {
  private func parse(_ text: String) throws(HostError) -> Configuration {
    try Configuration(parsing: text, path: "plugins.conf")
  }

  @Test func readsWhatTheDesignShows() throws {
    let configuration = try parse(
      """
      [host]
      listen = "127.0.0.1:8080"
      data   = "/tmp/x"
      [plugin.governance]
      library = "libGovernance.so"
      home    = "host"
      [plugin.governance.settings]
      quorum = 3
      """)
    #expect(configuration.listen?.description == "127.0.0.1:8080")
    #expect(configuration.plugins.map(\.id) == ["governance"])
    #expect(configuration.plugins[0].settings.text == #"{"quorum":3}"#)
  }

  @Test(arguments: [
    ("[host]\nlisten = 5\n", "plugins.conf:2:1:"), ("[host]\nlistn = \"127.0.0.1:1\"\n", "Did you mean `listen`?"),
    ("[host]\n\n  data = \"relative\"\n", "plugins.conf:3:3:"), ("[plugin.x]\n", "needs `library"),
    ("[plugin.x]\nlibrary = \"a.so\"\nhome = \"cellar\"\n", "plugins.conf:3:1:"),
    ("[plugin.x]\nlibrary = \"a.so\"\nenable = true\n", "plugins.conf:3:1:"),
    ("[plugin.X]\nlibrary = \"a.so\"\n", "not a plugin id"), ("[host\n", "plugins.conf:1:"),
    ("a = 1\n", "unknown key `a`"), ("[host]\nlisten = \"127.0.0.1:99999\"\n", "not an address"),
    ("[host]\nlisten = \":80\"\n", "names no host"), ("[host]\ndata = \"/a\"\ndata = \"/b\"\n", "plugins.conf:3:"),
  ])
  func aWrongFileIsRefusedWithItsPlace(_ text: String, _ expected: String) {
    let error = #expect(throws: HostError.self) { try parse(text) }
    #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
  }

  @Test func listsInsideListsAreNotTakenForTables() throws {
    let text =
      "[plugin.a]\nlibrary = \"a.so\"\n[plugin.a.settings]\nx = [\n  [ # one\n  1],\n  [[2]],\n]\ny = \"\"\"\n[.\n\"\"\"\n"
    #expect(try parse(text).plugins[0].settings.text == #"{"x":[[1],[[2]]],"y":"[.\n"}"#)
  }
}
