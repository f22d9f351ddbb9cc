import HTTPTypes
import HummingbirdCore

/// The edge's own answers.
extension Responder {
  func page(_ catalog: Catalog) -> Reply {
    var reply = Reply(IndexPage.html(catalog, title: settings.title), type: "text/html; charset=utf-8")
    reply.headers[.contentSecurityPolicy] =
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    return reply
  }

  func health(_ catalog: Catalog) -> Reply {
    let layers = catalog.plugins.map {
      JSONText.object([("id", JSONText.string($0.id)), ("version", JSONText.string($0.version))])
    }
    let uptime = (ContinuousClock.now - metrics.started).components.seconds
    return Reply(
      JSONText.object([
        ("status", "\"ok\""), ("version", JSONText.string(catalog.host.version)), ("uptime_seconds", String(uptime)),
        ("layers", JSONText.array(layers)),
      ]))
  }

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
      exchange.request.headers[.accessControlRequestHeaders] ?? "authorization, content-type, x-request-id"
    reply.headers[.accessControlMaxAge] = "600"
    return reply
  }
}
