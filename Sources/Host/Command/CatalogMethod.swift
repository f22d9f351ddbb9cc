/// A method as the catalog of a running node describes it.
struct CatalogMethod {
  var layer: String
  var signature: Signature
  var summary: String
  var isTransition: Bool
  var command: String?
  var defaults: [String: JSONValue]

  var name: String { "\(layer).\(signature.name)" }

  /// How it is typed after `symbolon`.
  var commandLine: String { command ?? "\(layer) \(signature.name)" }

  static func all(in catalog: JSONValue) -> [CatalogMethod] {
    (catalog[key: "plugins"]?.array ?? []).flatMap { plugin in
      (plugin[key: "methods"]?.array ?? []).compactMap { CatalogMethod($0, of: plugin[key: "id"]?.string ?? "") }
    }
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
  }

  /// What `--help` prints.
  var help: String {
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
    lines.append("--json prints JSON.")
    return lines.joined(separator: "\n")
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
