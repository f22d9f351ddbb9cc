/// The OpenAI endpoints: every request is authenticated, limited, reserved, answered and charged here.
package final class Gateway: Sendable {
  /// What is known about a request when it has ended: enough for a log, and nothing of what was said.
  package struct Summary: Sendable {
    package var requestID: String
    package var resource: String
    package var status: Int
    package var code: String?
    package var key: String?
    package var model: String?
    package var tokens = TokenCounts()
    package var charged = Amount.zero
    package var milliseconds: UInt64 = 0
    /// Whether the client left before the end.
    package var isAbandoned = false
  }

  let meter: Meter
  let cache = AnswerCache()
  let clock: Meter.Clock
  let random: @Sendable (Int) -> [UInt8]
  private let observe: @Sendable (Summary) -> Void

  /// `observe` hears of every request that has ended; it sees to it that the charge becomes durable.
  package init(
    meter: Meter, clock: Meter.Clock, random: @escaping @Sendable (Int) -> [UInt8],
    observe: @escaping @Sendable (Summary) -> Void
  ) {
    self.meter = meter
    self.clock = clock
    self.random = random
    self.observe = observe
  }

  /// Answers one request; whatever goes wrong becomes an error in OpenAI's form.
  package func handle(_ request: HTTPRequest, _ surroundings: some Surroundings, _ output: any ResponseOutput) {
    let began = clock.monotonicMilliseconds()
    let elapsed = { [clock] in clock.monotonicMilliseconds() - began }
    let responder = Responder(output, requestID: "req_" + Hex.string(random(16)), elapsedMilliseconds: elapsed)
    var summary = Summary(requestID: responder.requestID, resource: request.resource, status: 0)
    do {
      try route(request, surroundings, responder, &summary)
    } catch is Responder.Gone {
      summary.isAbandoned = true
    } catch {
      let refusal = Self.refusal(error)
      summary.code = refusal.code
      responder.fail(refusal)
    }
    summary.isAbandoned = summary.isAbandoned || responder.isGone
    summary.status = responder.status ?? 499
    summary.milliseconds = elapsed()
    observe(summary)
  }

  static func refusal(_ error: any Error) -> Refusal {
    guard var refusal = error as? Refusal else {
      return Refusal(.internalFault, "internal_error", "The server had an error while processing your request.")
    }
    if refusal.retryAfterSeconds == nil {
      switch refusal.kind {
      case .rateLimited: refusal.retryAfterSeconds = 1
      case .unavailable: refusal.retryAfterSeconds = 2
      default: break
      }
    }
    return refusal
  }

  private func route(
    _ request: HTTPRequest, _ surroundings: some Surroundings, _ responder: Responder, _ summary: inout Summary
  ) throws {
    let verb = request.verb.uppercased()
    let resource = request.resource
    let expected = Task.resources.contains(resource) ? "POST" : "GET"
    guard expected == "POST" || resource == "/v1/key" || resource == "/v1/models" || resource.hasPrefix("/v1/models/")
    else {
      throw Refusal(.notFound, "unknown_url", "Unknown request URL: \(verb) \(resource.prefix(128)).")
    }
    guard verb == expected else {
      responder.headers.append(.init("allow", .string(expected)))
      throw Refusal(.methodNotAllowed, "method_not_allowed", "\(resource) takes \(expected), not \(verb.prefix(16)).")
    }
    if expected == "POST" {
      return try answer(request, surroundings, responder, &summary)
    }
    if resource == "/v1/key" {
      return try responder.send(200, showKey(try bearer(request)).encoded)
    }
    // Models are shown to anyone; a key that is sent is checked, because clients test theirs this way.
    if request[header: "authorization"] != nil { _ = try bearer(request) }
    if resource == "/v1/models" {
      return try responder.send(200, modelList(surroundings).encoded)
    }
    let id = PercentEncoding.decode(String(resource.dropFirst("/v1/models/".count)))
    try responder.send(200, model(id, surroundings).encoded)
  }

  /// The key that the request bears.
  func bearer(_ request: HTTPRequest) throws -> KeyHash {
    guard let header = request[header: "authorization"] else {
      throw Refusal(
        .unauthenticated, "invalid_api_key",
        "You didn't provide an API key. Send a ticket key as `Authorization: Bearer sk-sym-…`.")
    }
    let parts = header.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer", parts[1].utf8.count <= Limits.labelBytes else {
      throw Refusal(
        .unauthenticated, "invalid_api_key",
        "The Authorization header is not of the form `Bearer sk-sym-…`.")
    }
    return try meter.authenticate(String(parts[1]))
  }

  private func showKey(_ key: KeyHash) -> JSONValue {
    try? meter.commit()
    guard case .object(let members) = meter.show(key) else { return .null }
    let limits: JSONValue = [
      "requests_per_minute": .integer(meter.limits.rate.requestsPerMinute),
      "concurrent": .integer(meter.limits.rate.concurrent),
    ]
    return .object([.init("object", "key")] + members.filter { $0.name != "hash" } + [.init("limits", limits)])
  }
}

/// Percent-encoding of a path's segment.
enum PercentEncoding {
  /// The text with every `%41` decoded; a `%` that begins no such triple stays.
  static func decode(_ text: String) -> String {
    let bytes = Array(text.utf8)
    var decoded: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = Hex.digit(bytes[index + 1]),
        let low = Hex.digit(bytes[index + 2])
      {
        decoded.append(high << 4 | low)
        index += 3
      } else {
        decoded.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: decoded, as: UTF8.self)
  }
}
