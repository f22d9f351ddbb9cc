import EdgeCore
import Synchronization

/// Stands for the host: a catalog, and a closure for each method and route.
final class FakeDispatcher: Dispatcher {
  typealias Method = @Sendable (EdgeCall, (String) throws -> Void) throws -> Void
  typealias RouteMethod = @Sendable (EdgeCall, RouteRequest, ([UInt8]) throws -> Void) throws -> Void

  private let current: Mutex<(revision: UInt64, catalog: Catalog)>
  private let methods: [String: Method]
  private let routes: [String: RouteMethod]

  init(catalog: Catalog = .sample, methods: [String: Method] = [:], routes: [String: RouteMethod] = [:]) {
    current = Mutex((1, catalog))
    self.methods = methods
    self.routes = routes
  }

  func catalogRevision() -> UInt64 { current.withLock { $0.revision } }
  func catalog() throws(EdgeFailure) -> Catalog { current.withLock { $0.catalog } }

  /// What a reload does.
  func replaceCatalog(_ catalog: Catalog) {
    current.withLock { $0 = ($0.revision + 1, catalog) }
  }

  func call(_ call: EdgeCall, onMessage: (UnsafeRawBufferPointer) throws -> Void) throws(EdgeFailure) {
    guard let method = methods[call.method] else { throw EdgeFailure(.unimplemented, "no_fake", "No fake.") }
    try Self.typed { try method(call) { text in try Array(text.utf8).withUnsafeBytes { try onMessage($0) } } }
  }

  func callRoute(
    _ call: EdgeCall, request: RouteRequest, onMessage: (UnsafeRawBufferPointer) throws -> Void
  ) throws(EdgeFailure) {
    guard let route = routes[call.method] else { throw EdgeFailure(.unimplemented, "no_fake", "No fake.") }
    try Self.typed { try route(call, request) { bytes in try bytes.withUnsafeBytes { try onMessage($0) } } }
  }

  private static func typed(_ body: () throws -> Void) throws(EdgeFailure) {
    do {
      try body()
    } catch let failure as EdgeFailure {
      throw failure
    } catch {
      throw EdgeFailure(.internal, "test", "\(error)")
    }
  }
}

extension Catalog {
  /// One layer of each kind of method, and two declared routes.
  static let sample = Catalog(
    host: HostInfo(version: "0.1.0"), revision: 1,
    plugins: [
      Layer(
        id: "ledger", version: "0.1.0", summary: "Accounts & <credits>", state: "serving",
        methods: [
          Method(
            "balance", "balance(account: bytes) -> (amount: u64)", ["reads", "public"], [("account", "bytes")],
            [("amount", "u64")]),
          Method(
            "transfer", "transfer(to: bytes, amount: u64)", ["transition"], [("to", "bytes"), ("amount", "u64")], []),
          Method("act", "act(method: text) -> (receipt: json)", [], [("method", "text")], [("receipt", "json")]),
          Method(
            "watch", "watch(limit: u32) -> (blocks: stream<json>)", ["reads", "public"], [("limit", "u32")],
            [("blocks", "stream<json>")]),
        ], routes: []),
      Layer(
        id: "application", version: "0.2.0", summary: "The open API", state: "serving",
        methods: [
          Method(
            "http", "http(verb: text, path: text, headers: json, body: bytes) -> (response: stream<bytes>)", ["public"],
            [("verb", "text"), ("path", "text"), ("headers", "json"), ("body", "bytes")],
            [("response", "stream<bytes>")])
        ],
        routes: [
          Route(verb: "POST", path: "/v1/chat/completions", method: "http"),
          Route(verb: "GET", path: "/v1/models/{id}", method: "http"),
        ]),
    ])
}

extension Catalog.Method {
  init(
    _ name: String, _ signature: String, _ flags: [String], _ parameters: [(String, String)],
    _ results: [(String, String)]
  ) {
    self.init(
      name: name, signature: signature, summary: "Does \(name)", flags: flags,
      parameters: parameters.map { .init(name: $0.0, type: $0.1, default: $0.0 == "limit" ? .integer(50) : nil) },
      results: results.map { .init(name: $0.0, type: $0.1) }, calls: 7, errors: 1)
  }
}
