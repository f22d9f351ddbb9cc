import FoundationEssentials

/// `[plugin.edge.settings]` of plugins.conf; every value has a default.
package struct EdgeSettings: Codable, Sendable, Equatable {
  /// The largest request body that is read.
  package var bodyLimitBytes = 10 * 1024 * 1024
  /// The bodies of all requests together that are held at the same time.
  package var bodyMemoryBytes = 256 * 1024 * 1024
  /// The largest sum of all request header fields.
  package var headerLimitBytes = 32 * 1024
  /// How deeply JSON arguments may nest.
  package var jsonDepth = 64
  /// Calls into the host that run at the same time; more are answered 503.
  package var calls = 64
  /// Of these, the ones that may wait for a client that takes nothing of its stream; who waits longest is ended.
  package var slowCalls = 16
  /// What of one stream may wait for its client before its method waits too, and holds a thread.
  package var streamBufferBytes = 8 * 1024 * 1024
  /// What of all streams together may wait, above the first 256 KiB of each.
  package var streamMemoryBytes = 256 * 1024 * 1024
  /// Open connections; more wait in the kernel's queue.
  package var maxConnections = 1024
  /// Until a call has given its result, or a stream its first message.
  package var callTimeoutMilliseconds = 600_000
  /// The whole length of a stream.
  package var streamTimeoutMilliseconds = 3_600_000
  /// Until a client has sent its whole request.
  package var requestTimeoutMilliseconds = 30_000
  /// How long a connection may sit between requests.
  package var idleTimeoutMilliseconds = 60_000
  /// How long a client may refuse to take the next piece of an answer.
  package var writeTimeoutMilliseconds = 60_000
  /// How long `stop` waits for the requests in flight.
  package var drainTimeoutMilliseconds = 10_000
  /// Names besides the loopback ones under which this node may be addressed when it listens on loopback.
  package var allowedHosts: [String] = []
  /// Origins of web pages that may call this node, as in `https://example.org`; `*` is any.
  package var allowedOrigins: [String] = []
  /// Hosts that `edge.fetch` may reach: `example.org`, `*.example.org`, `example.org:8443`; none by default.
  package var fetchAllow: [String] = []
  /// Names that `edge.fetch` may reach although they lead to this machine or a private network; also addresses.
  package var fetchPrivate: [String] = []
  /// PEM file with the certificate and those between it and its root: HTTPS instead of HTTP.
  package var tlsCertificate: String?
  /// PEM file with the certificate's private key, not readable by all users.
  package var tlsKey: String?
  /// `allow`: serve HTTP without TLS on an address that other machines reach.
  package var plaintext = "refuse"
  /// The largest answer that `edge.fetch` takes.
  package var fetchLimitBytes = 10 * 1024 * 1024
  /// Log every request at level debug: route, status and time, never content.
  package var accessLog = false
  /// The title of the page at `/` and of the OpenAPI document.
  package var title = "Symbolon node"

  package init() {}

  enum CodingKeys: String, CodingKey, CaseIterable {
    case bodyLimitBytes = "body_limit_bytes"
    case bodyMemoryBytes = "body_memory_bytes"
    case headerLimitBytes = "header_limit_bytes"
    case jsonDepth = "json_depth"
    case calls
    case slowCalls = "slow_calls"
    case streamBufferBytes = "stream_buffer_bytes"
    case streamMemoryBytes = "stream_memory_bytes"
    case maxConnections = "max_connections"
    case callTimeoutMilliseconds = "call_timeout_ms"
    case streamTimeoutMilliseconds = "stream_timeout_ms"
    case requestTimeoutMilliseconds = "request_timeout_ms"
    case idleTimeoutMilliseconds = "idle_timeout_ms"
    case writeTimeoutMilliseconds = "write_timeout_ms"
    case drainTimeoutMilliseconds = "drain_timeout_ms"
    case allowedHosts = "allowed_hosts"
    case allowedOrigins = "allowed_origins"
    case fetchAllow = "fetch_allow"
    case fetchPrivate = "fetch_private"
    case tlsCertificate = "tls_certificate"
    case tlsKey = "tls_key"
    case plaintext
    case fetchLimitBytes = "fetch_limit_bytes"
    case accessLog = "access_log"
    case title
  }

  /// Reads what is given, keeps the default of what is not, and refuses what it does not know.
  package init(from decoder: any Decoder) throws {
    let names = try decoder.singleValueContainer().decode([String: AnyValue].self).keys
    if let unknown = names.sorted().first(where: { CodingKeys(rawValue: $0) == nil }) {
      let known = CodingKeys.allCases.map(\.rawValue).joined(separator: ", ")
      throw DecodingError.dataCorrupted(
        .init(codingPath: [], debugDescription: "`\(unknown)` is not a setting of the edge; known are \(known)"))
    }
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try values.read(.bodyLimitBytes, into: &bodyLimitBytes, 1024...1_073_741_824)
    try values.read(.bodyMemoryBytes, into: &bodyMemoryBytes, 1_048_576...1_099_511_627_776)
    try values.read(.headerLimitBytes, into: &headerLimitBytes, 1024...1_048_576)
    try values.read(.jsonDepth, into: &jsonDepth, 1...512)
    try values.read(.calls, into: &calls, 1...4096)
    try values.read(.slowCalls, into: &slowCalls, 0...4096)
    try values.read(.streamBufferBytes, into: &streamBufferBytes, 0...1_073_741_824)
    try values.read(.streamMemoryBytes, into: &streamMemoryBytes, 0...1_099_511_627_776)
    try values.read(.maxConnections, into: &maxConnections, 1...1_000_000)
    try values.read(.callTimeoutMilliseconds, into: &callTimeoutMilliseconds, 1...86_400_000)
    try values.read(.streamTimeoutMilliseconds, into: &streamTimeoutMilliseconds, 1...86_400_000)
    try values.read(.requestTimeoutMilliseconds, into: &requestTimeoutMilliseconds, 1...3_600_000)
    try values.read(.idleTimeoutMilliseconds, into: &idleTimeoutMilliseconds, 1...3_600_000)
    try values.read(.writeTimeoutMilliseconds, into: &writeTimeoutMilliseconds, 1...3_600_000)
    try values.read(.drainTimeoutMilliseconds, into: &drainTimeoutMilliseconds, 0...600_000)
    try values.read(.fetchLimitBytes, into: &fetchLimitBytes, 1...1_073_741_824)
    allowedHosts = try values.decodeIfPresent([String].self, forKey: .allowedHosts) ?? []
    allowedOrigins = try values.decodeIfPresent([String].self, forKey: .allowedOrigins) ?? []
    fetchAllow = try values.decodeIfPresent([String].self, forKey: .fetchAllow) ?? []
    fetchPrivate = try values.decodeIfPresent([String].self, forKey: .fetchPrivate) ?? []
    tlsCertificate = try values.decodeIfPresent(String.self, forKey: .tlsCertificate)
    tlsKey = try values.decodeIfPresent(String.self, forKey: .tlsKey)
    plaintext = try values.decodeIfPresent(String.self, forKey: .plaintext) ?? plaintext
    guard ["allow", "refuse"].contains(plaintext) else {
      throw DecodingError.dataCorruptedError(
        forKey: .plaintext, in: values, debugDescription: "`plaintext` must be \"allow\" or \"refuse\"")
    }
    accessLog = try values.decodeIfPresent(Bool.self, forKey: .accessLog) ?? false
    title = try values.decodeIfPresent(String.self, forKey: .title) ?? title
  }

  /// Any JSON value: only its presence counts.
  private struct AnyValue: Decodable { init(from decoder: any Decoder) throws {} }
}

extension KeyedDecodingContainer<EdgeSettings.CodingKeys> {
  fileprivate func read(_ key: Key, into value: inout Int, _ range: ClosedRange<Int>) throws {
    guard let given = try decodeIfPresent(Int.self, forKey: key) else { return }
    guard range.contains(given) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "`\(key.rawValue)` is \(given); it must be from \(range.lowerBound) to \(range.upperBound)")
    }
    value = given
  }
}
