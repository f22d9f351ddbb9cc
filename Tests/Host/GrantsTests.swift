import Host
import Testing

@Suite struct GrantsTests {
  private func permissions(_ texts: String...) throws -> [Permission] {
    try texts.map { text throws(HostError) in try Permission(parsing: text) }
  }

  @Test func withoutALimitAllIsGrantedThatWasAskedFor() throws {
    let asked = try permissions("call:ledger.height", "subscribe:ledger.block")
    #expect(Grants(requested: asked, limit: nil).permissions == asked)
    #expect(Grants(requested: asked, limit: []).permissions == [])
  }

  @Test func aLimitMeetsWhatIsAskedFor() throws {
    let grants = Grants(
      requested: try permissions("call:*", "read:/srv/models/a", "memory:512", "connect:5432", "publish:news.local"),
      limit: try permissions("call:ledger.*", "read:/srv/models", "memory:256", "connect:80", "subscribe:*"))
    #expect(grants.permissions == (try permissions("call:ledger.*", "memory:256", "read:/srv/models/a")))
    #expect(grants.allowsCall("ledger.transfer") && !grants.allowsCall("governance.vote"))
  }

  @Test func aFolderIncludesWhatLiesBelowItAlone() throws {
    let folder = Permission(.read, "/srv/models")
    #expect(folder.includes(Permission(.read, "/srv/models/a/b")))
    #expect(folder.includes(Permission(.read, "/srv/models/")))
    #expect(!folder.includes(Permission(.read, "/srv/models-secret")))
    #expect(!folder.includes(Permission(.write, "/srv/models")))
    #expect(Permission(.read, "/").includes(folder))
  }

  @Test func guardedServicesNeedALineAndTheOthersNone() throws {
    let none = Grants.none
    for id in ["symbolon.log/1", "symbolon.config/1", "symbolon.storage/1", "symbolon.clock/1", "symbolon.random/1"] {
      #expect(none.allowsService(id))
    }
    for id in ["catalog", "events", "identity", "invoke", "sockets"] {
      #expect(!none.allowsService("symbolon.\(id)/1"))
      let one = Grants(requested: [Permission(.service, "symbolon.\(id)/1")], limit: nil)
      #expect(one.allowsService("symbolon.\(id)/1"))
    }
    #expect(Grants(requested: try permissions("subscribe:a.b"), limit: nil).allowsService("symbolon.events/1"))
    #expect(Grants(requested: try permissions("call:a.b"), limit: nil).allowsService("symbolon.invoke/1"))
    #expect(!Grants(requested: try permissions("call:a.b"), limit: nil).allowsService("symbolon.identity/1"))
  }

  @Test func ownTopicsAreFree() throws {
    let none = Grants.none
    #expect(none.allowsPublishing("mine.news", by: "mine") && !none.allowsPublishing("minesweeper.x", by: "mine"))
    #expect(!none.allowsPublishing("host.catalog", by: "mine"))
    let all = Grants(requested: try permissions("publish:*"), limit: nil)
    #expect(all.allowsPublishing("ledger.block", by: "mine") && !all.allowsPublishing("host.catalog", by: "mine"))
    #expect(none.allowsSubscribing("host.catalog", by: "mine") && !none.allowsSubscribing("ledger.block", by: "mine"))
    let some = Grants(requested: try permissions("publish:news.*", "subscribe:ledger.block"), limit: nil)
    #expect(some.allowsPublishing("news.today", by: "mine") && some.allowsSubscribing("ledger.block", by: "mine"))
    #expect(!some.allowsSubscribing("ledger.blocks", by: "mine"))
  }

  @Test func importsCountAsCalls() {
    let asked = Grants.requested(by: ManifestTests.description)
    #expect(asked.map(\.description) == ["call:ledger.height", "subscribe:ledger.block"])
  }
}

@Suite struct TrustPolicyTests {
  /// Public keys of the right form; nobody has their secret halves.
  private static let keys = ["a", "b"].map { name in
    MinisignPublicKey(id: Array("\(name)1234567".utf8), key: [UInt8](repeating: 7, count: 32)).base64
  }

  private func policy(host: String, worker: String, _ keys: (Int, String)...) throws -> Configuration.TrustPolicy {
    var text = "[trust]\nhost = \"\(host)\"\nworker = \"\(worker)\"\n"
    for (index, role) in keys {
      text += "[[trust.keys]]\nname = \"k\(index)\"\npublic_key = \"\(Self.keys[index])\"\nrole = \"\(role)\"\n"
    }
    return try Configuration(parsing: text, path: "plugins.conf").trust
  }

  @Test func aPolicyThatAllowsMoreIsLooser() throws {
    let strict = try policy(host: "vendor", worker: "local", (0, "vendor"))
    #expect(!strict.loosens(strict))
    #expect(try policy(host: "local", worker: "local", (0, "vendor")).loosens(strict))
    #expect(try policy(host: "vendor", worker: "anyone", (0, "vendor")).loosens(strict))
    #expect(try policy(host: "vendor", worker: "local", (0, "vendor"), (1, "local")).loosens(strict))
    #expect(try policy(host: "vendor", worker: "local", (0, "core")).loosens(strict))
  }

  @Test func aPolicyThatAllowsLessIsNot() throws {
    let before = try policy(host: "local", worker: "anyone", (0, "vendor"), (1, "local"))
    #expect(try !policy(host: "core", worker: "local").loosens(before))
    #expect(try !policy(host: "local", worker: "anyone", (0, "local"), (1, "local")).loosens(before))
  }

  @Test func aKeyThatIsNoneIsRefusedWhenTheFileIsRead() {
    let text = "[[trust.keys]]\nname = \"x\"\npublic_key = \"RWabc\"\nrole = \"local\"\n"
    let error = #expect(throws: HostError.self) { try Configuration(parsing: text, path: "plugins.conf") }
    #expect(error?.message.contains("`x` is not a minisign public key") == true)
  }
}
