import HTTPTypes
import HummingbirdCore
import NIOCore

/// Answers requests: finds who is asked, checks who asks, and writes what comes back.
struct Responder: Sendable {
  let dispatcher: any Dispatcher
  let settings: EdgeSettings
  let pace: Pace
  let gate: Gate
  let pool: CallPool
  let streams: StreamRegistry
  let budget: ByteBudget
  let streamMemory: ByteBudget
  let catalogs: CatalogStore
  let metrics: Metrics
  let log: EdgeLog
  let isStopping: @Sendable () -> Bool

  /// One request, and what is known of it so far.
  struct Exchange: Sendable {
    let request: Request
    let channel: any Channel
    let connection: Connection
    let cancellation: Cancellation
    /// Which request of its connection this is.
    let number: Int
    let id: RequestID
    let trace: TraceContext
    /// The route's name in metrics.
    var pattern = "(none)"
    /// Bytes of the request's body.
    var received = 0
    var allowedOrigin: String?
    /// Who asks, once somebody wanted to know.
    var access: Access?

    var verb: String { request.method.rawValue }
    var path: String { request.head.path ?? "/" }
    /// The path without the query.
    var barePath: String { path.firstIndex(of: "?").map { String(path[..<$0]) } ?? path }
    var isSafe: Bool { verb == "GET" || verb == "HEAD" || verb == "OPTIONS" }
  }

  /// Ends a connection whose response cannot be ended well.
  struct Aborted: Error {}

  /// hummingbird's responder: one request of a connection, from its head to the answer's end.
  func respond(
    to request: Request, writer: consuming ResponseWriter, channel: any Channel, connection: Connection
  ) async throws {
    let started = ContinuousClock.now
    metrics.requestBegan()
    let cancellation = Cancellation()
    let id = RequestID()
    var exchange = Exchange(
      request: request, channel: channel, connection: connection, cancellation: cancellation,
      number: connection.begin(cancellation), id: id,
      trace: TraceContext(traceparent: request.headers[.traceparent], request: id))
    var reply: Reply
    do {
      reply = try await answer(&exchange)
    } catch {
      metrics.refused(error.code)
      reply = Reply(error)
    }
    finishHeaders(&reply, exchange)
    var sent = 0
    defer {
      connection.end()
      budget.give(back: exchange.received)
      cancellation.forget()
      record(exchange, reply, took: .now - started, sent: sent)
    }
    do {
      sent = try await write(reply, writer, exchange)
    } catch {
      // Whoever still works on the answer learns that nobody takes it.
      cancellation.cancel()
      throw error
    }
  }

  /// The answer's content; failures become answers above.
  private func answer(_ exchange: inout Exchange) async throws(EdgeFailure) -> Reply {
    let head = exchange.request.head
    try gate.checkHost(head.authority)
    // The first became the authority; whoever stands before this node may have looked at another.
    guard head.headerFields[.secondHost] == nil else {
      throw EdgeFailure(
        .invalidArgument, "two_hosts", "The request has more than one `Host` header.", parameter: "host")
    }
    guard exchange.path.utf8.count <= 8192 else {
      throw EdgeFailure(.invalidArgument, "uri_too_long", "The request's address is longer than 8 KiB.", http: 414)
    }
    let origin = head.headerFields[.origin]
    exchange.allowedOrigin = try gate.checkOrigin(origin, authority: head.authority, isSafe: exchange.isSafe)
    if let preflight = preflight(exchange) { return preflight }
    let snapshot = try await catalogs.current()
    switch snapshot.table.match(verb: exchange.verb, path: exchange.barePath) {
    case .unknown:
      throw EdgeFailure(
        .notFound, "unknown_path", "Nothing answers this path; /openapi.json lists what does.")
    case .wrongVerb(let allowed, let pattern):
      exchange.pattern = pattern
      let list = allowed.joined(separator: ", ")
      throw EdgeFailure(
        .invalidArgument, "method_not_allowed", "This path takes \(list).", http: 405, headers: ["allow": list])
    case .found(let target, let pattern):
      exchange.pattern = pattern
      return try await answer(target, snapshot, &exchange)
    }
  }

  private func answer(
    _ target: RouteTable.Target, _ snapshot: CatalogStore.Snapshot, _ exchange: inout Exchange
  ) async throws(EdgeFailure) -> Reply {
    switch target {
    case .page: return try await page()
    case .openAPI: return Reply(status: 200, type: "application/json", body: .whole(snapshot.document))
    case .health: return health(snapshot.catalog)
    case .metrics: return await metricsPage()
    case .method(let name): return try await method(name, snapshot, &exchange)
    case .declared(let method): return try await declared(method, &exchange)
    }
  }

  /// What every response carries.
  private func finishHeaders(_ reply: inout Reply, _ exchange: Exchange) {
    let given = RequestID.accepted(exchange.request.headers[.requestID])
    if reply.headers[.requestID] == nil { reply.headers[.requestID] = given ?? exchange.id.text }
    reply.headers[.traceparent] = exchange.trace.traceparent
    reply.headers[.xContentTypeOptions] = "nosniff"
    if let origin = exchange.allowedOrigin {
      reply.headers[.accessControlAllowOrigin] = origin
      reply.headers[.accessControlExposeHeaders] = "x-request-id, traceparent, retry-after"
      if origin != "*" { reply.headers[.vary] = "origin" }
    }
    let asked = exchange.request.headers[.connection]?.lowercased() == "close"
    if asked || isStopping() || leavesBodyUnread(exchange) || exchange.connection.timedOut {
      exchange.connection.close(afterResponse: exchange.number)
      reply.headers[.connection] = "close"
    }
  }

  /// True when so much of the body is still to come that reading it away costs more than a new connection.
  private func leavesBodyUnread(_ exchange: Exchange) -> Bool {
    if exchange.connection.isReceived(exchange.number) { return false }
    if let length = exchange.request.headers[.contentLength].flatMap({ Int($0) }) { return length > 65536 }
    return exchange.request.headers[.transferEncoding] != nil
  }

  private func record(_ exchange: Exchange, _ reply: Reply, took: Duration, sent: Int) {
    let key = Metrics.RouteKey(
      verb: Self.verbs.contains(exchange.verb) ? exchange.verb : "OTHER", pattern: exchange.pattern)
    metrics.requestEnded(key, status: reply.status, took: took, received: exchange.received, sent: sent)
    if exchange.connection.isGone { metrics.clientLeft() }
    let isFault = reply.status >= 500 && reply.status != 503
    guard isFault || settings.accessLog else { return }
    log.write(
      isFault ? .warning : .debug, "Answered",
      [
        "verb": key.verb, "who": (exchange.access ?? .anybody).name, "route": exchange.pattern,
        "status": String(reply.status),
        "request": reply.headers[.requestID] ?? "", "trace": exchange.trace.text,
        "ms": String(took.components.seconds * 1000 + took.components.attoseconds / 1_000_000_000_000_000),
      ])
  }

  private static let verbs: Set<String> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
}
