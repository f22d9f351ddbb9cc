import FoundationEssentials
import NIOCore

/// What a layer asks `edge.fetch` for.
struct FetchRequest: Decodable, Sendable {
  var url: String
  var method: String?
  var headers: [String: String]?
  /// As text; or `body_base64`.
  var body: String?
  var bodyBase64: String?
  var timeoutMilliseconds: Int?
  var maxBytes: Int?

  enum CodingKeys: String, CodingKey {
    case url, method, headers, body
    case bodyBase64 = "body_base64"
    case timeoutMilliseconds = "timeout_ms"
    case maxBytes = "max_bytes"
  }

  static let methods: Set<String> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
  static let defaultTimeoutMilliseconds = 30_000
  static let maxTimeoutMilliseconds = 600_000

  static func decode(_ json: String) throws(EdgeFailure) -> FetchRequest {
    let request: FetchRequest
    do {
      request = try JSONDecoder().decode(FetchRequest.self, from: Data(json.utf8))
    } catch {
      throw EdgeFailure(
        .invalidArgument, "invalid_request",
        "The request must be {\"url\":…} with method, headers, body or body_base64, timeout_ms, max_bytes: \(error).",
        parameter: "request")
    }
    guard methods.contains(request.verb) else {
      throw wrong("method", "must be one of \(methods.sorted().joined(separator: ", "))")
    }
    guard (1...maxTimeoutMilliseconds).contains(request.timeout) else {
      throw wrong("timeout_ms", "must be from 1 to \(maxTimeoutMilliseconds)")
    }
    guard request.maxBytes ?? 1 > 0 else { throw wrong("max_bytes", "must be above 0") }
    guard request.body == nil || request.bodyBase64 == nil else {
      throw wrong("body", "and `body_base64` exclude each other")
    }
    return request
  }

  var verb: String { method?.uppercased() ?? "GET" }
  var timeout: Int { timeoutMilliseconds ?? Self.defaultTimeoutMilliseconds }

  /// The body's bytes.
  func bodyBytes() throws(EdgeFailure) -> [UInt8]? {
    if let body { return Array(body.utf8) }
    guard let bodyBase64 else { return nil }
    guard let data = Data(base64Encoded: bodyBase64) else {
      throw Self.wrong("body_base64", "is not base64")
    }
    return Array(data)
  }

  static func wrong(_ name: String, _ what: String) -> EdgeFailure {
    EdgeFailure(.invalidArgument, "invalid_request", "`\(name)` \(what).", parameter: name)
  }
}

/// An address that `edge.fetch` may go to, taken apart.
struct FetchAddress: Sendable, Equatable {
  var url: String
  var scheme: String
  var host: String
  var port: Int

  /// - Parameter base: what a relative address (in a redirect) is relative to.
  init(_ text: String, base: FetchAddress? = nil) throws(EdgeFailure) {
    let baseURL = base.flatMap { URL(string: $0.url) }
    guard text.utf8.count <= 8192, let url = URL(string: text, relativeTo: baseURL)?.absoluteURL,
      let scheme = url.scheme?.lowercased(), let host = url.host?.lowercased(), !host.isEmpty
    else { throw FetchRequest.wrong("url", "is not an absolute http or https address") }
    guard scheme == "http" || scheme == "https" else {
      throw FetchRequest.wrong("url", "must begin with http or https")
    }
    guard url.user == nil, url.password == nil else {
      throw FetchRequest.wrong("url", "must not carry a user or password: use an authorization header")
    }
    self.url = url.absoluteString
    self.scheme = scheme
    self.host = host
    port = url.port ?? Self.standardPort(scheme)
  }

  /// True when the list names this host and port; an entry without a port means the scheme's own.
  func isAllowed(by list: [String]) -> Bool {
    list.contains { entry in
      let entry = entry.lowercased()
      var name = entry[...]
      var entryPort = Self.standardPort(scheme)
      if let colon = entry.lastIndex(of: ":"), let given = Int(entry[entry.index(after: colon)...]) {
        name = entry[..<colon]
        entryPort = given
      }
      if name == "*" { return true }
      guard entryPort == port else { return false }
      if name.hasPrefix("*.") { return host.hasSuffix(name.dropFirst(1)) && host.count > name.count - 1 }
      return name == host || name == "[\(host)]"
    }
  }

  /// True when the list names this very host, by no pattern.
  func isNamed(by list: [String]) -> Bool {
    isAllowed(by: list.filter { !$0.contains("*") })
  }

  /// True for an address or `localhost`, which say themselves where they lead.
  var isLiteral: Bool {
    if host == "localhost" { return true }
    let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    return (try? SocketAddress(ipAddress: bare, port: port)) != nil
  }

  private static func standardPort(_ scheme: String) -> Int { scheme == "https" ? 443 : 80 }
}
