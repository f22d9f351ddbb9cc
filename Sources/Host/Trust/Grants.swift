/// What one generation of a plugin may use: what it asked for, within what the operator allows.
package struct Grants: Equatable, Sendable {
  /// Sorted; an import counts as `call:plugin.method`.
  package let permissions: [Permission]

  package static let none = Grants(permissions: [])

  init(permissions: [Permission]) { self.permissions = permissions }

  /// The meeting of both; `limit` is the list of `[plugin.X] permissions`, nil when the operator sets none.
  package init(requested: [Permission], limit: [Permission]?) {
    guard let limit else {
      permissions = requested.sorted()
      return
    }
    var met: Set<Permission> = []
    for asked in requested {
      for allowed in limit {
        if allowed.includes(asked) { met.insert(asked) } else if asked.includes(allowed) { met.insert(allowed) }
      }
    }
    permissions = met.sorted()
  }

  /// What a plugin is granted: an import by its declaration, unless the operator's list names calls; then by that.
  package init(for plugin: PluginDescription, limit: [Permission]?) {
    let requested = Self.requested(by: plugin)
    guard let limit, !limit.contains(where: { $0.kind == .call }) else {
      self.init(requested: requested, limit: limit)
      return
    }
    let held = Grants(requested: plugin.permissions, limit: limit).permissions
    self.init(permissions: Set(held + Self.imported(by: plugin)).sorted())
  }

  /// Everything that a plugin asks for: its permissions, and its imports as calls.
  package static func requested(by plugin: PluginDescription) -> [Permission] {
    Set(plugin.permissions + imported(by: plugin)).sorted()
  }

  private static func imported(by plugin: PluginDescription) -> [Permission] {
    plugin.imports.map { Permission(.call, "\($0.plugin).\($0.signature.name)") }
  }

  /// True when one grant of the kind covers the name.
  package func allows(_ kind: Permission.Kind, _ name: String) -> Bool {
    permissions.contains { $0.kind == kind && $0.covers(name) }
  }

  /// True when there is any grant of the kind.
  package func has(_ kind: Permission.Kind) -> Bool { permissions.contains { $0.kind == kind } }
}

extension Permission {
  /// True when whoever holds this permission needs no grant of the other.
  package func includes(_ other: Permission) -> Bool {
    guard kind == other.kind else { return false }
    switch kind {
    case .memory: return (UInt64(value) ?? 0) >= (UInt64(other.value) ?? .max)
    case .read, .write:
      let folder = value.hasSuffix("/") ? String(value.dropLast()) : value
      return other.value == value || other.value == folder || other.value.hasPrefix("\(folder)/")
    case .connect: return value == other.value
    case .service, .call, .publish, .subscribe, .host: return covers(other.value)
    }
  }
}

// MARK: What may be done

extension Grants {
  /// Services that only a permission opens; the others are for every plugin.
  static let guarded: Set<String> = [
    "symbolon.catalog/1", "symbolon.events/1", "symbolon.identity/1", "symbolon.invoke/1", "symbolon.sockets/1",
  ]

  /// True when the plugin may have the table of a service.
  package func allowsService(_ id: String) -> Bool {
    guard Self.guarded.contains(id), !allows(.service, id) else { return true }
    switch id {
    case "symbolon.events/1": return has(.publish) || has(.subscribe)
    case "symbolon.invoke/1": return has(.call)
    default: return false
    }
  }

  /// Topics of the plugin itself are its own; of others it needs a grant, and the host's news come from the host alone.
  package func allowsPublishing(_ topic: String, by plugin: String) -> Bool {
    !topic.hasPrefix("host.") && (topic.hasPrefix("\(plugin).") || allows(.publish, topic))
  }

  /// Its own topics and the host's news are free.
  package func allowsSubscribing(_ topic: String, by plugin: String) -> Bool {
    topic.hasPrefix("\(plugin).") || topic.hasPrefix("host.") || allows(.subscribe, topic)
  }

  package func allowsCall(_ method: String) -> Bool { allows(.call, method) }
}

extension HostError {
  /// A refusal that names the line to add.
  static func notGranted(_ permission: Permission, to plugin: String) -> HostError {
    HostError(
      7, "not_granted",
      "`\(plugin)` was not granted `\(permission)`: it has to ask for it (symbolon.permissions/1), and `permissions` "
        + "in [plugin.\(plugin)], where there is such a line, has to allow it.")
  }
}
