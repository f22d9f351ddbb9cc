/// Who must run before whom, and whether everything that is needed is there.
enum LoadOrder {
  /// Checks that the plugins fit together and puts them in the order in which they start.
  static func arrange(_ plugins: [PluginDescription]) throws(HostError) -> [PluginDescription] {
    let sorted = try sort(plugins)
    try checkImports(sorted)
    try checkNames(sorted)
    return sorted
  }

  /// Providers before importers; optional imports count when their provider is there.
  ///
  /// Cycles through optional imports are cut, other cycles are refused.
  private static func sort(_ plugins: [PluginDescription]) throws(HostError) -> [PluginDescription] {
    let known = Dictionary(uniqueKeysWithValues: plugins.map { ($0.id, $0) })
    var sorted: [PluginDescription] = []
    var done: Set<String> = []
    var path: [String] = []
    func visit(_ plugin: PluginDescription) throws(HostError) {
      guard !done.contains(plugin.id) else { return }
      path.append(plugin.id)
      for need in plugin.imports.filter({ !$0.isOptional }) + plugin.imports.filter(\.isOptional) {
        guard need.plugin != plugin.id, let provider = known[need.plugin], !done.contains(provider.id) else {
          continue
        }
        if path.contains(provider.id) {
          if need.isOptional { continue }
          throw .invalid(
            "import_cycle", "The layers \(path.joined(separator: " → ")) → \(provider.id) need each other in a circle.")
        }
        try visit(provider)
      }
      path.removeLast()
      done.insert(plugin.id)
      sorted.append(plugin)
    }
    let ordered = plugins.sorted { ($0.isFront ? 1 : 0, $0.id) < ($1.isFront ? 1 : 0, $1.id) }
    for plugin in ordered { try visit(plugin) }
    return sorted
  }

  /// Every required import has a provider with exactly that signature.
  private static func checkImports(_ plugins: [PluginDescription]) throws(HostError) {
    for plugin in plugins {
      for need in plugin.imports {
        let name = "\(need.plugin).\(need.signature.name)"
        guard let provider = plugins.first(where: { $0.id == need.plugin }) else {
          if need.isOptional { continue }
          throw .invalid(
            "missing_import",
            "`\(plugin.id)` needs `\(name)`, which nobody provides: add [plugin.\(need.plugin)] to plugins.conf, or remove [plugin.\(plugin.id)]."
          )
        }
        let offered = provider.methods.first { $0.signature.name == need.signature.name }
        guard offered?.signature == need.signature else {
          throw .invalid(
            "import_mismatch",
            "`\(plugin.id)` needs `\(need.plugin).\(need.signature)`, but version \(provider.version) of `\(need.plugin)` offers "
              + (offered.map { "`\($0.signature)`" } ?? "no such method") + ".")
        }
      }
    }
  }

  /// No two layers claim the same route or the same second name on the command line.
  private static func checkNames(_ plugins: [PluginDescription]) throws(HostError) {
    var claimed: [String: String] = [:]
    for plugin in plugins {
      let claims =
        plugin.routes.map { "the route \($0.verb) \($0.path)" }
        + plugin.methods.compactMap { $0.command.map { "the command `symbolon \($0)`" } }
      for claim in claims {
        if let other = claimed[claim] {
          throw .invalid("name_taken", "`\(plugin.id)` and `\(other)` both claim \(claim): remove one of them.")
        }
        claimed[claim] = plugin.id
      }
    }
  }
}
