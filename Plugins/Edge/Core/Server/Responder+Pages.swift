import HTTPTypes
import HummingbirdCore

/// The edge's own answers.
extension Responder {
  func page() async throws(EdgeFailure) -> Reply {
    let catalog = try await catalogs.fresh()
    var reply = Reply(
      IndexPage.html(catalog, title: settings.title, uptime: uptime), type: "text/html; charset=utf-8")
    reply.headers[.contentSecurityPolicy] = IndexPage.policy
    reply.headers[.cacheControl] = "no-store"
    return reply
  }

  func health(_ catalog: Catalog) -> Reply {
    let layers = catalog.plugins.map {
      JSONText.object([
        ("id", JSONText.string($0.id)), ("version", JSONText.string($0.version)),
        ("state", JSONText.string($0.state ?? "running")),
      ])
    }
    let status = catalog.plugins.allSatisfy(\.isWell) ? "ok" : "degraded"
    return Reply(
      JSONText.object([
        ("status", JSONText.string(status)), ("version", JSONText.string(catalog.host.version)),
        ("uptime_seconds", String(uptime)),
        ("layers", JSONText.array(layers)),
      ]))
  }

  private var uptime: Int64 { (ContinuousClock.now - metrics.started).components.seconds }

  func metricsPage() async -> Reply {
    let catalog = try? await catalogs.fresh()
    let text = metrics.text(catalog: catalog, callsInFlight: pool.inFlight, memory: .read())
    return Reply(text, type: "text/plain; version=0.0.4; charset=utf-8")
  }

  /// The answer to a browser that asks whether a page may call.
  func preflight(_ exchange: Exchange) -> Reply? {
    guard exchange.verb == "OPTIONS", exchange.allowedOrigin != nil,
      exchange.request.headers[.accessControlRequestMethod] != nil
    else { return nil }
    var reply = Reply(status: 204, type: "text/plain", body: .whole([]))
    reply.headers[.contentType] = nil
    reply.headers[.accessControlAllowMethods] = "GET, POST, PUT, PATCH, DELETE"
    reply.headers[.accessControlAllowHeaders] =
      exchange.request.headers[.accessControlRequestHeaders] ?? "authorization, content-type, x-request-id, traceparent"
    reply.headers[.accessControlMaxAge] = "600"
    return reply
  }
}
