/// A method as the command line sees it: from the catalog of a running node, or from a library.
struct CatalogMethod {
  var layer: String
  var signature: Signature
  var summary: String
  var isTransition: Bool
  var command: String?
  var defaults: [String: JSONValue]
  /// It needs no node, and holds these members in its one argument; nil when a node runs it.
  var members: [OfflineMethod.Member]?

  var name: String { "\(layer).\(signature.name)" }
  var isOffline: Bool { members != nil }

  /// How it is typed after `symbolon`.
  var commandLine: String { command ?? "\(layer) \(signature.name)" }

  static func all(in catalog: JSONValue) -> [CatalogMethod] {
    (catalog[key: "plugins"]?.array ?? []).flatMap { plugin in
      let rows = (plugin[key: "methods"]?.array ?? []) + (plugin[key: "offline"]?.array ?? [])
      return rows.compactMap { CatalogMethod($0, of: plugin[key: "id"]?.string ?? "") }
    }
  }

  /// What a library offers without a node.
  static func offline(of description: PluginDescription) -> [CatalogMethod] {
    description.offline.compactMap { row in
      guard let method = description.methods.first(where: { $0.signature.name == row.method }) else { return nil }
      return CatalogMethod(
        layer: description.id, signature: method.signature, summary: method.summary, isTransition: false,
        command: method.command, defaults: method.defaults, members: row.members)
    }
  }

  /// A row of the catalog's `offline`.
  var json: JSONValue {
    var row: [String: JSONValue] = [
      "name": .string(signature.name), "signature": .string(signature.description), "summary": .string(summary),
      "parameters": .array(
        signature.parameters.map { field in
          var parameter: [String: JSONValue] = ["name": .string(field.name), "type": .string(field.type.rawValue)]
          parameter["default"] = defaults[field.name]
          return .object(parameter)
        }),
    ]
    row["command"] = command.map { .string($0) }
    row["members"] = members.flatMap { OfflineMethod(method: signature.name, members: $0).json[key: "members"] }
    return .object(row)
  }

  private init(
    layer: String, signature: Signature, summary: String, isTransition: Bool, command: String?,
    defaults: [String: JSONValue], members: [OfflineMethod.Member]?
  ) {
    (self.layer, self.signature, self.summary, self.isTransition) = (layer, signature, summary, isTransition)
    (self.command, self.defaults, self.members) = (command, defaults, members)
  }

  private init?(_ method: JSONValue, of layer: String) {
    guard let text = method[key: "signature"]?.string, let signature = try? Signature(parsing: text) else { return nil }
    self.layer = layer
    self.signature = signature
    summary = method[key: "summary"]?.string ?? ""
    isTransition = method[key: "flags"]?.array?.contains(.string("transition")) ?? false
    command = method[key: "command"]?.string
    defaults = [:]
    for parameter in method[key: "parameters"]?.array ?? [] {
      if let name = parameter[key: "name"]?.string { defaults[name] = parameter[key: "default"] }
    }
    let row: JSONValue = .object(["method": .string(signature.name), "members": method[key: "members"] ?? .null])
    members = method[key: "members"] == nil ? nil : (try? OfflineMethod(json: row))?.members
  }

  /// What `--help` prints.
  var help: String {
    if let members, !members.isEmpty { return help(of: members) }
    var usage = "USAGE: symbolon \(commandLine)"
    for field in signature.parameters {
      let option = "--\(field.name.replacing("_", with: "-")) <\(field.type)>"
      usage += defaults[field.name] == nil ? " \(option)" : " [\(option)]"
    }
    var lines = ["\(summary).", "", usage]
    if !signature.parameters.isEmpty {
      let rows = signature.parameters.map { field in
        [
          "  --\(field.name.replacing("_", with: "-"))", field.type.rawValue,
          defaults[field.name].map { "default \($0.text)" } ?? Self.hint(field.type),
        ]
      }
      lines += ["", "ARGUMENTS (also without names, in this order):", Terminal.table(["  NAME", "TYPE", ""], rows)]
    }
    lines += ["", "Signature: \(signature)"]
    if isTransition { lines.append("Changes the ledger: signed with --wallet NAME (default: node).") }
    if isOffline { lines.append("Needs no node.") }
    lines.append("--json prints JSON.")
    return lines.joined(separator: "\n")
  }

  private func help(of members: [OfflineMethod.Member]) -> String {
    func shape(_ member: OfflineMethod.Member) -> String {
      switch member.type {
      case .flag: member.option
      case .texts: "\(member.option) <text> …"
      case .path, .document: "\(member.option) <file>"
      default: "\(member.option) <\(member.type.rawValue)>"
      }
    }
    var usage = "USAGE: symbolon \(commandLine)"
    for member in members where member.isPositional { usage += " <\(member.name)>" }
    for member in members where member.isRequired && !member.isPositional { usage += " " + shape(member) }
    let width = (members.map { shape($0).count }.max() ?? 0) + 4
    let rows = members.map { member in
      let name = "  " + shape(member)
      return Terminal.wrapped(name + String(repeating: " ", count: width - name.count) + member.summary, indent: width)
    }
    return (["\(summary).", "", usage + " [options]", ""] + rows + ["", "Needs no node. --json prints JSON."])
      .joined(separator: "\n")
  }

  private static func hint(_ type: ValueType) -> String {
    switch type {
    case .bytes: "hexadecimal, wallet:NAME for its account, or @FILE"
    case .text, .json: "as it is, @FILE, or - for standard input"
    case .bool: "true or false"
    default: ""
    }
  }
}
