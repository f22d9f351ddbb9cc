import PluginAPI

/// What a plugin library says of itself: a plain value without code addresses, the same in every home.
///
/// It is read from the library's own tables, or from the JSON that a child process printed; both are checked alike.
package struct PluginDescription: Equatable, Sendable {
  package var id: String
  package var version: String
  package var summary: String
  /// The contract that the library was built for.
  package var abi: UInt32
  package var flags: UInt32
  package var methods: [Method] = []
  package var imports: [Import] = []
  package var routes: [Route] = []
  /// What it asks for besides its imports, sorted.
  package var permissions: [Permission] = []
  /// The state that it hands to its next version; nil when it has none.
  package var state: StateSchema?
  /// Commands that need no node.
  package var offline: [OfflineMethod] = []

  /// A row of the method table.
  package struct Method: Equatable, Sendable {
    package var signature: Signature
    package var summary: String
    package var flags: UInt32
    package var defaults: [String: JSONValue]
    package var command: String?
    /// How long a call may take when its caller names no deadline; 0 when the plugin names none.
    package var deadlineMs: UInt32 = 0
  }

  /// A row of the import table.
  package struct Import: Equatable, Sendable {
    package var plugin: String
    package var signature: Signature
    package var isOptional: Bool
  }

  package struct Route: Equatable, Sendable {
    package var verb: String
    package var path: String
    package var method: String
  }

  /// What `symbolon/extensions/state.h` says of a plugin's state.
  package struct StateSchema: Equatable, Sendable {
    package var id: String
    package var version: UInt32
    /// Versions that it reads, ascending.
    package var imports: [UInt32]
    /// Versions that it writes, ascending.
    package var exports: [UInt32]
  }

  /// Limits on what a description may hold.
  package enum Limit {
    package static let methods = 512
    package static let imports = 512
    package static let routes = 256
    package static let permissions = 256
    package static let stateVersions = 64
    package static let textBytes = 1024
    package static let offlineMethods = 64
    package static let offlineMembers = 64
  }

  /// Holds something that two generations cannot hold at once.
  package var isExclusive: Bool { flags & UInt32(SYMBOLON_PLUGIN_EXCLUSIVE) != 0 }
  /// Lets the outside in: started last, stopped first.
  package var isFront: Bool { flags & UInt32(SYMBOLON_PLUGIN_FRONT) != 0 }
}

// MARK: Checks

extension PluginDescription {
  /// Checks everything that the contract asks of a description.
  package func check(expecting expected: String) throws(HostError) {
    guard abi <= UInt32(SYMBOLON_ABI) else {
      throw .invalid(
        "newer_abi",
        "The library of `\(expected)` was built for ABI \(abi); this host speaks \(SYMBOLON_ABI): update the host.")
    }
    guard flags & ~UInt32(SYMBOLON_PLUGIN_EXCLUSIVE | SYMBOLON_PLUGIN_FRONT) == 0 else {
      throw .invalid("unknown_flags", "The library of `\(expected)` sets plugin flags that this host does not know.")
    }
    for (field, text) in [("id", id), ("version", version), ("summary", summary)]
    where text.isEmpty || text.utf8.count > Limit.textBytes {
      throw .invalid("bad_description", "The library of `\(expected)` gives no valid \(field).")
    }
    guard id == expected else {
      throw .invalid(
        "other_plugin",
        "[plugin.\(expected)] names a library that calls itself `\(id)`: rename the table or the library.")
    }
    guard methods.count <= Limit.methods, imports.count <= Limit.imports, routes.count <= Limit.routes else {
      throw .invalid(
        "bad_description",
        "`\(id)` has more than \(Limit.methods) methods, \(Limit.imports) imports or \(Limit.routes) routes.")
    }
    try checkMethods()
    try checkRoutes()
    guard permissions.count <= Limit.permissions else {
      throw .invalid("bad_description", "`\(id)` asks for more than \(Limit.permissions) permissions.")
    }
    if let state { try check(state) }
    try checkOffline()
  }

  private func check(_ state: StateSchema) throws(HostError) {
    guard !state.id.isEmpty, state.id.utf8.count <= Limit.textBytes, state.version > 0,
      state.imports.contains(state.version), state.exports.contains(state.version),
      state.imports.count <= Limit.stateVersions, state.exports.count <= Limit.stateVersions
    else {
      throw .invalid(
        "bad_state", "The state of `\(id)` needs an id, a version from 1, and that version in both of its lists.")
    }
  }

  private func checkMethods() throws(HostError) {
    let known = UInt32(SYMBOLON_READS | SYMBOLON_TRANSITION | SYMBOLON_PUBLIC | SYMBOLON_STREAMS)
    var names: Set<String> = []
    for method in methods {
      let signature = method.signature
      guard method.flags & ~known == 0, signature.streams == (method.flags & UInt32(SYMBOLON_STREAMS) != 0) else {
        throw .invalid("bad_flags", "`\(id).\(signature.name)` has flags that do not fit its signature.")
      }
      guard names.insert(signature.name).inserted else {
        throw .invalid("method_twice", "The library of `\(id)` offers `\(signature.name)` twice.")
      }
      guard method.defaults.keys.allSatisfy({ name in signature.parameters.contains { $0.name == name } }) else {
        throw .invalid("bad_defaults", "The defaults of `\(id).\(signature.name)` do not fit its signature.")
      }
    }
  }

  private func checkRoutes() throws(HostError) {
    for route in routes {
      guard let method = methods.first(where: { $0.signature.name == route.method }),
        method.signature.parameters.map(\.type) == [.text, .text, .json, .bytes], method.signature.streams
      else {
        throw .invalid(
          "bad_route", "The route \(route.verb) \(route.path) of `\(id)` names no method of the right form.")
      }
    }
  }
}

// MARK: JSON

extension PluginDescription {
  /// The form in which a description crosses a process border.
  package var json: JSONValue {
    var members: [String: JSONValue] = [
      "id": .string(id), "version": .string(version), "summary": .string(summary), "abi": .unsigned(UInt64(abi)),
      "flags": .unsigned(UInt64(flags)),
      "methods": .array(
        methods.map { method in
          var members: [String: JSONValue] = [
            "signature": .string(method.signature.description), "summary": .string(method.summary),
            "flags": .unsigned(UInt64(method.flags)), "defaults": .object(method.defaults),
          ]
          members["command"] = method.command.map { .string($0) }
          if method.deadlineMs > 0 { members["deadline_ms"] = .unsigned(UInt64(method.deadlineMs)) }
          return .object(members)
        }),
      "imports": .array(
        imports.map {
          .object([
            "plugin": .string($0.plugin), "signature": .string($0.signature.description),
            "optional": .bool($0.isOptional),
          ])
        }),
      "routes": .array(
        routes.map {
          .object(["verb": .string($0.verb), "path": .string($0.path), "method": .string($0.method)])
        }),
      "permissions": .array(permissions.map { .string($0.description) }),
    ]
    members["state"] = state.map {
      .object([
        "id": .string($0.id), "version": .unsigned(UInt64($0.version)),
        "imports": .array($0.imports.map { .unsigned(UInt64($0)) }),
        "exports": .array($0.exports.map { .unsigned(UInt64($0)) }),
      ])
    }
    if !offline.isEmpty { members["offline"] = .array(offline.map(\.json)) }
    return .object(members)
  }

  /// Reads what another process wrote; `check` still has to be asked.
  package init(json: JSONValue) throws(HostError) {
    func text(_ value: JSONValue, _ key: String) throws(HostError) -> String {
      guard let text = value[key: key]?.string else { throw Self.malformed(key) }
      return text
    }
    func number(_ value: JSONValue, _ key: String) throws(HostError) -> UInt32 {
      guard let number = value[key: key]?.unsigned.flatMap({ UInt32(exactly: $0) }) else { throw Self.malformed(key) }
      return number
    }
    func rows(_ key: String) throws(HostError) -> [JSONValue] {
      guard let rows = json[key: key]?.array else { throw Self.malformed(key) }
      return rows
    }
    (id, version, summary) = (try text(json, "id"), try text(json, "version"), try text(json, "summary"))
    (abi, flags) = (try number(json, "abi"), try number(json, "flags"))
    for row in try rows("methods") {
      methods.append(
        Method(
          signature: try Signature(parsing: try text(row, "signature")), summary: try text(row, "summary"),
          flags: try number(row, "flags"), defaults: row[key: "defaults"]?.object ?? [:],
          command: row[key: "command"]?.string,
          deadlineMs: row[key: "deadline_ms"] == nil ? 0 : try number(row, "deadline_ms")))
    }
    for row in try rows("imports") {
      imports.append(
        Import(
          plugin: try text(row, "plugin"), signature: try Signature(parsing: try text(row, "signature")),
          isOptional: row[key: "optional"] == .bool(true)))
    }
    for row in try rows("routes") {
      routes.append(
        Route(verb: try text(row, "verb"), path: try text(row, "path"), method: try text(row, "method")))
    }
    for value in json[key: "permissions"]?.array ?? [] {
      guard let text = value.string else { throw Self.malformed("permissions") }
      permissions.append(try Permission(parsing: text))
    }
    if let value = json[key: "state"], value != .null { state = try Self.state(value) }
    for row in json[key: "offline"]?.array ?? [] { offline.append(try OfflineMethod(json: row)) }
  }

  private static func state(_ value: JSONValue) throws(HostError) -> StateSchema {
    func versions(_ key: String) throws(HostError) -> [UInt32] {
      try (value[key: key]?.array ?? []).map { item throws(HostError) in
        guard let version = item.unsigned.flatMap({ UInt32(exactly: $0) }) else { throw malformed("state.\(key)") }
        return version
      }
    }
    guard let id = value[key: "id"]?.string,
      let version = value[key: "version"]?.unsigned.flatMap({ UInt32(exactly: $0) })
    else { throw malformed("state") }
    return StateSchema(id: id, version: version, imports: try versions("imports"), exports: try versions("exports"))
  }

  static func malformed(_ key: String) -> HostError {
    .invalid("bad_description", "A plugin's description lacks a valid `\(key)`.")
  }
}
