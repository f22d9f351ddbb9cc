import EdgeCore
import Glibc
import Testing

/// An edge that serves on a free port of the loopback interface.
struct RunningEdge {
  static let token = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

  let server: EdgeServer
  let port: Int

  /// Runs `body` against a fresh edge and stops it.
  static func with<R: Sendable>(
    _ dispatcher: FakeDispatcher = FakeDispatcher(), settings: EdgeSettings = EdgeSettings(),
    tokens: TokenStore? = nil, log: EdgeLog = EdgeLog { _, _, _ in }, _ body: (RunningEdge) async throws -> R
  ) async throws -> R {
    var settings = settings
    settings.drainTimeoutMilliseconds = min(settings.drainTimeoutMilliseconds, 2000)
    let server = EdgeServer(dispatcher: dispatcher, settings: settings, operatorToken: token, tokens: tokens, log: log)
    let port = try await server.start(listening: try listeningSocket())
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
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_addr.s_addr = ip.bigEndian
  let bound = withUnsafePointer(to: address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  try #require(descriptor >= 0 && bound == 0 && listen(descriptor, 128) == 0)
  return descriptor
}

/// Waits until `condition` holds; false after two seconds.
func eventually(_ condition: () -> Bool) async -> Bool {
  for _ in 0..<200 {
    if condition() { return true }
    try? await Task.sleep(for: .milliseconds(10))
  }
  return condition()
}

/// Blocks the thread of a fake method.
func pause(_ milliseconds: UInt32) throws { usleep(milliseconds * 1000) }
