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
    /// `/openapi.json`, made once: whoever asks for it again and again costs no more than the sending.
    var document: [UInt8]

    init(revision: UInt64, catalog: Catalog, title: String) {
      self.revision = revision
      self.catalog = catalog
      table = RouteTable(catalog)
      document = Array(OpenAPI.document(catalog, title: title).utf8)
      methods = [:]
      for layer in catalog.plugins {
        for method in layer.methods { methods["\(layer.id).\(method.name)"] = method }
      }
    }
  }

  private let dispatcher: any Dispatcher
  private let pool: CallPool
  private let title: String
  private let known = Mutex<Snapshot?>(nil)

  init(dispatcher: any Dispatcher, pool: CallPool, title: String) {
    self.title = title
    self.dispatcher = dispatcher
    self.pool = pool
  }

  func current() async throws(EdgeFailure) -> Snapshot {
    let revision = dispatcher.catalogRevision()
    if let known = known.withLock({ $0 }), known.revision == revision { return known }
    let snapshot = try await aside { [dispatcher, title] () throws(EdgeFailure) in
      Snapshot(revision: revision, catalog: try dispatcher.catalog(), title: title)
    }
    known.withLock { $0 = snapshot }
    return snapshot
  }

  /// The host's catalog with the counts of this moment.
  func fresh() async throws(EdgeFailure) -> Catalog {
    try await aside { [dispatcher] () throws(EdgeFailure) in try dispatcher.catalog() }
  }

  /// Runs what takes a while away from the event loops.
  private func aside<R: Sendable>(
    _ body: @escaping @Sendable () throws(EdgeFailure) -> R
  ) async throws(EdgeFailure) -> R {
    do {
      return try await pool.runAside { try body() }
    } catch let failure as EdgeFailure {
      throw failure
    } catch {
      throw EdgeFailure(.unavailable, "stopping", "The edge is stopping: send the request again.")
    }
  }
}
