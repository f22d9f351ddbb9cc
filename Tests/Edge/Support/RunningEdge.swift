import EdgeCore
import Glibc
import Testing

/// An edge that serves on a free port of the loopback interface.
struct RunningEdge {
  static let token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

  let server: EdgeServer
  let port: Int

  /// Runs `body` against a fresh edge and stops it.
  ///
  /// - Parameter socket: one that clients have connected to already; what they sent waits in the kernel.
  static func with<R: Sendable>(
    _ dispatcher: FakeDispatcher = FakeDispatcher(), settings: EdgeSettings = EdgeSettings(),
    tokens: TokenStore? = nil, log: EdgeLog = EdgeLog { _, _, _ in }, pace: Pace = Pace(), socket: CInt? = nil,
    _ body: (RunningEdge) async throws -> R
  ) async throws -> R {
    var settings = settings
    settings.drainTimeoutMilliseconds = min(settings.drainTimeoutMilliseconds, 2000)
    let server = EdgeServer(
      dispatcher: dispatcher, settings: settings, operatorToken: token, tokens: tokens, log: log, pace: pace)
    let port = try await server.start(listening: try socket ?? listeningSocket())
    do {
      let result = try await body(RunningEdge(server: server, port: port))
      await server.stop()
      return result
    } catch {
      await server.stop()
      throw error
    }
  }

  /// One request on a connection of its own; the whole answer.
  func ask(
    _ verb: String, _ path: String, _ headers: [String: String] = [:], body: String? = nil
  ) async throws -> RawAnswer {
    let (port, text) = (port, Self.request(verb, path, headers, body: body))
    return try await offPool {
      let client = try RawClient(port: port)
      try client.send(text)
      return try client.readAnswer(isHead: verb == "HEAD")
    }
  }

  static func request(_ verb: String, _ path: String, _ headers: [String: String] = [:], body: String? = nil) -> String
  {
    var fields = ["host": "127.0.0.1"]
    if let body { fields["content-length"] = String(body.utf8.count) }
    fields.merge(headers) { $1 }
    let lines = fields.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)\r\n" }.joined()
    return "\(verb) \(path) HTTP/1.1\r\n\(lines)\r\n\(body ?? "")"
  }
}

/// A socket as the host would give it: bound, listening, non-blocking.
///
/// - Parameter ip: 127.0.0.1 by default.
func listeningSocket(_ ip: UInt32 = 0x7F00_0001) throws -> CInt {
  let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
  let bound = InternetAddress(ip: ip).withPointer { bind(descriptor, $0, $1) }
  try #require(descriptor >= 0 && bound == 0 && listen(descriptor, 128) == 0)
  return descriptor
}

/// The port of a listening socket.
func port(of socket: CInt) throws -> Int {
  var address = InternetAddress()
  var length = socklen_t(MemoryLayout<InternetAddress>.size)
  let result = withUnsafeMutablePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
  }
  try #require(result == 0)
  return Int(UInt16(bigEndian: address.port))
}

/// Waits until `condition` holds; gives up only when it is plain that it never will.
///
/// Counts looks, not time: where other tests keep the threads of the process busy, the server that is looked at gets its
/// turns between two looks.
func eventually(_ condition: () -> Bool) async -> Bool {
  for _ in 0..<24_000 {
    if condition() { return true }
    try? await Task.sleep(for: .milliseconds(5))
  }
  return condition()
}

/// Waits until `value` has stayed the same, and `condition` true, over many looks; the value then.
///
/// For what has no event: that a thing has come to rest. To look too early only makes a bound easier to keep.
func atRest<Value: Equatable>(_ value: () -> Value, while condition: () -> Bool) async -> Value? {
  var (last, same) = (value(), 0)
  let isAtRest = await eventually {
    let now = value()
    same = now == last && condition() ? same + 1 : 0
    last = now
    return same >= 20
  }
  return isAtRest ? last : nil
}

/// Blocks the thread of a fake method.
func pause(_ milliseconds: UInt32) throws { usleep(milliseconds * 1000) }
