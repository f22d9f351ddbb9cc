/// An HTTP request as the edge hands it to a layer.
package struct HTTPRequest: Sendable {
  package var verb: String
  /// Path and query.
  package var path: String
  private let headers: [String: String]
  package var body: [UInt8]

  package init(verb: String, path: String, headers: [(String, String)], body: [UInt8]) {
    self.verb = verb
    self.path = path
    self.headers = Dictionary(headers.map { ($0.0.lowercased(), $0.1) }) { first, _ in first }
    self.body = body
  }

  package subscript(header header: String) -> String? { headers[header] }

  /// The path without its query.
  package var resource: String { String(path.prefix { $0 != "?" }) }
}

/// What a response begins with: the first message of the stream to the edge.
package struct HTTPHead: Equatable, Sendable {
  package var status: Int
  package var headers: [JSONValue.Member]

  package init(status: Int, headers: [JSONValue.Member]) {
    self.status = status
    self.headers = headers
  }

  package var encoded: [UInt8] {
    JSONValue.object([.init("status", .integer(status)), .init("headers", .object(headers))]).encoded
  }
}

/// Takes the messages of a response; throws when the client has gone away.
package protocol ResponseOutput {
  func write(_ message: [UInt8]) throws
}

extension Refusal {
  /// The error object in OpenAI's form.
  package var wire: JSONValue {
    let type =
      switch kind {
      case .rateLimited: "requests"
      case .insufficientFunds, .outOfQuota: "insufficient_quota"
      case .internalFault, .unavailable, .deadline, .dataLoss: "server_error"
      default: "invalid_request_error"
      }
    var members: [JSONValue.Member] = [
      .init("message", .string(message)), .init("type", .string(type)),
      .init("param", parameter.map { .string($0) } ?? .null), .init("code", code.map { .string($0) } ?? .null),
    ]
    members += details
    return ["error": .object(members)]
  }

  /// The headers that belong to the error.
  package var headers: [JSONValue.Member] {
    var headers: [JSONValue.Member] = []
    if let retryAfterSeconds { headers.append(.init("retry-after", .string(String(retryAfterSeconds)))) }
    if kind == .unauthenticated { headers.append(.init("www-authenticate", "Bearer realm=\"symbolon\"")) }
    return headers
  }
}
