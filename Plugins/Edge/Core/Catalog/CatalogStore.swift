import Synchronization

/// The catalog in force, with what is derived from it; read again when the host says that it changed.
final class CatalogStore: Sendable {
  /// One catalog and the tables made of it.
  struct Snapshot: Sendable {
    var revision: UInt64
    var catalog: Catalog
    var table: RouteTable
    /// By `layer.method`.
    var methods: [String: Catalog.Method]

    init(revision: UInt64, catalog: Catalog) {
      self.revision = revision
      self.catalog = catalog
      table = RouteTable(catalog)
      methods = [:]
      for layer in catalog.plugins {
        for method in layer.methods { methods["\(layer.id).\(method.name)"] = method }
      }
    }
  }

  private let dispatcher: any Dispatcher
  private let pool: CallPool
  private let known = Mutex<Snapshot?>(nil)

  init(dispatcher: any Dispatcher, pool: CallPool) {
    self.dispatcher = dispatcher
    self.pool = pool
  }

  func current() async throws(EdgeFailure) -> Snapshot {
    let revision = dispatcher.catalogRevision()
    if let known = known.withLock({ $0 }), known.revision == revision { return known }
    let snapshot = Snapshot(revision: revision, catalog: try await fresh())
    known.withLock { $0 = snapshot }
    return snapshot
  }

  /// The host's catalog with the counts of this moment.
  func fresh() async throws(EdgeFailure) -> Catalog {
    do {
      return try await pool.runAside { [dispatcher] in try dispatcher.catalog() }
    } catch let failure as EdgeFailure {
      throw failure
    } catch {
      throw EdgeFailure(.unavailable, "stopping", "The edge is stopping: send the request again.")
    }
  }
}
