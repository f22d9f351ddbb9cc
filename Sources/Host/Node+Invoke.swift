import PluginAPI
import Synchronization

extension Node {
  /// A method by its full name; the error offers the nearest one.
  func method(
    _ name: String
  ) throws(HostError) -> (layer: Layer, method: String) {
    guard let dot = name.lastIndex(of: "."), case let id = String(name[..<dot]), let layer = layer(id),
      layer.generation != nil
    else { throw unknownMethod(name) }
    return (layer, String(name[name.index(after: dot)...]))
  }

  private func unknownMethod(_ name: String) -> HostError {
    for description in runningLayers.compactMap({ $0.generation?.description }) {
      for row in description.offline where name == "\(description.id).\(row.method)" {
        let command = description.methods.first { $0.signature.name == row.method }?.command
        return .refused(
          "needs_no_node",
          "`\(name)` runs in the process of its command and not in a node: `symbolon "
            + "\(command ?? "\(description.id) \(row.method)")`.")
      }
    }
    let known = runningLayers.flatMap { layer in
      (layer.generation?.methods.keys.map { "\(layer.id).\($0)" } ?? [])
    }
    let hint = Spelling.nearest(to: name, in: known).map { " Did you mean `\($0)`?" } ?? ""
    return .notFound("unknown_method", "There is no method `\(name)`.\(hint)")
  }

  /// Runs a method that a plugin names: the HTTP edge for its clients, the ledger for a transaction.
  func invoke(
    _ what: symbolon_invocation, from plugin: UnsafePointer<CChar>, in call: UnsafeMutablePointer<symbolon_call>,
    receive: (UnsafeRawBufferPointer) -> Int32
  ) -> Int32 {
    var child = ChildCall.make(of: call, caller: plugin)
    if what.allow_transition != 0 {
      child.origin = UInt32(SYMBOLON_ORIGIN_ACCOUNT)
      child.sender = what.sender
      child.transaction = what.transaction
    }
    let encoding: Invocation.Encoding = what.encoding == UInt32(SYMBOLON_ENCODING_CANONICAL) ? .canonical : .json
    return invoke(
      what.method.text, encoding, Array(what.arguments.buffer), allowTransition: what.allow_transition != 0, &child,
      receive)
  }

  /// Runs a method for the operator (the control socket).
  func invokeForOperator(
    _ name: String, _ arguments: [UInt8], receive: (UnsafeRawBufferPointer) -> Int32
  ) throws(HostError) {
    try RootCallFrame.run(origin: SYMBOLON_ORIGIN_OPERATOR) { call in
      invoke(name, arguments, call, receive: receive)
    }
  }

  /// Runs a method in a call that exists already, with its arguments as JSON.
  func invoke(
    _ name: String, _ arguments: [UInt8], _ call: UnsafeMutablePointer<symbolon_call>,
    receive: (UnsafeRawBufferPointer) -> Int32
  ) -> Int32 {
    invoke(name, .json, arguments, allowTransition: false, call, receive)
  }

  private func invoke(
    _ name: String, _ encoding: Invocation.Encoding, _ arguments: [UInt8], allowTransition: Bool,
    _ call: UnsafeMutablePointer<symbolon_call>, _ receive: (UnsafeRawBufferPointer) -> Int32
  ) -> Int32 {
    do throws(HostError) {
      let (layer, methodName) = try method(name)
      guard let target = layer.enter(call) else {
        throw .unavailable("no_provider", "The layer `\(layer.id)` is not running.")
      }
      defer { layer.leave(target) }
      guard let method = target.methods[methodName] else { throw unknownMethod(name) }
      try Self.check(name, method, call.pointee.origin, allowTransition)
      let parsed: Arguments
      switch encoding {
      case .canonical: parsed = try Arguments(canonical: arguments, for: method.signature)
      case .json:
        let json = arguments.isEmpty ? .object([:]) : try JSONValue(parsing: arguments)
        parsed = try Arguments(json: json, for: method.signature, defaults: method.defaults)
      }
      return Invocation(method: method, target: target, arguments: parsed, encoding: encoding)
        .perform(call, receive: receive)
    } catch {
      return error.write(to: call)
    }
  }

  private static func check(
    _ name: String, _ method: LoadedMethod, _ origin: UInt32, _ allowTransition: Bool
  ) throws(HostError) {
    if method.has(SYMBOLON_TRANSITION) {
      guard allowTransition else {
        throw .refused(
          "needs_transaction",
          "`\(name)` changes the ledger and runs only inside a signed transaction: `symbolon \(name.split(separator: ".").joined(separator: " "))` signs one, "
            + "over HTTP call ledger.prepare, sign the bytes with Ed25519 and send them to ledger.submit.")
      }
    } else if allowTransition {
      throw .invalid("not_a_transition", "`\(name)` is not a transition: it cannot be called by a transaction.")
    } else if origin == UInt32(SYMBOLON_ORIGIN_PUBLIC), !method.has(SYMBOLON_PUBLIC) {
      throw HostError(
        SYMBOLON_PERMISSION_DENIED, "not_public", "`\(name)` is for the operator: send the operator's token.")
    }
  }

  /// JSON arguments of a method in canonical form.
  func encode(_ name: String, _ json: [UInt8]) throws(HostError) -> [UInt8] {
    let (layer, methodName) = try method(name)
    guard let method = layer.generation?.methods[methodName] else { throw unknownMethod(name) }
    let value = json.isEmpty ? JSONValue.object([:]) : try JSONValue(parsing: json)
    return try Arguments(json: value, for: method.signature, defaults: method.defaults).canonical(for: method.signature)
  }

  // MARK: Catalog

  /// What runs here, as `services/catalog.h` describes it.
  func catalog() -> JSONValue {
    .object([
      "host": .object(["version": .string(Version.current)]),
      "revision": .unsigned(catalogRevision),
      "plugins": .array(runningLayers.compactMap { layer in layer.generation.map { describe(layer, $0) } }),
    ])
  }

  private func describe(_ layer: Layer, _ generation: Generation) -> JSONValue {
    let description = generation.description
    let worker = generation.home as? WorkerHome
    return .object([
      "confinement": worker?.confinement?.json ?? .null,
      "restarts": .unsigned(worker?.restarts ?? 0),
      "id": .string(layer.id), "version": .string(description.version), "summary": .string(description.summary),
      "library_sha256": .string(generation.entry.sha256), "generation": .unsigned(generation.number),
      "state": .string(state(of: layer, generation).state.rawValue), "home": .string(generation.home.kind.rawValue),
      // What was granted, not what was asked for: `edge.fetch` lets a plugin no further than this.
      "permissions": .array(generation.host.grants.permissions.map { .string($0.description) }),
      "running_calls": .integer(Int64(generation.running)),
      "methods": .array(description.methods.compactMap { generation.methods[$0.signature.name].map(Self.describe) }),
      "offline": .array(CatalogMethod.offline(of: description).map(\.json)),
      "routes": .array(
        description.routes.map {
          .object(["verb": .string($0.verb), "path": .string($0.path), "method": .string($0.method)])
        }),
    ])
  }

  private static func describe(_ method: LoadedMethod) -> JSONValue {
    let flags: [(Int, String)] = [
      (SYMBOLON_READS, "reads"), (SYMBOLON_TRANSITION, "transition"), (SYMBOLON_PUBLIC, "public"),
      (SYMBOLON_STREAMS, "streams"),
    ]
    var members: [String: JSONValue] = [
      "name": .string(method.signature.name), "signature": .string(method.signature.description),
      "summary": .string(method.summary),
      "flags": .array(flags.filter { method.has($0.0) }.map { .string($0.1) }),
      "parameters": .array(
        method.signature.parameters.map { field in
          var member: [String: JSONValue] = ["name": .string(field.name), "type": .string(field.type.rawValue)]
          member["default"] = method.defaults[field.name]
          return .object(member)
        }),
      "results": .array(
        method.signature.results.map {
          .object([
            "name": .string($0.name), "type": .string($0.isStream ? "stream<\($0.type)>" : $0.type.rawValue),
          ])
        }),
      "calls": .unsigned(method.counters.calls.load(ordering: .relaxed)),
      "errors": .unsigned(method.counters.errors.load(ordering: .relaxed)),
      "in_flight": .unsigned(method.counters.inFlight), "latency": method.counters.latency.snapshot().json,
    ]
    members["command"] = method.command.map { .string($0) }
    return .object(members)
  }
}
