import Glibc
import Synchronization

extension Node {
  /// Removes libraries from the store that neither run nor can be gone back to, once no transaction runs.
  func pruneSoon() {
    guard !isPruning.exchange(true, ordering: .acquiringAndReleasing) else { return }
    Thread.detach(named: "prune") { [self] in
      defer { isPruning.store(false, ordering: .releasing) }
      for _ in 0..<100 {
        // The transaction that asked for it has a moment to end.
        usleep(50_000)
        if desk.ifIdle(serve: serve, pruneStore) { return }
      }
    }
  }

  /// Keeps what runs, what is kept warm, what is configured, and what the history may go back to; quarantines are
  /// kept there too, so that a quarantined library needs no file to stay forbidden.
  func pruneStore() {
    var needed = history.needed()
    for layer in runningLayers {
      if let generation = layer.generation { needed.insert(generation.entry.sha256) }
      if let old = desk.probation(layer.id)?.transaction?.old { needed.insert(old.entry.sha256) }
    }
    needed.formUnion(loading.findings().map(\.sha256))
    for sha256 in store.prune(keeping: needed) { descriptions.forget(sha256) }
  }
}
