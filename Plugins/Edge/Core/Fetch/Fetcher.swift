import AsyncHTTPClient
import Dispatch
import FoundationEssentials
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Outbound HTTP for layers: only to hosts that the operator allowed, bounded in size, time and redirects.
package final class Fetcher: Sendable {
  private static let redirectLimit = 5
  /// Fields that name the connection, not the request.
  private static let refusedHeaders: Set<String> = [
    "host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "keep-alive",
    "proxy-authorization", "proxy-connection",
  ]

  private let allow: [String]
  private let limitBytes: Int
  private let loops: MultiThreadedEventLoopGroup
  private let client: HTTPClient

  package init(settings: EdgeSettings) {
    allow = settings.fetchAllow
    limitBytes = settings.fetchLimitBytes
    loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    var configuration = HTTPClient.Configuration()
    // Followed here, so that every hop is checked against the list.
    configuration.redirectConfiguration = .disallow
    configuration.timeout = .init(connect: .seconds(10), read: .seconds(60))
    client = HTTPClient(eventLoopGroup: loops, configuration: configuration)
  }

  /// Runs one request and blocks until it has ended; `isCancelled` is asked every 50 ms.
  ///
  /// - Parameter request: `{url, method, headers, body | body_base64, timeout_ms, max_bytes}`.
  /// - Returns: `{status, headers, body | body_base64}`; the body is text when it is UTF-8.
  package func fetch(_ request: String, isCancelled: () -> Bool = { false }) throws(EdgeFailure) -> String {
    let request = try FetchRequest.decode(request)
    let address = try checked(FetchAddress(request.url))
    let headers = try Self.headers(request)
    let body = try request.bodyBytes()
    let outcome = Mutex<Result<String, EdgeFailure>?>(nil)
    let done = DispatchSemaphore(value: 0)
    let task = Task(executorPreference: LoopExecutor(loops.any())) {
      let result: Result<String, EdgeFailure>
      do {
        result = .success(try await self.run(request, address, headers, body))
      } catch let failure as EdgeFailure {
        result = .failure(failure)
      } catch {
        result = .failure(Self.failure(error, address))
      }
      outcome.withLock { $0 = result }
      done.signal()
    }
    let deadline = DispatchTime.now() + .milliseconds(request.timeout)
    while done.wait(timeout: min(deadline, .now() + .milliseconds(50))) == .timedOut {
      if DispatchTime.now() >= deadline {
        task.cancel()
        throw EdgeFailure(
          .deadlineExceeded, "fetch_timeout", "\(address.host) did not answer within \(request.timeout) ms.")
      }
      if isCancelled() {
        task.cancel()
        throw EdgeFailure(.cancelled, "cancelled", "Nobody waits for the answer any more.")
      }
    }
    switch outcome.withLock({ $0 }) {
    case .success(let answer): return answer
    case .failure(let failure): throw failure
    case nil: throw EdgeFailure(.internal, "fetch_lost", "The request ended without an outcome.")
    }
  }

  /// Closes all connections.
  package func stop() async {
    try? await client.shutdown()
    try? await loops.shutdownGracefully()
  }

  private func run(
    _ request: FetchRequest, _ first: FetchAddress, _ headers: HTTPHeaders, _ body: [UInt8]?
  ) async throws -> String {
    var (address, headers, body, verb) = (first, headers, body, request.verb)
    for _ in 0...Self.redirectLimit {
      var outgoing = HTTPClientRequest(url: address.url)
      outgoing.method = HTTPMethod(rawValue: verb)
      outgoing.headers = headers
      if let body { outgoing.body = .bytes(ByteBuffer(bytes: body)) }
      let response = try await client.execute(outgoing, timeout: .milliseconds(Int64(request.timeout)))
      guard [301, 302, 303, 307, 308].contains(response.status.code),
        let target = response.headers.first(name: "location")
      else { return try await answer(response, verb: verb, limit: min(request.maxBytes ?? limitBytes, limitBytes)) }
      let next = try checked(FetchAddress(target, base: address))
      if response.status.code <= 303, verb != "GET", verb != "HEAD" {
        (verb, body) = ("GET", nil)
        headers.remove(name: "content-type")
      }
      if (next.scheme, next.host, next.port) != (address.scheme, address.host, address.port) {
        for secret in ["authorization", "cookie"] { headers.remove(name: secret) }
      }
      address = next
    }
    throw EdgeFailure(
      .failedPrecondition, "too_many_redirects", "\(first.host) redirects more than \(Self.redirectLimit) times.")
  }

  private func answer(_ response: HTTPClientResponse, verb: String, limit: Int) async throws -> String {
    var bytes: [UInt8] = []
    for try await part in response.body {
      guard bytes.count + part.readableBytes <= limit else {
        throw EdgeFailure(
          .resourceExhausted, "answer_too_large",
          "The answer is larger than \(limit) bytes: raise `max_bytes`, or "
            + "`fetch_limit_bytes` in [plugin.edge.settings].")
      }
      bytes.append(contentsOf: part.readableBytesView)
    }
    var fields: [String: String] = [:]
    for (name, value) in response.headers {
      let name = name.lowercased()
      fields[name] = fields[name].map { "\($0), \(value)" } ?? value
    }
    let text = String(validating: bytes, as: UTF8.self)
    return JSONText.object([
      ("status", String(response.status.code)),
      ("headers", JSONText.object(fields.sorted { $0.key < $1.key }.map { ($0.key, JSONText.string($0.value)) })),
      text.map { ("body", JSONText.string($0)) } ?? ("body_base64", JSONText.string(Data(bytes).base64EncodedString())),
    ])
  }

  private func checked(_ address: FetchAddress) throws(EdgeFailure) -> FetchAddress {
    if address.isAllowed(by: allow) { return address }
    let isStandard = address.port == (address.scheme == "https" ? 443 : 80)
    let entry = isStandard ? address.host : "\(address.host):\(address.port)"
    throw EdgeFailure(
      .permissionDenied, "host_not_allowed",
      "This node may not fetch from \(address.host): the operator can add \"\(entry)\" to `fetch_allow` in "
        + "[plugin.edge.settings].", parameter: "url")
  }

  private static func headers(_ request: FetchRequest) throws(EdgeFailure) -> HTTPHeaders {
    var headers = HTTPHeaders()
    for (name, value) in (request.headers ?? [:]).sorted(by: { $0.key < $1.key }) {
      let isToken =
        !name.isEmpty && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"()<>@,;:\\\"/[]?={}".utf8.contains($0) }
      guard isToken, !refusedHeaders.contains(name.lowercased()) else {
        throw FetchRequest.wrong("headers", "must not set `\(name)`")
      }
      guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
        throw FetchRequest.wrong("headers", "has a control character in the value of `\(name)`")
      }
      headers.add(name: name, value: value)
    }
    if !headers.contains(name: "user-agent") { headers.add(name: "user-agent", value: "symbolon") }
    return headers
  }

  private static func failure(_ error: any Error, _ address: FetchAddress) -> EdgeFailure {
    if let error = error as? HTTPClientError, error == .deadlineExceeded || error == .readTimeout {
      return EdgeFailure(.deadlineExceeded, "fetch_timeout", "\(address.host) did not answer in time.")
    }
    return EdgeFailure(
      .unavailable, "fetch_failed", "\(address.host), port \(address.port), could not be asked: \(error).")
  }
}
