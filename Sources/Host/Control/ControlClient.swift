import Glibc

/// The command line's side of the control socket.
final class ControlClient {
  private let socket: Int32

  /// Connects to the node that uses this data folder.
  init(data: String) throws(HostError) {
    let path = "\(data)/control.sock"
    guard var address = ControlFrame.address(path) else {
      throw .invalid("path_too_long", "\(path) is too long for a socket.")
    }
    socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, size) }
    }
    guard connected == 0 else {
      let number = errno
      close(socket)
      if number == EACCES {
        throw HostError(7, "not_operator", "\(path) belongs to another user: run this as the node's operator.")
      }
      throw .unavailable("no_node", "No node runs with the data folder \(data): start one with `symbolon run`.")
    }
  }

  deinit { close(socket) }

  /// Sends a request and gives back what the node answers at the end; `message` gets what comes before.
  func request(
    _ operation: String, _ members: [String: JSONValue] = [:], message: (JSONValue) -> Void = { _ in }
  ) throws(HostError) -> JSONValue {
    var members = members
    members["op"] = .string(operation)
    guard ControlFrame.write(.object(members), to: socket) else {
      throw .unavailable("connection_lost", "The node closed the control connection.")
    }
    while let frame = try ControlFrame.read(socket) {
      if let done = frame[key: "done"] { return done }
      if let error = frame[key: "error"] { throw HostError(json: error) }
      if let value = frame[key: "message"] { message(value) }
    }
    throw .unavailable("connection_lost", "The node ended before it answered.")
  }

  /// Calls a method that gives one message.
  func invoke(_ method: String, _ arguments: [String: JSONValue] = [:]) throws(HostError) -> JSONValue {
    var result = JSONValue.null
    _ = try request("invoke", ["method": .string(method), "arguments": .object(arguments)]) { result = $0 }
    return result
  }
}
