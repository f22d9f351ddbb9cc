import PluginAPI

/// A method that a command calls in its own process (`symbolon/extensions/offline.h`).
package struct OfflineMethod: Equatable, Sendable {
  /// Its name in the plugin.
  package var method: String
  /// What its one `json` argument may hold; empty when the signature says all.
  package var members: [Member] = []

  /// One member of the argument.
  package struct Member: Equatable, Sendable {
    package var name: String
    package var type: Kind
    package var summary: String
    package var isRequired = false
    /// Takes the next word without a name.
    package var isPositional = false

    /// How it is typed after `symbolon`.
    var option: String { "--" + name.replacing("_", with: "-") }
  }

  /// How words become a value.
  package enum Kind: String, CaseIterable, Sendable {
    case text, texts, integer, number, flag, path, json, document
  }
}

extension PluginDescription {
  func checkOffline() throws(HostError) {
    guard offline.count <= Limit.offlineMethods else {
      throw .invalid("bad_description", "`\(id)` offers more than \(Limit.offlineMethods) methods without a node.")
    }
    var seen: Set<String> = []
    for row in offline {
      guard let method = methods.first(where: { $0.signature.name == row.method }), seen.insert(row.method).inserted,
        method.flags & UInt32(SYMBOLON_TRANSITION | SYMBOLON_PUBLIC) == 0
      else {
        throw .invalid(
          "bad_offline",
          "`\(id)` offers `\(row.method)` without a node: that is no method of it, or one that is TRANSITION or PUBLIC, "
            + "or named twice.")
      }
      try check(row, method)
    }
  }

  private func check(_ row: OfflineMethod, _ method: Method) throws(HostError) {
    guard row.members.isEmpty || method.signature.parameters.map(\.type) == [.json] else {
      throw .invalid("bad_offline", "`\(id).\(row.method)` lists members, which only a method of one `json` has.")
    }
    var names: Set<String> = []
    guard row.members.count <= Limit.offlineMembers,
      row.members.allSatisfy({ Self.isName($0.name) && $0.summary.utf8.count <= Limit.textBytes }),
      row.members.allSatisfy({ names.insert($0.name).inserted })
    else {
      throw .invalid(
        "bad_offline",
        "The members of `\(id).\(row.method)` are more than \(Limit.offlineMembers), named twice, or no names.")
    }
  }

  private static func isName(_ text: String) -> Bool {
    (try? Signature(parsing: "f(\(text): text)"))?.parameters.first?.name == text
  }
}

extension OfflineMethod {
  var json: JSONValue {
    .object([
      "method": .string(method),
      "members": .array(
        members.map {
          .object([
            "name": .string($0.name), "type": .string($0.type.rawValue), "summary": .string($0.summary),
            "required": .bool($0.isRequired), "positional": .bool($0.isPositional),
          ])
        }),
    ])
  }

  init(json: JSONValue) throws(HostError) {
    guard let method = json[key: "method"]?.string else { throw PluginDescription.malformed("offline") }
    self.method = method
    for row in json[key: "members"]?.array ?? [] {
      guard let name = row[key: "name"]?.string, let summary = row[key: "summary"]?.string,
        let type = row[key: "type"]?.string.flatMap(Kind.init)
      else { throw PluginDescription.malformed("offline") }
      members.append(
        Member(
          name: name, type: type, summary: summary, isRequired: row[key: "required"] == .bool(true),
          isPositional: row[key: "positional"] == .bool(true)))
    }
  }
}
