import Foundation
import Testing

/// What a plugin gets of the host is what it declared and the operator allows, at every door.
@Suite struct PermissionTests {
  private func asker(_ permissions: String..., version: String = "1.0.0") throws -> String {
    let list = permissions.map { "\"\($0)\"" }.joined(separator: ",")
    let definitions = ["VERSION=\"\(version)\""] + (list.isEmpty ? [] : ["PERMISSIONS=\(list)"])
    return try RunningNode.fixture(definitions, source: "asker.c")
  }

  private func node(_ library: String, limit: [String]? = nil, provider: Bool = false) throws -> RunningNode {
    try RunningNode(plugins: try Self.tables(library, limit, provider))
  }

  private static func tables(_ library: String, _ limit: [String]?, _ provider: Bool) throws -> String {
    var text = "[plugin.asker]\nlibrary = \"\(library)\"\n"
    if let limit { text += "permissions = [\(limit.map { "\"\($0)\"" }.joined(separator: ", "))]\n" }
    if provider { text += "[plugin.provider]\nlibrary = \"\(try RunningNode.fixture("ID=\"provider\""))\"\n" }
    return text
  }

  @Test func aServiceWithoutAPermissionIsNotThere() throws {
    let node = try node(try asker())
    defer { node.stop() }
    for service in ["catalog", "events", "identity", "sockets"] {
      let id = "symbolon.\(service)/1"
      #expect(try node.command("asker", "offered", "--service", id).out == "false\n", "\(service)")
      #expect(node.log.contains("`asker` was not granted `service:\(id)`"), "\(service)")
    }
    for service in ["log", "config", "storage", "clock", "random"] {
      #expect(try node.command("asker", "offered", "--service", "symbolon.\(service)/1").out == "true\n", "\(service)")
    }
    #expect(try node.command("asker", "offered", "--service", "symbolon.nothing/1").out == "false\n")
  }

  @Test func whatIsDeclaredIsThere() throws {
    let node = try node(try asker("service:symbolon.identity/1", "publish:news.*", "call:provider.version"))
    defer { node.stop() }
    for service in ["identity", "events", "invoke"] {
      #expect(try node.command("asker", "offered", "--service", "symbolon.\(service)/1").out == "true\n", "\(service)")
    }
    #expect(try node.command("asker", "sign").out == "0\n")
    #expect(try node.command("asker", "offered", "--service", "symbolon.sockets/1").out == "false\n")
  }

  @Test func topicsOfOthersNeedAPermission() throws {
    let node = try node(try asker("publish:news.*", "subscribe:ledger.block"))
    defer { node.stop() }
    for (verb, topic, status) in [
      ("publish", "news.today", 0), ("publish", "asker.mine", 0), ("publish", "ledger.block", 7),
      ("publish", "host.catalog", 7), ("publish", "askers.x", 7), ("subscribe", "ledger.block", 0),
      ("subscribe", "host.catalog", 0), ("subscribe", "asker.mine", 0), ("subscribe", "governance.vote", 7),
    ] {
      #expect(try node.command("asker", verb, "--topic", topic).out == "\(status)\n", "\(verb) \(topic)")
    }
    #expect(node.log.contains("`publish:ledger.block`") && node.log.contains("`subscribe:governance.vote`"))
  }

  @Test func callsByNameReachGrantedMethodsAlone() throws {
    let node = try node(try asker("call:provider.version"), provider: true)
    defer { node.stop() }
    #expect(try node.command("asker", "invoke", "--method", "provider.version").out.contains("1.0.0"))
    let refused = try node.command("asker", "invoke", "--method", "provider.who")
    #expect(refused.status != 0 && refused.err.contains("was not granted `call:provider.who`"))
  }

  @Test func anImportIsGrantedByItsDeclarationAndRevokedByALimit() throws {
    let free = try node(try asker(), provider: true)
    defer { free.stop() }
    #expect(try free.command("asker", "relay").out == "1.0.0\n")
    let held = try node(try asker(), limit: ["call:provider.who"], provider: true)
    defer { held.stop() }
    let refused = try held.command("asker", "relay")
    #expect(refused.status != 0 && refused.err.contains("was not granted `call:provider.version`"))
    #expect(refused.err.contains("[plugin.asker]"))
  }

  @Test func aLimitHoldsAgainstWhatIsDeclared() throws {
    let node = try node(try asker("service:symbolon.identity/1", "call:*"), limit: ["call:provider.*"], provider: true)
    defer { node.stop() }
    #expect(try node.command("asker", "offered", "--service", "symbolon.identity/1").out == "false\n")
    #expect(try node.command("asker", "invoke", "--method", "provider.version").status == 0)
    #expect(try node.command("asker", "invoke", "--method", "asker.sign").err.contains("not granted `call:asker.sign`"))
  }

  @Test func anIDThatTheHostUsesIsRefused() throws {
    let node = try RunningNode(idle: "[plugin.grants]\nlibrary = \"x.so\"\n")
    defer { node.stop() }
    #expect(try node.command("check").err.contains("`grants` is a name that the host itself uses"))
  }
}
