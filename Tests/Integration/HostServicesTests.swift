import Foundation
import Testing

/// What the host does for the layers besides calls.
@Suite struct HostServicesTests {
  private func plugin(_ id: String, _ library: String) -> String { "[plugin.\(id)]\nlibrary = \"\(library)\"\n" }

  /// Waits until the plugin has heard so many events; gives back the last count.
  private func heard(_ node: RunningNode, _ plugin: String, _ count: Int) throws -> Int {
    var last = 0
    _ = try soon {
      last = Int(try node.command(plugin, "heard").out.trimmingCharacters(in: .newlines)) ?? -1
      return last >= count
    }
    return last
  }

  @Test func eventsReachEverySubscriberOnceAndFollowAReload() throws {
    let (one, two) = (
      try RunningNode.fixture("ID=\"one\"", "LISTENS"), try RunningNode.fixture("ID=\"two\"", "LISTENS")
    )
    let next = try RunningNode.fixture("ID=\"two\"", "LISTENS", "VERSION=\"2.0.0\"")
    let node = try RunningNode(plugins: plugin("one", one) + plugin("two", two))
    defer { node.stop() }
    #expect(try node.command("one", "shout", "--times", "50").status == 0)
    #expect(try heard(node, "one", 50) == 50)
    #expect(try heard(node, "two", 50) == 50)
    #expect(try node.command("plugin", "reload", "two", "--library", next).status == 0)
    #expect(try node.command("one", "shout", "--times", "7").status == 0)
    #expect(try heard(node, "one", 57) == 57)
    #expect(try heard(node, "two", 7) == 7, "the new generation hears what comes after it")
  }

  @Test func moreEventsThanTheQueueHoldsAreRefused() throws {
    let node = try RunningNode(plugins: plugin("fixture", try RunningNode.fixture("LISTENS")))
    defer { node.stop() }
    let result = try node.command("fixture", "shout", "--times", "4000000")
    #expect(result.status == 1 && result.err.contains("Too many events wait."))
    #expect(try node.command("fixture", "version").status == 0)
  }

  @Test func theControlSocketAndTheWalletsAreForTheirOwnerAlone() throws {
    let node = try RunningNode(plugins: "")
    defer { node.stop() }
    for (file, mode) in [
      ("control.sock", 0o600), ("wallets/node.wallet", 0o600), ("wallets/passphrase", 0o600), ("store", 0o700),
    ]
    where FileManager.default.fileExists(atPath: "\(node.scratch)/data/\(file)") {
      let attributes = try FileManager.default.attributesOfItem(atPath: "\(node.scratch)/data/\(file)")
      #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == mode, "\(file)")
    }
    let wallet = try String(contentsOfFile: "\(node.scratch)/data/wallets/node.wallet", encoding: .utf8)
    #expect(wallet.contains("\"box\"") && !wallet.contains("\"seed\""))
  }

  @Test func aWrongPassphraseOpensNoWallet() throws {
    let node = try RunningNode(idle: "")
    defer { node.stop() }
    let binary = "\(RunningNode.binaries)/symbolon"
    let environment = ["SYMBOLON_CONFIG": node.configuration, "SYMBOLON_PASSPHRASE": "right"]
    #expect(try RunningNode.run([binary, "wallet", "create", "node"], environment: environment).status == 0)
    let wrong = try RunningNode.run(
      [binary, "run", "--config", node.configuration], environment: ["SYMBOLON_PASSPHRASE": "wrong"])
    #expect(wrong.status == 1 && wrong.err.contains("does not open the wallet `node`"))
  }

  @Test func theNodeStopsInOrderOnEachSignalAndOnRequest() throws {
    for way in [SIGINT, SIGTERM, 0] {
      let node = try RunningNode(plugins: plugin("fixture", try RunningNode.fixture()))
      defer { node.stop() }
      if way == 0 { try node.command("stop") } else { kill(node.process.processIdentifier, way) }
      node.process.waitUntilExit()
      #expect(node.process.terminationStatus == 0 && node.log.contains("node stopped"))
    }
  }
}
