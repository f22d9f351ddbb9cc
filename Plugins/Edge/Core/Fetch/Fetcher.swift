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
  private let allowPrivate: Set<String>
  private let limitBytes: Int
  private let loops: MultiThreadedEventLoopGroup
  private let running = Mutex<[UInt64: Task<Void, Never>]>([:])
  private let numbers = Atomic<UInt64>(0)

  package init(settings: EdgeSettings) {
    allow = settings.fetchAllow
    allowPrivate = Set(settings.fetchPrivate.map { $0.lowercased() })
    limitBytes = settings.fetchLimitBytes
    loops = MultiThreadedEventLoopGroup(numberOfThreads: 1)
  }

  /// Runs one request and blocks until it has ended; `isCancelled` is asked every 50 ms.
  ///
  /// - Parameters:
  ///   - request: `{url, method, headers, body | body_base64, timeout_ms, max_bytes}`.
  ///   - grants: the hosts that the calling plugin was granted besides; nil when the operator asks.
  /// - Returns: `{status, headers, body | body_base64}`; the body is text when it is UTF-8.
  package func fetch(
    _ request: String, grants: [String]? = nil, isCancelled: () -> Bool = { false }
  ) throws(EdgeFailure) -> String {
    let request = try FetchRequest.decode(request)
    let address = try checked(FetchAddress(request.url), grants)
    let headers = try Self.headers(request)
    let body = try request.bodyBytes()
    let outcome = Mutex<Result<String, EdgeFailure>?>(nil)
    let done = DispatchSemaphore(value: 0)
    let number = numbers.wrappingAdd(1, ordering: .relaxed).newValue
    let task = Task(executorPreference: LoopExecutor(loops.any())) {
      let result: Result<String, EdgeFailure>
      do {
        result = .success(try await self.run(request, address, grants, headers, body))
      } catch let failure as EdgeFailure {
        result = .failure(failure)
      } catch {
        result = .failure(Self.failure(error, address))
      }
      self.running.withLock { running in
        outcome.withLock { $0 = result }
        running[number] = nil
      }
      done.signal()
    }
    // It leaves the list by itself: one that nobody waits for any more still needs its event loop to end.
    running.withLock { running in
      if outcome.withLock({ $0 == nil }) { running[number] = task }
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

  /// Cancels what runs and closes all connections.
  package func stop() async {
    let left = running.withLock { Array($0.values) }
    for task in left { task.cancel() }
    for task in left { await task.value }
    try? await loops.shutdownGracefully()
  }

  private func run(
    _ request: FetchRequest, _ first: FetchAddress, _ grants: [String]?, _ headers: HTTPHeaders, _ body: [UInt8]?
  ) async throws -> String {
    var (address, headers, body, verb) = (first, headers, body, request.verb)
    for _ in 0...Self.redirectLimit {
      var outgoing = HTTPClientRequest(url: address.url)
      outgoing.method = HTTPMethod(rawValue: verb)
      outgoing.headers = headers
      if let body { outgoing.body = .bytes(ByteBuffer(bytes: body)) }
      let (status, target, text) = try await hop(request, outgoing, to: address, verb: verb)
      guard let target else { return text }
      let next = try checked(FetchAddress(target, base: address), grants)
      if status <= 303, verb != "GET", verb != "HEAD" {
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

  /// One request: the answer, or where it points to instead.
  ///
  /// The client is made for this hop alone: it connects to the very address that was checked, whatever a second look
  /// at DNS would say, and keeps nothing of one plugin for another.
  private func hop(
    _ request: FetchRequest, _ outgoing: HTTPClientRequest, to address: FetchAddress, verb: String
  ) async throws -> (status: UInt, target: String?, text: String) {
    var configuration = HTTPClient.Configuration()
    // Followed in `run`, so that every hop is checked against the list.
    configuration.redirectConfiguration = .disallow
    configuration.timeout = .init(connect: .seconds(10), read: .seconds(60))
    configuration.dnsOverride = try await pinned(address)
    let client = HTTPClient(eventLoopGroup: loops, configuration: configuration)
    do {
      let response = try await client.execute(outgoing, timeout: .milliseconds(Int64(request.timeout)))
      let isRedirect = [301, 302, 303, 307, 308].contains(response.status.code)
      let target = isRedirect ? response.headers.first(name: "location") : nil
      let limit = min(request.maxBytes ?? limitBytes, limitBytes)
      let text = target == nil ? try await answer(response, verb: verb, limit: limit) : ""
      try? await client.shutdown()
      return (response.status.code, target, text)
    } catch {
      try? await client.shutdown()
      throw error
    }
  }

  /// The address that a name leads to, once it is known to be public or allowed; nothing for addresses as such.
  private func pinned(_ address: FetchAddress) async throws -> [String: String] {
    let (host, port) = (address.host, address.port)
    let found = try await NIOThreadPool.singleton.runIfActive { try Destination.addresses(of: host, port: port) }
    let isAllowed =
      allowPrivate.contains(host) || allowPrivate.contains("\(host):\(port)")
      || (address.isLiteral && address.isNamed(by: allow))
    guard isAllowed || !found.contains(where: Destination.isPrivate) else {
      throw EdgeFailure(
        .permissionDenied, "private_address",
        "\(host) leads to this machine or a private network: the operator can add it to `fetch_private` in "
          + "[plugin.edge.settings].", parameter: "url")
    }
    return address.isLiteral ? [:] : found.first?.ipAddress.map { [host: $0] } ?? [:]
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

  private func checked(_ address: FetchAddress, _ grants: [String]?) throws(EdgeFailure) -> FetchAddress {
    let isStandard = address.port == (address.scheme == "https" ? 443 : 80)
    let entry = isStandard ? address.host : "\(address.host):\(address.port)"
    if let grants, !address.isAllowed(by: grants) {
      throw EdgeFailure(
        .permissionDenied, "host_not_granted",
        "The calling plugin was not granted `host:\(entry)`: it must ask for it in its manifest, and the operator must "
          + "grant it under `permissions` in plugins.conf.", parameter: "url")
    }
    if address.isAllowed(by: allow) { return address }
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
