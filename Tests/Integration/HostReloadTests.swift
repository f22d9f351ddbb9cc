import Foundation
import Testing

/// Layers that are replaced, added and removed while others use them.
@Suite struct HostReloadTests {
  @Test func importsFollowTheReloadedProvider() throws {
    let old = try RunningNode.fixture("ID=\"provider\"")
    let new = try RunningNode.fixture("ID=\"provider\"", "VERSION=\"2.0.0\"")
    let importer = try RunningNode.fixture("IMPORTS=0")
    let node = try RunningNode(
      plugins: "[plugin.fixture]\nlibrary = \"\(importer)\"\n[plugin.provider]\nlibrary = \"\(old)\"\n")
    defer { node.stop() }
    #expect(try node.command("fixture", "relay").out == "1.0.0\n")
    #expect(try node.command("fixture", "relay_who").out == "fixture\n")
    #expect(try node.command("provider", "who").out == "nobody\n")
    #expect(try node.command("plugin", "reload", "provider", "--library", new).status == 0)
    #expect(try node.command("fixture", "relay").out == "2.0.0\n")
    #expect(try node.command("plugin", "reload", "provider", "--library", old).status == 0)
    #expect(try node.command("fixture", "relay").out == "1.0.0\n", "an earlier build comes back")
  }

  @Test func anOptionalImportWithoutProviderFailsAtTheCallOnly() throws {
    let node = try RunningNode(
      plugins: "[plugin.fixture]\nlibrary = \"\(try RunningNode.fixture("IMPORTS=SYMBOLON_IMPORT_OPTIONAL"))\"\n")
    defer { node.stop() }
    let relay = try node.command("fixture", "relay")
    #expect(relay.status == 3 && relay.err.contains("the layer `provider` is not running"))
    #expect(try node.command("fixture", "version").status == 0)
  }

  @Test func aReloadChangesTheVersionAndLosesNoCall() throws {
    let old = try RunningNode.fixture("VERSION=\"1.0.0\"")
    let new = try RunningNode.fixture("VERSION=\"2.0.0\"")
    let node = try RunningNode(plugins: "[plugin.fixture]\nlibrary = \"\(old)\"\n")
    defer { node.stop() }
    let finished = DispatchGroup()
    let results = Results()
    for _ in 0..<4 {
      DispatchQueue.global().async(group: finished) {
        for _ in 0..<12 {
          if let result = try? node.command("fixture", "slow", "--milliseconds", "20") { results.add(result) }
        }
      }
    }
    let stream = Results()
    DispatchQueue.global().async(group: finished) {
      if let result = try? node.command("fixture", "stream", "--count", "40", "--milliseconds", "20") {
        stream.add(result)
      }
    }
    usleep(200_000)
    let reload = try node.command("plugin", "reload", "fixture", "--library", new)
    #expect(reload.status == 0 && reload.out.contains("1.0.0 → 2.0.0"), "\(reload.err)")
    finished.wait()
    #expect(results.all.count == 48 && results.all.allSatisfy { $0.status == 0 })
    #expect(Set(results.all.map(\.out)) == ["1.0.0\n", "2.0.0\n"])
    let items = try #require(stream.all.first).out.split(separator: "\n")
    #expect(items.count == 40 && Set(items) == ["1.0.0"], "a stream ends on the generation where it began")
    #expect(try node.command("plugin", "list").out.contains("2.0.0    2"))
  }

  @Test func aReloadThatFailsLeavesTheOldOneServing() throws {
    let old = try RunningNode.fixture("EXCLUSIVE")
    let bad = try RunningNode.fixture("EXCLUSIVE", "VERSION=\"2.0.0\"", "FAILS_TO_START")
    let node = try RunningNode(plugins: "[plugin.fixture]\nlibrary = \"\(old)\"\n")
    defer { node.stop() }
    let reload = try node.command("plugin", "reload", "fixture", "--library", bad)
    #expect(reload.status != 0 && reload.err.contains("The engine does not turn over."))
    #expect(try node.command("fixture", "version").out == "1.0.0\n")
  }

  @Test func anExclusivePluginIsReplacedWhileCallsWait() throws {
    let old = try RunningNode.fixture("EXCLUSIVE")
    let new = try RunningNode.fixture("EXCLUSIVE", "VERSION=\"2.0.0\"")
    let node = try RunningNode(plugins: "[plugin.fixture]\nlibrary = \"\(old)\"\n")
    defer { node.stop() }
    let finished = DispatchGroup()
    let results = Results()
    for _ in 0..<4 {
      DispatchQueue.global().async(group: finished) {
        for _ in 0..<10 {
          if let result = try? node.command("fixture", "slow", "--milliseconds", "30") { results.add(result) }
        }
      }
    }
    usleep(150_000)
    #expect(try node.command("plugin", "reload", "fixture", "--library", new).status == 0)
    finished.wait()
    #expect(results.all.count == 40 && results.all.allSatisfy { $0.status == 0 })
    #expect(Set(results.all.map(\.out)) == ["1.0.0\n", "2.0.0\n"])
  }

  @Test func theSameLibraryAndUnknownPluginsAreRefused() throws {
    let library = try RunningNode.fixture()
    let node = try RunningNode(plugins: "[plugin.fixture]\nlibrary = \"\(library)\"\n")
    defer { node.stop() }
    #expect(try node.command("plugin", "reload", "fixture").err.contains("already runs this very library"))
    #expect(try node.command("plugin", "reload", "fixtur").err.contains("Did you mean `fixture`?"))
  }

  @Test func aChangedConfigurationAddsAndRemovesLayers() throws {
    let node = try RunningNode(plugins: "")
    defer { node.stop() }
    #expect(try node.command("fixture", "version").status == 4)
    try node.write("[plugin.fixture]\nlibrary = \"\(try RunningNode.fixture())\"\n")
    #expect(try node.command("reload").out.contains("added fixture"))
    #expect(try node.command("fixture", "version").out == "1.0.0\n")
    try node.write("[plugin.fixture]\nlibrary = 5\n")
    #expect(try node.command("reload").status == 2)
    #expect(try node.command("fixture", "version").out == "1.0.0\n")
    try node.write("")
    #expect(try node.command("reload").out.contains("removed fixture"))
    #expect(try node.command("fixture", "version").status == 4)
  }
}

/// Outcomes from several threads.
final class Results: @unchecked Sendable {  // Proof: the array is behind the lock.
  private let lock = NSLock()
  private var outcomes: [(status: Int32, out: String, err: String)] = []

  func add(_ outcome: (status: Int32, out: String, err: String)) { lock.withLock { outcomes.append(outcome) } }
  var all: [(status: Int32, out: String, err: String)] { lock.withLock { outcomes } }
}
