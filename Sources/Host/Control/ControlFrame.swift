import Glibc

/// The control socket's wire form: frames of a u32 big-endian length and that many bytes of JSON.
///
/// A request is one frame {"op": …}; the answer is any number of {"message": …} and then {"done": …} or {"error": …}.
enum ControlFrame {
  /// Largest frame.
  static let limit = 16 << 20

  /// Reads a frame; nil at the end of the connection.
  static func read(_ socket: Int32) throws(HostError) -> JSONValue? {
    guard let header = try bytes(socket, 4) else { return nil }
    let length = header.reduce(0) { $0 << 8 | Int($1) }
    guard length <= limit else { throw .invalid("frame_too_large", "A control frame has at most \(limit) bytes.") }
    guard let body = try bytes(socket, length) else { return nil }
    return try JSONValue(parsing: body)
  }

  /// Writes a frame; false when the other side is gone.
  static func write(_ value: JSONValue, to socket: Int32) -> Bool {
    let body = Array(value.text.utf8)
    var frame = (0..<4).reversed().map { UInt8(truncatingIfNeeded: body.count >> (8 * $0)) }
    frame += body
    var sent = 0
    while sent < frame.count {
      let count = frame.withUnsafeBytes {
        send(socket, $0.baseAddress.map { $0 + sent }, frame.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  private static func bytes(_ socket: Int32, _ count: Int) throws(HostError) -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: count)
    var got = 0
    while got < count {
      let received = buffer.withUnsafeMutableBytes { recv(socket, $0.baseAddress.map { $0 + got }, count - got, 0) }
      if received < 0, errno == EINTR { continue }
      guard received > 0 else {
        if got == 0, received == 0 { return nil }
        throw .unavailable("connection_lost", "The node closed the control connection.")
      }
      got += received
    }
    return buffer
  }

  /// `<data>/control.sock` as a socket address; nil when the path is too long for one.
  static func address(_ path: String) -> sockaddr_un? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return address
  }
}
