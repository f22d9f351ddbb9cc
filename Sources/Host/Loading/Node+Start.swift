import Glibc
import Logging
import Synchronization

extension Node {
  /// A plugin with the library that is to run.
  struct Choice {
    var plugin: Configuration.Plugin
    /// The hash of the file that plugins.conf names.
    var configured: String
    var entry: LibraryStore.Entry
    var description: PluginDescription
  }

  /// Loads and starts every enabled plugin of the configuration in dependency order; all or nothing.
  ///
  /// In safe mode the plugins that the last start died with stay out, and those that need them.
  func startAll(safeMode: Bool = false) throws(HostError) {
    var chosen: [Choice] = []
    let suspects = loading.findings()
    for plugin in configuration.plugins where plugin.enabled {
      if let choice = try choose(plugin, suspects, safeMode: safeMode) { chosen.append(choice) }
    }
    let order = try LoadOrder.arrange(fitting(chosen.map(\.description)))
    var started: [Generation] = []
    do throws(HostError) {
      for description in order {
        for choice in chosen where choice.description.id == description.id {
          try loading.set(choice.plugin.id, sha256: choice.entry.sha256)
          defer { loading.remove(choice.plugin.id) }
          started.append(try startGeneration(try openCandidate(choice.entry, choice.plugin)))
        }
      }
      for generation in started {
        try recordStart(generation, configured: chosen.first { $0.plugin.id == generation.id }?.configured ?? "")
      }
    } catch {
      for generation in started.reversed() { retire(generation, of: place(generation.id)) }
      throw error
    }
    catalogChanged()
    keepGoodConfiguration()
    pruneSoon()
  }

  /// What is to run for a plugin; nil when it stays out.
  private func choose(
    _ plugin: Configuration.Plugin, _ suspects: [LoadingMarker.Finding], safeMode: Bool
  ) throws(HostError) -> Choice? {
    let configured = try stage(plugin)
    var wanted = selectLibrary(plugin.id, configured: configured)
    while let entry = permitted(wanted, plugin.id) {
      guard try !isSuspect(plugin.id, entry, suspects, safeMode: safeMode) else { return nil }
      do throws(HostError) {
        let description = try describe(entry, plugin)
        return Choice(plugin: plugin, configured: configured.sha256, entry: entry, description: description)
      } catch {
        // A library that ended the child is quarantined now: the last permanent one has its turn.
        guard history.quarantined(entry.sha256) != nil else { throw error }
        wanted = entry
      }
    }
    return nil
  }

  /// The configured library, or the one that a reload put in its place while the configured file stayed the same.
  func selectLibrary(_ id: String, configured: LibraryStore.Entry) -> LibraryStore.Entry {
    guard let serving = history.serving(id), serving.configured == configured.sha256,
      serving.sha256 != configured.sha256, access(serving.path, R_OK) == 0
    else { return configured }
    logger.info(
      "runs the library of a reload, not the configured one",
      metadata: ["plugin": "\(id)", "version": "\(serving.version)", "library": "\(serving.sha256)"])
    return serving.entry
  }

  /// The hash of the file that plugins.conf names.
  func configuredHash(_ id: String) throws(HostError) -> String {
    guard let plugin = configuration.plugins.first(where: { $0.id == id }) else { return "" }
    return try stage(plugin).sha256
  }

  /// This library, or the last permanent one when this one is quarantined; nil when the plugin stays out.
  private func permitted(_ entry: LibraryStore.Entry, _ id: String) -> LibraryStore.Entry? {
    guard let reason = history.quarantined(entry.sha256) else { return entry }
    let other = history.permanent(id, otherThan: entry.sha256)
    logger.warning(
      other == nil ? "plugin stays out: its library is quarantined" : "runs the last permanent library",
      metadata: ["plugin": "\(id)", "quarantined": "\(entry.sha256)", "reason": "\(reason)"])
    if other == nil { forbid(id, reason: "Its library is quarantined: \(reason)") }
    return other
  }

  /// True when the last start died while it loaded this very library; outside of safe mode that ends the start.
  private func isSuspect(
    _ id: String, _ entry: LibraryStore.Entry, _ suspects: [LoadingMarker.Finding], safeMode: Bool
  ) throws(HostError) -> Bool {
    guard let finding = suspects.first(where: { $0.id == id }) else { return false }
    guard finding.sha256 == entry.sha256 else {
      logger.warning(
        "a reload was interrupted: the old library runs", metadata: ["plugin": "\(id)", "library": "\(finding.sha256)"])
      loading.remove(id)
      return false
    }
    guard safeMode else {
      throw .refused(
        "died_while_loading",
        "The last start ended while it loaded `\(id)`, so it is not tried again by itself: `symbolon run --safe-mode` "
          + "starts without `\(id)`, where `symbolon plugin reload \(id) --library FILE` brings in another build. If the "
          + "node was killed from outside, remove \(loading.folder)/\(id) and start it again.")
    }
    forbid(id, reason: "Safe mode: the last start ended while it loaded this plugin.")
    logger.warning("safe mode: plugin stays out", metadata: ["plugin": "\(id)"])
    return true
  }

  /// Leaves out what needs a plugin that stays out.
  private func fitting(_ plugins: [PluginDescription]) -> [PluginDescription] {
    var plugins = plugins
    while let index = plugins.firstIndex(where: { plugin in
      plugin.imports.contains { !$0.isOptional && forbidden[$0.plugin] != nil }
    }) {
      let plugin = plugins.remove(at: index)
      let missing = plugin.imports.first { !$0.isOptional && forbidden[$0.plugin] != nil }?.plugin ?? ""
      forbid(plugin.id, reason: "It needs `\(missing)`, which stays out.")
      logger.warning("plugin stays out", metadata: ["plugin": "\(plugin.id)", "needs": "\(missing)"])
    }
    return plugins
  }

  /// A library that has never been permanent is watched first, unless there is nothing to go back to.
  func recordStart(_ generation: Generation, configured: String) throws(HostError) {
    let (id, entry) = (generation.id, generation.entry)
    let serving = history.serving(id)
    let isKnown = history.entries(id).contains { $0.sha256 == entry.sha256 && $0.to == .permanent }
    let state: ReloadState = isKnown || history.permanent(id) == nil && serving == nil ? .permanent : .probation
    if serving?.sha256 != entry.sha256 || serving?.configured != configured || serving?.to != state {
      var event = PluginHistory.Event(
        sha256: entry.sha256, path: entry.path, version: generation.description.version, generation: generation.number,
        to: state, by: "start")
      event.configured = configured
      try history.record(id, event)
    }
    guard state == .probation else { return }
    let policy = configuration.plugins.first { $0.id == id }?.reload ?? Configuration.ReloadPolicy()
    Probation(generation, node: self).begin(policy)
  }

  // MARK: Descriptions

  /// What a stored library says of itself, learnt from a child process the first time.
  func describe(
    _ entry: LibraryStore.Entry, _ plugin: Configuration.Plugin
  ) throws(HostError) -> PluginDescription {
    if let known = descriptions.find(entry.sha256) {
      try known.check(expecting: plugin.id)
      return known
    }
    let verdict = try examine(entry, plugin)
    let description: PluginDescription
    do throws(HostError) {
      description = try DescribeChild.run(entry, plugin, home: verdict.home)
      try verdict.manifest?.match(description)
    } catch {
      if DescribeChild.crashCodes.contains(error.code) {
        try history.quarantine(plugin.id, sha256: entry.sha256, reason: error.message, by: "describe")
      }
      throw error
    }
    descriptions.keep(description, for: entry.sha256)
    return description
  }

  /// The library says the same here as in the child.
  func compare(
    _ here: PluginDescription, with entry: LibraryStore.Entry, _ plugin: Configuration.Plugin
  ) throws(HostError) {
    guard try describe(entry, plugin) != here else { return }
    // A description that an older host wrote down may lack something: ask once more.
    descriptions.forget(entry.sha256)
    guard try describe(entry, plugin) != here else { return }
    throw .refused(
      "two_faced", "The library of `\(plugin.id)` says something else of itself in the node than in another process.")
  }
}
