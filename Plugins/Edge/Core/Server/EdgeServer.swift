import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTPTypes
import NIOPosix
import NIOSSL
import Synchronization

/// The HTTP server of the node: accepts on a socket that the host owns, and answers through a `Dispatcher`.
package final class EdgeServer: Sendable {
  /// One accepted connection and the task that serves it.
  private struct Served: Sendable {
    var channel: any Channel
    var task: Task<Void, Never>
    var connection: Connection
  }

  private struct State {
    var listener: (any Channel)?
    var slowWatch: RepeatedTask?
    var connections: [ObjectIdentifier: Served] = [:]
    var isStopping = false
  }

  /// How many connections make room at once when others want in.
  private static let shedAtOnce = 16
  /// Descriptors that are not connections: the layers' files, libraries, event loops.
  private static let filesForOthers = 200

  private let dispatcher: any Dispatcher
  private let settings: EdgeSettings
  private let pace: Pace
  private let token: String
  private let tokens: TokenStore?
  private let log: EdgeLog
  private let pool: CallPool
  private let streams: StreamRegistry
  private let budget: ByteBudget
  private let streamMemory: ByteBudget
  private let loops: MultiThreadedEventLoopGroup
  private let state = Mutex(State())
  /// What the server did; also at `/metrics`.
  package let metrics = Metrics()

  /// - Parameters:
  ///   - operatorToken: admits to methods that are not PUBLIC.
  ///   - tokens: admit to those that they name.
  ///   - pace: the waits that are no settings.
  package init(
    dispatcher: any Dispatcher, settings: EdgeSettings, operatorToken: String, tokens: TokenStore? = nil,
    log: EdgeLog, pace: Pace = Pace()
  ) {
    self.pace = pace
    self.tokens = tokens
    self.dispatcher = dispatcher
    self.settings = settings
    token = operatorToken
    self.log = log
    pool = CallPool(size: settings.calls)
    streams = StreamRegistry(patience: pace.patience)
    budget = ByteBudget(limit: settings.bodyMemoryBytes)
    streamMemory = ByteBudget(limit: settings.streamMemoryBytes)
    loops = MultiThreadedEventLoopGroup(numberOfThreads: max(1, min(4, System.coreCount)))
  }

  /// Serves on a bound, listening descriptor, which the server closes when it stops; returns the port.
  @discardableResult
  package func start(listening descriptor: CInt) async throws(EdgeFailure) -> Int {
    let tls = try TLSFiles.read(settings, log: log)
    let limit = connectionLimit()
    do {
      let bootstrap = ServerBootstrap(group: loops)
        .serverChannelInitializer { [metrics, weak self] channel in
          channel.eventLoop.makeCompletedFuture {
            let limiter = ConnectionLimiter(limit: limit, metrics: metrics) { self?.makeRoom() }
            try channel.pipeline.syncOperations.addHandler(limiter)
          }
        }
        .childChannelOption(.allowRemoteHalfClosure, value: true)
        .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      let address = try Self.address(of: descriptor)
      guard address.isLoopback || tls != nil || settings.plaintext == "allow" else { throw Self.needsTLS(address) }
      let responder = makeResponder(listensOnLoopback: address.isLoopback)
      let logger = log.logger
      let listener =
        try await bootstrap
        .childChannelInitializer { self.serve($0, responder: responder, tls: tls?.current(), logger: logger) }
        .withBoundSocket(descriptor).get()
      let watch = watchSlowReaders()
      state.withLock { state in
        state.listener = listener
        state.slowWatch = watch
      }
      return address.port ?? 0
    } catch let failure as EdgeFailure {
      throw failure
    } catch {
      throw EdgeFailure(.unavailable, "not_listening", "The edge cannot serve on the host's socket: \(error).")
    }
  }

  /// Why a server stops.
  package enum Ending: Sendable {
    /// Another generation serves on the same socket: nothing is cut that can end by itself.
    case handover
    /// The node ends: requests in flight have the settings' drain time-out, idle connections none.
    case end
  }

  /// Stops accepting, lets requests in flight end, then closes the rest.
  package func stop(_ ending: Ending = .end) async {
    let (listener, watch) = state.withLock { state in
      state.isStopping = true
      return (state.listener, state.slowWatch)
    }
    // First accept no more, then close: what was accepted is set up meanwhile, and served.
    try? await listener?.setOption(.autoRead, value: false).get()
    try? await Task.sleep(for: idleGrace)
    try? await listener?.close()
    switch ending {
    case .end:
      // Again and again: what was accepted at the last moment hears of it too.
      let deadline = NIODeadline.now() + .milliseconds(Int64(settings.drainTimeoutMilliseconds))
      while !open.isEmpty, .now() < deadline {
        for served in open { served.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
        try? await Task.sleep(for: .milliseconds(20))
      }
      await drain(.zero)
    case .handover:
      await letGo(until: .now() + .milliseconds(Int64(settings.streamTimeoutMilliseconds)))
      await drain(.zero)
    }
    watch?.cancel()
    await stopThreads()
  }

  /// Waits until every connection has ended: with an answer that said so, or after it was idle for a while.
  ///
  /// A connection that a client keeps for its next request is not closed under its hands: that request is answered,
  /// with `connection: close`.
  private func letGo(until deadline: NIODeadline) async {
    let idle = min(pace.handoverIdle, .milliseconds(Int64(settings.idleTimeoutMilliseconds)))
    while !open.isEmpty, .now() < deadline {
      for served in open { served.channel.pipeline.fireUserInboundEventTriggered(CloseIfIdle(limit: idle)) }
      try? await Task.sleep(for: idleGrace)
    }
  }

  /// Waits for all connections, and closes those that are left after a while.
  private func drain(_ limit: TimeAmount) async {
    let force = loops.any().scheduleTask(in: limit) {
      let left = self.open
      if !left.isEmpty { self.log.write(.warning, "Closing connections that did not end", ["count": "\(left.count)"]) }
      for served in left { served.channel.close(promise: nil) }
    }
    for served in open { await served.task.value }
    force.cancel()
  }

  /// Keeps the threads that slow readers hold within the settings' bound.
  private func watchSlowReaders() -> RepeatedTask {
    let often = TimeAmount.nanoseconds(max(pace.patience.nanoseconds / 4, 10_000_000))
    return loops.any().scheduleRepeatedTask(initialDelay: often, delay: often) { [streams, settings, metrics] _ in
      for _ in 0..<streams.endSlow(above: settings.slowCalls) { metrics.refused("slow_reader") }
    }
  }

  /// Closes the connections that the node has waited for longest, when no more are taken in.
  private func makeRoom() {
    let waiting = open.compactMap { served in served.connection.waitsSince.map { (served.channel, $0) } }
      .filter { .now() - $0.1 >= pace.courtesy }
    for (channel, _) in waiting.sorted(by: { $0.1 < $1.1 }).prefix(Self.shedAtOnce) {
      metrics.refused("connections_full")
      channel.close(promise: nil)
    }
  }

  /// What the settings allow, as far as the process may open files at all.
  private func connectionLimit() -> Int {
    var files = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files) == 0 else { return settings.maxConnections }
    let most = max(1, Int(clamping: files.rlim_cur) - Self.filesForOthers)
    guard most < settings.maxConnections else { return settings.maxConnections }
    log.write(
      .warning, "The limit of open files bounds the connections (ulimit -n)",
      ["max_connections": String(settings.maxConnections), "possible": String(most)])
    return most
  }

  private var idleGrace: Duration { .nanoseconds(pace.idleGrace.nanoseconds) }

  /// The bytes of request bodies that are held now.
  package var bodyBytes: Int { budget.bytes }

  /// The bytes of answers that wait for their clients now, above what each stream has for itself.
  package var waitingBytes: Int { streamMemory.bytes }

  /// The calls that hold a thread now.
  package var callsInFlight: Int { pool.inFlight }

  /// The streams whose method waits for its client now, each with the thread that it runs on.
  package var stalledStreams: Int { streams.stalled }

  /// True from the first moment of `stop`.
  package var isStopping: Bool { state.withLock { $0.isStopping } }

  private var open: [Served] { state.withLock { Array($0.connections.values) } }

  private func makeResponder(listensOnLoopback: Bool) -> Responder {
    let gate = Gate(
      listensOnLoopback: listensOnLoopback, allowedHosts: settings.allowedHosts,
      allowedOrigins: settings.allowedOrigins, token: token, tokens: tokens)
    return Responder(
      dispatcher: dispatcher, settings: settings, pace: pace, gate: gate, pool: pool, streams: streams, budget: budget,
      streamMemory: streamMemory,
      catalogs: CatalogStore(dispatcher: dispatcher, pool: pool, title: settings.title), metrics: metrics, log: log,
      isStopping: { [weak self] in self?.isStopping ?? true })
  }

  /// Sets a connection up with hummingbird's HTTP/1 channel and serves it on a task of its own.
  private func serve(
    _ channel: any Channel, responder: Responder, tls: NIOSSLContext?, logger: Logger
  ) -> EventLoopFuture<Void> {
    let id = ObjectIdentifier(channel)
    let connection = Connection()
    let clock = HeadClock(limit: .milliseconds(Int64(settings.requestTimeoutMilliseconds))) { [metrics] in
      metrics.refused("head_timeout")
      connection.clientLeft()
    }
    let http = makeHTTP(connection, NIOLoopBound(clock, eventLoop: channel.eventLoop), responder)
    let prepared = channel.eventLoop.makeCompletedFuture {
      if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
      try channel.pipeline.syncOperations.addHandler(clock)
    }
    return prepared.flatMap { http.setup(channel: channel, logger: logger) }.map { stream in
      self.state.withLock { state in
        let task = Task(executorPreference: LoopExecutor(channel.eventLoop)) {
          await http.handle(value: stream, logger: logger)
          self.state.withLock { $0.connections[id] = nil }
        }
        state.connections[id] = Served(channel: channel, task: task, connection: connection)
      }
    }
  }

  private func makeHTTP(
    _ connection: Connection, _ clock: NIOLoopBound<HeadClock>, _ responder: Responder
  ) -> HTTP1Channel {
    let (bodyLimit, linger, metrics) = (settings.bodyLimitBytes, pace.linger, metrics)
    return HTTP1Channel(
      responder: { request, writer, channel in
        try await responder.respond(to: request, writer: writer, channel: channel, connection: connection)
      },
      configuration: .init(
        additionalChannelHandlers: [
          ConnectionHandler(
            connection: connection, bodyLimit: bodyLimit, clock: clock.value, linger: linger, metrics: metrics)
        ],
        idleTimeout: .milliseconds(Int64(settings.idleTimeoutMilliseconds)),
        httpDecoderConfiguration: .init(
          maxHeaderFieldSize: settings.headerLimitBytes, maxHeaderListSize: settings.headerLimitBytes,
          maxHeaderFieldCount: 100)))
  }

  /// Ends threads and loops; calls that still run after a second are left to end by themselves.
  private func stopThreads() async {
    for _ in 0..<100 where pool.inFlight > 0 { try? await Task.sleep(for: .milliseconds(10)) }
    if pool.inFlight > 0 {
      log.write(.warning, "Calls did not end when their clients were gone", ["count": "\(pool.inFlight)"])
      Task { [pool] in await pool.stop() }
    } else {
      await pool.stop()
    }
    try? await loops.shutdownGracefully()
  }

  private static func needsTLS(_ address: SocketAddress) -> EdgeFailure {
    EdgeFailure(
      .failedPrecondition, "needs_tls",
      "Other machines can reach \(address.ipAddress ?? "this address"), where keys and prompts would travel unprotected: "
        + "set `tls_certificate` and `tls_key` in [plugin.edge.settings], listen on 127.0.0.1 behind a proxy with TLS, "
        + "or say `plaintext = \"allow\"` there.")
  }

  private static func address(of descriptor: CInt) throws -> SocketAddress {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    guard result == 0 else { throw IOError(errnoCode: errno, reason: "getsockname") }
    return try withUnsafePointer(to: storage) { pointer -> SocketAddress in
      switch Int32(pointer.pointee.ss_family) {
      case AF_INET:
        pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee, host: "") }
      case AF_INET6:
        pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee, host: "") }
      default: throw SocketAddressError.unsupported
      }
    }
  }
}

extension SocketAddress {
  /// True for 127.0.0.0/8 and ::1.
  fileprivate var isLoopback: Bool { ipAddress.map { $0.hasPrefix("127.") || $0 == "::1" } ?? false }
}
