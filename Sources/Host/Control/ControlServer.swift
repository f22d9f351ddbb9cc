import Glibc
import PluginAPI
import Synchronization

/// Serves the command line on `<data>/control.sock`, mode 0600: whoever may open it is the operator.
final class ControlServer: @unchecked Sendable {  // Proof: constant after init, but for the atomics.
  private let node: Node
  private let path: String
  private let socket: Int32
  private let shutdown: @Sendable () -> Void
  private let connections = Atomic<Int>(0)
  /// More connections than this are closed at once.
  private static let connectionLimit = 64

  init(_ node: Node, shutdown: @escaping @Sendable () -> Void) throws(HostError) {
    self.node = node
    self.shutdown = shutdown
    path = "\(node.data)/control.sock"
    guard var address = ControlFrame.address(path) else {
      throw .invalid("path_too_long", "\(path) is too long for a socket: choose a shorter `data` folder.")
    }
    socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw .system("no_socket", "No socket: \(systemMessage()).") }
    unlink(path)
    let mask = umask(0o177)
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, size) }
    }
    umask(mask)
    guard bound == 0, listen(socket, 64) == 0 else {
      throw .system("not_bound", "\(path) cannot be made: \(systemMessage()).")
    }
  }

  func start() {
    Thread.detach(named: "control") { [self] in
      while true {
        let client = accept(socket, nil, nil)
        if client < 0 {
          if errno == EINTR || errno == ECONNABORTED { continue }
          return
        }
        guard connections.wrappingAdd(1, ordering: .relaxed).newValue <= Self.connectionLimit else {
          connections.wrappingSubtract(1, ordering: .relaxed)
          close(client)
          continue
        }
        Thread.detach(named: "operator") { [self] in
          serve(client)
          close(client)
          connections.wrappingSubtract(1, ordering: .relaxed)
        }
      }
    }
  }

  func stop() {
    Glibc.shutdown(socket, Int32(SHUT_RDWR))
    close(socket)
    unlink(path)
  }

  private func serve(_ client: Int32) {
    guard Self.isSameUser(client) else { return }
    do throws(HostError) {
      while let request = try ControlFrame.read(client) {
        let answer: JSONValue
        do throws(HostError) {
          answer = .object(["done": try perform(request, client)])
        } catch {
          answer = .object(["error": error.json])
        }
        guard ControlFrame.write(answer, to: client) else { return }
      }
    } catch {
      _ = ControlFrame.write(.object(["error": error.json]), to: client)
    }
  }

  private func perform(_ request: JSONValue, _ client: Int32) throws(HostError) -> JSONValue {
    switch request[key: "op"]?.string {
    case "catalog": return node.catalog()
    case "status": return node.status()
    case "plugins": return node.plugins()
    case "inspect":
      guard let id = request[key: "plugin"]?.string else { throw .invalid("no_plugin", "Name a plugin.") }
      return try node.inspect(id)
    case "counters":
      return .object([
        "version": .string(Version.current), "monotonic_ns": .unsigned(MonotonicClock.nanoseconds),
        "uptime_ms": .unsigned((MonotonicClock.nanoseconds - node.startedAt) / 1_000_000),
        "methods": .array(node.counts.map(\.json)),
      ])
    case "invoke":
      guard let method = request[key: "method"]?.string else {
        throw .invalid("no_method", "The request names no method.")
      }
      let arguments = Array((request[key: "arguments"] ?? .object([:])).text.utf8)
      try node.invokeForOperator(method, arguments) { message in
        let frame = JSONValue.object(["message": .raw(String(decoding: message, as: UTF8.self))])
        return ControlFrame.write(frame, to: client) ? 0 : Int32(SYMBOLON_CANCELLED)
      }
      return .null
    case "reload-plugin", "rollback-plugin", "plugin-history", "reload-status":
      return try ReloadRequests.perform(request, on: node)
    case "reload":
      return try node.apply(try Configuration(contentsOf: node.configuration.path))
    case "stop":
      shutdown()
      return .null
    default: throw .invalid("unknown_request", "This node does not know that request: update the node or the command.")
    }
  }

  private static func isSameUser(_ client: Int32) -> Bool {
    // The kernel's struct ucred: process, user, group.
    var credentials: (pid: Int32, uid: UInt32, gid: UInt32) = (0, 0, 0)
    var length = socklen_t(MemoryLayout.size(ofValue: credentials))
    guard getsockopt(client, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 else { return false }
    return credentials.uid == geteuid() || credentials.uid == 0
  }
}

extension HostError {
  /// As the control socket carries it.
  var json: JSONValue {
    .object(["status": .integer(Int64(status)), "code": .string(code), "message": .string(message)])
  }

  init(json: JSONValue) {
    self.init(
      Int(json[key: "status"]?.unsigned ?? 2), json[key: "code"]?.string ?? "unknown",
      json[key: "message"]?.string ?? "The node gave no reason.")
  }
}

extension Node {
  /// What `symbolon status` shows.
  func status() -> JSONValue {
    .object([
      "version": .string(Version.current), "pid": .integer(Int64(getpid())), "data": .string(data),
      "listen": listenAddress.map { .string($0.description) } ?? .null,
      "account": .string(identity.publicKey.hexadecimal),
      "uptime_ms": .unsigned((MonotonicClock.nanoseconds - startedAt) / 1_000_000),
      "configuration": .string(configuration.path),
      "plugins": .array(
        runningLayers.compactMap { layer in
          layer.generation.map { summary(layer, $0) }
        }),
    ])
  }

  /// A plugin's row in `status`, with what was counted of its methods.
  func summary(_ layer: Layer, _ generation: Generation) -> JSONValue {
    let (state, reason) = state(of: layer, generation)
    let methods = generation.description.methods.compactMap { generation.methods[$0.signature.name] }
    let all = methods.map(\.counters).map { ($0.calls.load(ordering: .relaxed), $0.errors.load(ordering: .relaxed)) }
    let latency = methods.reduce(Histogram().snapshot()) { $0 + $1.counters.latency.snapshot() }
    let members: [String: JSONValue] = [
      "id": .string(layer.id), "version": .string(generation.description.version),
      "generation": .unsigned(generation.number), "state": .string(state.rawValue),
      "reason": reason.map { .string($0) } ?? .null,
      "home": .string(generation.home.kind.rawValue),
      "process": generation.home.processID.map { .integer(Int64($0)) } ?? .null,
      "confinement": (generation.home as? WorkerHome)?.confinement?.json ?? .null,
      "calls": .unsigned(all.reduce(0) { $0 + $1.0 }), "errors": .unsigned(all.reduce(0) { $0 + $1.1 }),
      "in_flight": .integer(Int64(generation.running)),
      "latency": latency.json, "library_sha256": .string(generation.entry.sha256),
      "summary": .string(generation.description.summary),
      "methods": .array(
        methods.map { method in
          .object([
            "name": .string(method.signature.name), "calls": .unsigned(method.counters.calls.load(ordering: .relaxed)),
            "errors": .unsigned(method.counters.errors.load(ordering: .relaxed)),
            "in_flight": .unsigned(method.counters.inFlight), "latency": method.counters.latency.snapshot().json,
          ])
        }),
    ]
    return .object(members.merging(generation.verdict.signer.members) { $1 })
  }
}
