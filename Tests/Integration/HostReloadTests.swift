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

  @Test func whatATypeForbidsDoesNotReachTheProvider() throws {
    let (provider, importer) = (try RunningNode.fixture("ID=\"provider\""), try RunningNode.fixture("IMPORTS=0"))
    let node = try RunningNode(
      plugins: "[plugin.fixture]\nlibrary = \"\(importer)\"\n[plugin.provider]\nlibrary = \"\(provider)\"\n")
    defer { node.stop() }
    #expect(try node.command("fixture", "relay_bad", "0").status == 0)
    #expect(try node.command("fixture", "relay_bad", "1").err.contains("`content` is not a valid bytes"))
    #expect(try node.command("fixture", "relay_bad", "2").err.contains("`flag` is not a valid bool"))
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
    let stream = try node.begin("fixture", "stream", "--count", "60", "--milliseconds", "20")
    let callers = Callers(4) { try node.command("fixture", "slow", "--milliseconds", "20") }
    callers.wait(forAtLeast: 4)
    #expect(try stream.firstLine() == "1.0.0")
    let reload = try node.command("plugin", "reload", "fixture", "--library", new)
    #expect(reload.status == 0 && reload.out.contains("1.0.0 → 2.0.0"), "\(reload.err)")
    let results = callers.end(after: 4)
    #expect(results.allSatisfy { $0.status == 0 }, "\(results)")
    #expect(Set(results.map(\.out)) == ["1.0.0\n", "2.0.0\n"])
    let items = try stream.rest().split(separator: "\n")
    #expect(items.count == 59 && Set(items) == ["1.0.0"], "a stream ends on the generation where it began")
    #expect(try node.command("plugin", "list").out.firstMatch(of: /2\.0\.0 +2\s/) != nil)
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
    let callers = Callers(4) { try node.command("fixture", "slow", "--milliseconds", "30") }
    callers.wait(forAtLeast: 4)
    #expect(try node.command("plugin", "reload", "fixture", "--library", new).status == 0)
    let results = callers.end(after: 4)
    #expect(results.allSatisfy { $0.status == 0 }, "\(results)")
    #expect(Set(results.map(\.out)) == ["1.0.0\n", "2.0.0\n"])
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

/// Threads that repeat a command and keep what came of it.
///
/// Threads of their own: blocking the pool of Swift's tasks would hold up the other tests.
final class Callers: @unchecked Sendable {  // Proof: what changes is behind the condition's lock.
  private let changed = NSCondition()
  private var outcomes: [(status: Int32, out: String, err: String)] = []
  private var running: Int
  private var isEnding = false

  /// Repeats it `calls` times in each of these threads, or until `end` when no number is given.
  init(
    _ threads: Int, of calls: Int = .max,
    command: @escaping @Sendable () throws -> (status: Int32, out: String, err: String)
  ) {
    running = threads
    for _ in 0..<threads {
      Thread.detachNewThread { [self] in
        var done = 0
        while done < calls, !changed.withLock({ isEnding }) {
          add((try? command()) ?? (-1, "", "not started"))
          done += 1
        }
        changed.withLock {
          running -= 1
          changed.broadcast()
        }
      }
    }
  }

  /// Waits until so many commands have ended.
  func wait(forAtLeast count: Int) {
    changed.withLock {
      while outcomes.count < count { changed.wait() }
    }
  }

  /// Waits for all and gives back what came of them.
  func all() -> [(status: Int32, out: String, err: String)] {
    changed.withLock {
      while running > 0 { changed.wait() }
      return outcomes
    }
  }

  /// Lets so many more commands begin and end, then ends all.
  func end(after count: Int) -> [(status: Int32, out: String, err: String)] {
    // Those that ran until now may have begun before.
    wait(forAtLeast: changed.withLock { outcomes.count + running } + count)
    changed.withLock { isEnding = true }
    return all()
  }

  private func add(_ outcome: (status: Int32, out: String, err: String)) {
    changed.withLock {
      outcomes.append(outcome)
      changed.broadcast()
    }
  }
}
