import Logging

extension Node {
  /// Checks what must hold of a stored library before any of its code runs, and says where it runs.
  ///
  /// That is its pin, its seal, its signature, the policy, and that it is still the file that was stored.
  func examine(_ entry: LibraryStore.Entry, _ plugin: Configuration.Plugin) throws(HostError) -> TrustCheck.Verdict {
    let source = (try? LibrarySearch(configuration).resolve(plugin.library)) ?? entry.path
    let verdict = try TrustCheck(configuration.trust).check(entry, plugin, source: source)
    try store.verify(entry)
    return verdict
  }
}
