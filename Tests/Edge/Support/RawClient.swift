import FoundationEssentials
import Glibc

/// An HTTP client that says exactly what a test wants on the wire; it blocks, so it runs off the cooperative pool.
final class RawClient: @unchecked Sendable {  // Proof: tests use a client from one thread at a time.
  struct Broken: Error { let what: String }

  private var descriptor: CInt
  private var received: [UInt8] = []

  /// - Parameter receiveBuffer: a small one makes a slow reader felt soon.
  init(port: Int, receiveBuffer: Int32? = nil) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if var receiveBuffer {
      setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
    }
    // Ends a test that hangs; nothing is measured with it.
    var limit = timeval(tv_sec: 120, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    let connected = InternetAddress(port: UInt16(port)).withPointer { connect(descriptor, $0, $1) }
    guard connected == 0 else { throw Broken(what: "connect: \(errno)") }
  }

  deinit { hangUp() }

  func hangUp() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Broken(what: "send: \(errno)") }
      sent += count
    }
  }

  /// Reads until `text` has arrived; returns all up to and with it.
  func read(until text: String) throws -> String {
    let mark = Array(text.utf8)
    while true {
      if let range = received.firstRange(of: mark) { return take(range.upperBound) }
      guard try more() else {
        throw Broken(what: "closed before \(text.debugDescription): \(String(decoding: received, as: UTF8.self))")
      }
    }
  }

  func read(count: Int) throws -> [UInt8] {
    while received.count < count { guard try more() else { throw Broken(what: "closed early") } }
    defer { received.removeFirst(count) }
    return Array(received.prefix(count))
  }

  /// Reads until the server closes.
  func readToEnd() throws -> String {
    while try more() {}
    return take(received.count)
  }

  /// One whole answer, chunks joined.
  func readAnswer(isHead: Bool = false) throws -> RawAnswer {
    var answer = try RawAnswer(head: read(until: "\r\n\r\n"))
    if answer.status == 100 { answer = try RawAnswer(head: read(until: "\r\n\r\n")) }
    guard !isHead, answer.status != 204 else { return answer }
    if let length = answer.headers["content-length"].flatMap({ Int($0) }) {
      answer.bytes = try read(count: length)
    } else if answer.headers["transfer-encoding"] == "chunked" {
      while true {
        let size = Int(try read(until: "\r\n").dropLast(1), radix: 16) ?? 0
        answer.bytes += try read(count: size)
        _ = try read(count: 2)
        if size == 0 { break }
      }
    }
    return answer
  }

  private func more() throws -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    if count < 0, errno == ECONNRESET { return false }
    guard count >= 0 else { throw Broken(what: "recv: \(errno)") }
    received += buffer.prefix(count)
    return count > 0
  }

  private func take(_ count: Int) -> String {
    defer { received.removeFirst(count) }
    return String(decoding: received.prefix(count), as: UTF8.self)
  }
}

/// An answer, taken apart.
struct RawAnswer: Sendable {
  var status: Int
  var headers: [String: String] = [:]
  var bytes: [UInt8] = []

  init(head: String) throws {
    let lines = head.split(separator: "\r\n")
    guard let first = lines.first, let status = Int(first.split(separator: " ")[1]) else {
      throw RawClient.Broken(what: "no status line: \(head)")
    }
    self.status = status
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
    }
  }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The `error` object, when the body is one in OpenAI's form.
  var error: WireError? { try? JSONDecoder().decode([String: WireError].self, from: Data(bytes))["error"] }

  struct WireError: Decodable {
    var message: String
    var type: String
    var param: String?
    var code: String?
  }
}

/// Runs blocking work on a thread of its own: Dispatch's threads are also those of the cooperative pool on Linux.
func offPool<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
  try await withCheckedThrowingContinuation { continuation in
    let job = Unmanaged.passRetained(Job { continuation.resume(with: Result(catching: body)) })
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { raw in
        Unmanaged<Job>.fromOpaque(raw!).takeRetainedValue().run()
        return nil
      }, job.toOpaque())
    pthread_detach(thread)
  }
}

private final class Job: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
