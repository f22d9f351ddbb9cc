import ArgumentParser
import CSandbox
import Glibc
import PluginAPI

/// `symbolon bench-workers`: what a call into a worker costs, beside a Unix socket and beside copying memory.
struct BenchWorkers: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench-workers", abstract: "Measure calls into a worker.", shouldDisplay: false)

  @Option(help: "The library of Benchmarks/Host/echo.c.")
  var library: String = ""

  @Option(help: "A scratch folder for the node.")
  var data: String = ""

  @Option(help: "Rounds; the median counts.")
  var rounds = 7

  @Option(help: "Nothing but `busy`, `idle` or `1mib`, for a profile.")
  var only: String = ""

  @Flag(help: "Be the other end of the socket.")
  var peer = false

  func run() {
    if peer { SocketPeer.serve() }
    Terminal.run(json: true) { () throws(HostError) in
      let bench = try WorkerBench(library: library, data: data)
      defer { bench.end() }
      let socket = try SocketPeer()
      var samples: [String: [Double]] = [:]
      func add(_ name: String, _ values: [Double]) { samples[name, default: []].append(Self.median(values)) }
      _ = bench.calls(2000, bytes: 64)
      _ = socket.roundTrips(2000)
      for _ in 0..<max(1, rounds) {
        if wants("busy") {
          add("busy", bench.calls(10_000, bytes: 64))
          add("socket", socket.roundTrips(10_000))
        }
        if wants("idle") {
          add("idle", bench.calls(100, bytes: 64, pause: 5000))
          add("idle socket", socket.roundTrips(100, pause: 5000))
        }
        if wants("1mib") {
          add("1mib", bench.calls(200, bytes: 1 << 20))
          add("copy", bench.copies(200, bytes: 1 << 20))
        }
      }
      for (name, ours, peer, theirs) in [
        ("host.call.worker_busy", "busy", "unix_socket", "socket"),
        ("host.call.worker_idle", "idle", "unix_socket", "idle socket"),
        ("host.call.worker_1mib", "1mib", "memcpy", "copy"),
      ] where wants(ours) {
        let line = JSONValue.object([
          "name": .string(name), "value": .number(Self.median(samples[ours] ?? [])), "unit": .string("us"),
          "peer": .string(peer), "peer_value": .number(Self.median(samples[theirs] ?? [])),
          "median_of": .integer(Int64(rounds)),
        ])
        print(line.text)
      }
    }
  }

  private func wants(_ part: String) -> Bool { only.isEmpty || only == part }

  private static func median(_ values: [Double]) -> Double {
    values.isEmpty ? 0 : values.sorted()[values.count / 2]
  }
}

/// A node with one plugin in a worker, called through the closure that another plugin would hold.
private final class WorkerBench {
  private typealias Echo =
    @convention(c) (UnsafeMutablePointer<symbolon_call>?, symbolon_slice, UnsafeMutablePointer<symbolon_sink>?) -> Int32
  private let node: Node
  private let echo: Echo
  private let binding: ImportBinding

  init(library: String, data: String) throws(HostError) {
    let text = """
      [host]
      data = "\(data)"
      log_level = "error"
      [plugin.echo]
      library = "\(library)"
      home = "worker"
      """
    node = try Node(try Configuration(parsing: text, path: "bench"))
    try node.startAll()
    let signature = try Signature(parsing: "echo(data: bytes) -> (data: bytes)")
    binding = try ImportBinding(
      PluginDescription.Import(plugin: "echo", signature: signature, isOptional: false), of: node.place("echo"),
      importer: permanentText("bench"))
    echo = unsafeBitCast(try binding.function(), to: Echo.self)
  }

  func end() { node.stopAll() }

  /// Microseconds of each call, until the result lies in memory of the host's own and the sink has seen it.
  ///
  /// What a receiver then does with it costs the same in both homes and is not part of this. An argument is copied once
  /// on its way, into the memory that the plugin reads it from; a result twice, out of the plugin's memory and out of
  /// the reach of its worker.
  func calls(_ count: Int, bytes: Int, pause: useconds_t = 0) -> [Double] {
    let argument = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes)
    argument.initialize(repeating: 7, count: bytes)
    let last = UnsafeMutablePointer<(size: UInt64, first: UInt8, last: UInt8)>.allocate(capacity: 1)
    defer {
      argument.deallocate()
      last.deallocate()
    }
    var error = symbolon_error.empty
    var call = symbolon_call()
    call.struct_size = UInt32(MemoryLayout<symbolon_call>.size)
    var sink = symbolon_sink()
    sink.struct_size = UInt32(MemoryLayout<symbolon_sink>.size)
    sink.context = UnsafeMutableRawPointer(last)
    sink.write = { sink, message in
      guard let seen = sink?.pointee.context, let data = message.data, message.size > 0 else { return 1 }
      let value = (size: message.size, first: data[0], last: data[Int(message.size) - 1])
      seen.assumingMemoryBound(to: (size: UInt64, first: UInt8, last: UInt8).self).pointee = value
      return 0
    }
    return withPointers(&error, &call) { error, call in
      call.pointee.error = error
      return withUnsafeMutablePointer(to: &sink) { sink in
        Self.timed(count, pause) {
          last.pointee = (0, 0, 0)
          let status = echo(call, symbolon_slice(data: argument, size: UInt64(bytes)), sink)
          precondition(status == 0 && last.pointee == (UInt64(bytes), 7, 7), "The worker gave back something else.")
        }
      }
    }
  }

  /// Microseconds of copying the bytes that must cross: the argument once and the result once.
  func copies(_ count: Int, bytes: Int) -> [Double] {
    let memory = (0..<3).map { _ in UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 4096) }
    for part in memory { memset(part, 1, bytes) }
    defer { for part in memory { part.deallocate() } }
    return Self.timed(count, 0) {
      memcpy(memory[1], memory[0], bytes)
      memcpy(memory[2], memory[1], bytes)
    }
  }

  static func timed(_ count: Int, _ pause: useconds_t, _ body: () -> Void) -> [Double] {
    (0..<count).map { _ in
      if pause > 0 { usleep(pause) }
      let start = MonotonicClock.nanoseconds
      body()
      return Double(MonotonicClock.nanoseconds - start) / 1000
    }
  }
}

/// A process that sends back what comes over a Unix socket.
private final class SocketPeer {
  private static let messageBytes = 64
  private let socket: Int32

  init() throws(HostError) {
    var pair: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
      throw .system("no_socket", "No socket: \(systemMessage()).")
    }
    let words = ["symbolon", "bench-workers", "--peer"]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] = [nil]
    let process = symbolon_spawn("/proc/self/exe", &arguments, &environment, STDERR_FILENO, pair[1], pair[1])
    for text in arguments { free(text) }
    close(pair[1])
    guard process > 0 else { throw .system("no_peer", "No process: \(systemMessage()).") }
    socket = pair[0]
  }

  deinit { close(socket) }

  /// Microseconds of each round trip.
  func roundTrips(_ count: Int, pause: useconds_t = 0) -> [Double] {
    var message = [UInt8](repeating: 7, count: Self.messageBytes)
    return message.withUnsafeMutableBytes { message in
      WorkerBench.timed(count, pause) {
        _ = write(socket, message.baseAddress, message.count)
        _ = read(socket, message.baseAddress, message.count)
      }
    }
  }

  /// The other process, until the socket is closed.
  static func serve() -> Never {
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: messageBytes, alignment: 16)
    while case let count = read(3, buffer, messageBytes), count > 0 { _ = write(3, buffer, count) }
    _exit(0)
  }
}
