import Foundation
import Testing

/// What must end in a clear sentence, a non-zero status and no damage.
@Suite struct HostRefusalTests {
  private func refusal(_ plugins: String, listen: String? = nil) throws -> String {
    let node = try RunningNode(plugins: plugins, listen: listen)
    defer { node.stop() }
    node.process.waitUntilExit()
    #expect(node.process.terminationStatus != 0)
    return node.log
  }

  private func plugin(_ library: String, id: String = "fixture") -> String {
    "[plugin.\(id)]\nlibrary = \"\(library)\"\n"
  }

  @Test func anUnknownKeyIsRefusedWithItsPlace() throws {
    let log = try refusal("[plugin.fixture]\nlibrary = \"x.so\"\ncolour = 1\n")
    #expect(log.contains("plugins.conf:5:1: unknown key `colour`"))
  }

  @Test func aMissingLibraryIsNamed() throws {
    #expect(try refusal(plugin("libNowhere.so")).contains("libNowhere.so is neither in"))
  }

  @Test func aFileThatIsNoLibraryIsRefused() throws {
    #expect(try refusal(plugin("\(RunningNode.root)/README.md")).contains("is not a shared library"))
  }

  @Test func aLibraryWithoutTheEntryIsRefused() throws {
    #expect(try refusal(plugin(try RunningNode.fixture("NO_ENTRY"))).contains("exports no symbolon_plugin_entry"))
  }

  @Test func aNewerABIIsRefusedNamingBoth() throws {
    let log = try refusal(plugin(try RunningNode.fixture("NEWER_ABI")))
    #expect(log.contains("was built for ABI 2; this host speaks 1"))
  }

  @Test func aMethodOfferedTwiceIsRefused() throws {
    #expect(try refusal(plugin(try RunningNode.fixture("METHOD_TWICE"))).contains("offers `version` twice"))
  }

  @Test func twoLayersWithTheSameCommandAreRefused() throws {
    let a = try RunningNode.fixture("ID=\"a\"", "COMMAND=\"tell stream\"")
    let b = try RunningNode.fixture("ID=\"b\"", "COMMAND=\"tell stream\"")
    let log = try refusal(plugin(a, id: "a") + plugin(b, id: "b"))
    #expect(log.contains("both claim the command `symbolon tell stream`"))
  }

  @Test func aWrongSignatureIsRefused() throws {
    #expect(try refusal(plugin(try RunningNode.fixture("BAD_SIGNATURE"))).contains("`u65` is not a type"))
  }

  @Test func anImportThatNobodyProvidesIsRefused() throws {
    let log = try refusal(plugin(try RunningNode.fixture("IMPORTS=0")))
    #expect(log.contains("needs `provider.version`, which nobody provides"))
  }

  @Test func aTableWithAnotherPluginsLibraryIsRefused() throws {
    #expect(try refusal(plugin(try RunningNode.fixture(), id: "other")).contains("calls itself `fixture`"))
  }

  @Test func aLayerThatCannotBeMadeIsNamedWithItsReason() throws {
    let log = try refusal(plugin(try RunningNode.fixture("FAILS_TO_CREATE")))
    #expect(log.contains("The layer `fixture` cannot be made: It does not work out today."))
  }

  @Test func aPortInUseIsNamed() throws {
    let first = try RunningNode(plugins: "", listen: "127.0.0.1:0")
    defer { first.stop() }
    let status = try first.command("status", "--json").out
    let port = try #require(status.firstMatch(of: /127\.0\.0\.1:(\d+)/)?.1)
    let log = try refusal("", listen: "127.0.0.1:\(port)")
    #expect(log.contains("127.0.0.1:\(port) is in use by another program"))
  }

  @Test func aSecondNodeOnTheSameDataIsRefused() throws {
    let node = try RunningNode(plugins: "")
    defer { node.stop() }
    let second = try RunningNode.run(["\(RunningNode.binaries)/symbolon", "run", "--config", node.configuration])
    #expect(second.status == 1)
    #expect(second.err.contains("Another node uses"))
    #expect(try node.command("status").status == 0)
  }

  @Test func aDataFolderThatCannotBeMadeIsNamed() throws {
    let node = try RunningNode(idle: "")
    defer { node.stop() }
    let binary = "\(RunningNode.binaries)/symbolon"
    let result = try RunningNode.run([binary, "run", "--config", node.configuration, "--data", "/proc/nowhere"])
    #expect(result.status != 0 && result.err.contains("/proc/nowhere"))
  }

  @Test func checkFindsTheSameFaultsWithoutStarting() throws {
    let node = try RunningNode(idle: plugin(try RunningNode.fixture("IMPORTS=0")))
    defer { node.stop() }
    let result = try node.command("check")
    #expect([2, 4].contains(result.status) && result.err.contains("which nobody provides"))
    #expect(!FileManager.default.fileExists(atPath: "\(node.scratch)/data"))
  }

  @Test func noConfigurationEndsTheProgram() throws {
    let node = try RunningNode(idle: "")
    defer { node.stop() }
    let words = [
      "[host]", "[plugin.a]", "=", "\"", "listen", "\n", "[[", "]", "1", "true", "'", "{", "}", "é", ".", "#", "\r",
      "\\",
      " ", "[ ", "\u{feff}", "\"\"\"", "'''", "a = ", "a.b", ",", "0x", "1979-05-27", "\u{7f}",
    ]
    var random = SystemRandomNumberGenerator()
    var texts = ["[.", "[é]", "[[[a]", "a = [\n,", "a = ]", "x = 1\ny = 2\n[.\nz = 3", "a = {,}", "a = #"]
    for _ in 0..<150 {
      texts.append((0..<Int.random(in: 1...12, using: &random)).compactMap { _ in words.randomElement() }.joined())
    }
    for text in texts {
      try text.write(toFile: node.configuration, atomically: true, encoding: .utf8)
      let result = try node.command("check")
      // 0 right, 2 and 4 refused with a sentence; a signal would show as another number.
      #expect(
        result.status == 0 || ([2, 4].contains(result.status) && result.err.hasPrefix("symbolon: ")),
        "\(text.debugDescription): \(result)")
    }
  }

  @Test func theLineOnWhichTheParserGivesUpIsNamed() throws {
    let node = try RunningNode(idle: "")
    defer { node.stop() }
    try "[host]\nlog_level = \"info\"\n\n[.\nx = 1\n".write(
      toFile: node.configuration, atomically: true, encoding: .utf8)
    #expect(try node.command("check").err.contains("plugins.conf:4:1: this is not TOML"))
  }
}
