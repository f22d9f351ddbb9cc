import Foundation
import Testing

/// Plugins of other releases of the contract: what was built for 1.0 goes on to load, what is newer loads as long as it
/// asks for nothing that this host could not do.
@Suite struct ContractEvolutionTests {
  private func configuration(_ library: String) -> String { "[plugin.fixture]\nlibrary = \"\(library)\"\n" }

  private func refusal(_ definitions: String...) throws -> String {
    let library = try RunningNode.fixture(definitions, source: "evolution.c")
    let node = try RunningNode(plugins: configuration(library))
    defer { node.stop() }
    node.process.waitUntilExit()
    #expect(node.process.terminationStatus != 0)
    return node.log
  }

  @Test func aPluginBuiltFromTheRecordedHeadersLoadsAnswersAndIsReloaded() throws {
    let recorded = "Sources/PluginAPI/released/1.0/include"
    let library = try RunningNode.fixture(["VERSION=\"one\""], headers: recorded)
    let node = try RunningNode(plugins: configuration(library))
    defer { node.stop() }
    #expect(try node.command("fixture", "version").out.contains("one"))
    #expect(try node.command("fixture", "stream", "--count", "2", "--json").out.split(separator: "\n").count == 2)
    let next = try RunningNode.fixture(["VERSION=\"two\""], headers: recorded)
    let reload = try node.command("plugin", "reload", "fixture", "--library", next)
    #expect(reload.status == 0, "\(reload.err)")
    #expect(try node.command("fixture", "version").out.contains("two"))
    let grown = try RunningNode.fixture("VERSION=\"three\"")
    // The fixture of today asks for topics, which the recorded headers had no words for.
    #expect(try node.command("plugin", "reload", "fixture", "--library", grown, "--grant").status == 0)
    #expect(try node.command("fixture", "version").out.contains("three"))
  }

  @Test func longerStructsWithNothingInThemLoad() throws {
    let node = try RunningNode(
      plugins: configuration(try RunningNode.fixture([], source: "evolution.c")))
    defer { node.stop() }
    #expect(try node.command("fixture", "version").out.contains("later"))
  }

  @Test func longerStructsThatAskForMoreAreRefused() throws {
    #expect(try refusal("PLUGIN_TAIL=1").contains("The description of `fixture` uses fields of a newer release"))
    #expect(try refusal("METHOD_TAIL=1").contains("Row 1 of the method table of `fixture` uses fields of a newer"))
  }

  @Test func shorterStructsThanTheFirstReleaseAreRefusedAndNotReadFurther() throws {
    #expect(try refusal("PLUGIN_SIZE=96").contains("says struct_size 96; ABI 1 begins with 104"))
    #expect(try refusal("METHOD_SIZE=40").contains("says struct_size 40; ABI 1 begins with 48"))
    #expect(try refusal("METHOD_SIZE=0").contains("says struct_size 0"))
    #expect(try refusal("METHOD_SIZE=5000").contains("says struct_size 5000, which no release"))
  }
}
