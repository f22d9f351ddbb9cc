import FoundationEssentials
import HTTPTypes
import HummingbirdCore
import NIOCore

/// Calls on behalf of requests.
extension Responder {
  /// `POST /v1/methods/<layer>.<method>`.
  func method(
    _ name: String, _ snapshot: CatalogStore.Snapshot, _ exchange: inout Exchange
  ) async throws(EdgeFailure) -> Reply {
    guard let method = snapshot.methods[name] else {
      throw EdgeFailure(
        .notFound, "unknown_method", "No layer here has such a method; /openapi.json lists all.", parameter: "method")
    }
    guard !method.isTransition else { throw Self.needsTransaction(name) }
    let access = gate.access(exchange.request.headers[.authorization])
    exchange.access = access
    let isOpened = access.opens(name)
    guard method.isPublic || isOpened else { throw access.refusal(of: name) }
    var arguments = try await readBody(&exchange)
    if arguments.isEmpty { arguments = Array("{}".utf8) }
    try await check(arguments)
    let call = makeCall(
      name, arguments: arguments, origin: isOpened ? .operator : .public, isStream: method.isStream, exchange)
    let bridge = try await run(call, isStream: method.isStream, exchange) {
      [dispatcher] (call, write) throws(EdgeFailure) in
      try dispatcher.call(call, onMessage: write)
    }
    let first: [[UInt8]]
    do throws(EdgeFailure) {
      guard method.isStream else {
        return Reply(status: 200, type: "application/json", body: .whole(try await whole(bridge)))
      }
      first = try await firstMessages(bridge)
    } catch {
      throw Self.naming(error, method)
    }
    let wantsEvents = exchange.request.headers[.accept]?.lowercased().contains("text/event-stream") ?? false
    var reply = Reply(
      status: 200, type: wantsEvents ? "text/event-stream; charset=utf-8" : "application/x-ndjson",
      body: .stream(first, bridge, wantsEvents ? .events : .lines))
    reply.headers[.cacheControl] = "no-cache"
    return reply
  }

  /// A path that a layer declared.
  func declared(_ method: String, _ exchange: inout Exchange) async throws(EdgeFailure) -> Reply {
    let access = gate.access(exchange.request.headers[.authorization])
    exchange.access = access
    let request = RouteRequest(
      verb: exchange.verb, path: exchange.path, headers: headers(exchange, withoutAuthorization: access.isOurs),
      body: try await readBody(&exchange))
    let call = makeCall(
      method, arguments: [], origin: access.opens(method) ? .operator : .public, isStream: true, exchange)
    let bridge = try await run(call, isStream: true, exchange) { [dispatcher] (call, write) throws(EdgeFailure) in
      try dispatcher.callRoute(call, request: request, onMessage: write)
    }
    var messages = try await firstMessages(bridge)
    guard !messages.isEmpty else {
      throw EdgeFailure(.internal, "no_head", "The layer gave no answer: its method \(method) wrote nothing.")
    }
    let head = try RouteHead.decode(messages.removeFirst(), method: method)
    var reply = Reply(status: head.status, type: "application/json", body: .stream(messages, bridge, .raw))
    for (name, value) in head.headers { reply.headers[name] = value }
    return reply
  }

  /// Checks arguments; large ones aside, because this runs on an event loop.
  private func check(_ arguments: [UInt8]) async throws(EdgeFailure) {
    let depthLimit = settings.jsonDepth
    guard arguments.count > 64 * 1024 else { return try JSONCheck.object(arguments, depthLimit: depthLimit) }
    do {
      try await pool.runAside { try JSONCheck.object(arguments, depthLimit: depthLimit) }
    } catch {
      throw error as? EdgeFailure ?? EdgeFailure(.unavailable, "stopping", "The edge is stopping: ask again.")
    }
  }

  private func makeCall(
    _ method: String, arguments: [UInt8], origin: EdgeCall.Origin, isStream: Bool, _ exchange: Exchange
  ) -> EdgeCall {
    let limit = isStream ? settings.streamTimeoutMilliseconds : settings.callTimeoutMilliseconds
    let deadline = NIODeadline.now() + .milliseconds(Int64(limit))
    return EdgeCall(
      method: method, arguments: arguments, origin: origin, trace: exchange.trace.trace,
      deadline: deadline.uptimeNanoseconds, cancellation: exchange.cancellation)
  }

  /// Starts a call on a thread of the pool; its messages come over the bridge.
  private func run(
    _ call: EdgeCall, isStream: Bool, _ exchange: Exchange,
    _ body: @escaping @Sendable (EdgeCall, (UnsafeRawBufferPointer) throws -> Void) throws(EdgeFailure) -> Void
  ) async throws(EdgeFailure) -> MessageBridge {
    let bridge = MessageBridge(limit: settings.streamBufferBytes, memory: streamMemory)
    let isRunning = await admit(exchange.channel.eventLoop) {
      do throws(EdgeFailure) {
        try body(call) { try bridge.write(Array($0)) }
        bridge.finish()
      } catch {
        bridge.finish(error)
      }
    }
    guard isRunning else {
      metrics.wasSaturated()
      throw EdgeFailure(
        .unavailable, "saturated", "All \(settings.calls) calls of this node are taken: try again in a second.",
        headers: ["retry-after": "1"])
    }
    exchange.cancellation.onCancel { bridge.abandon() }
    if isStream {
      let channel = exchange.channel
      streams.add(bridge) {
        call.cancellation.cancel()
        channel.close(promise: nil)
      }
    }
    watchTime(call, bridge, isStream: isStream, exchange)
    return bridge
  }

  /// Finds a thread; when all are taken, ends a stream whose client takes nothing and waits for its thread.
  private func admit(_ loop: any EventLoop, _ body: @escaping @Sendable () -> Void) async -> Bool {
    if pool.tryRun(body) { return true }
    guard streams.endSlowest() else { return false }
    metrics.refused("slow_reader")
    return await pool.run(body, waiting: pace.roomWait, on: loop)
  }

  /// Ends a call that gives nothing for too long, or a stream that takes too long.
  private func watchTime(_ call: EdgeCall, _ bridge: MessageBridge, isStream: Bool, _ exchange: Exchange) {
    func expire(after milliseconds: Int, evenAfterFirstMessage: Bool) -> Scheduled<Void> {
      exchange.channel.eventLoop.scheduleTask(in: .milliseconds(Int64(milliseconds))) {
        let failure = EdgeFailure(
          .deadlineExceeded, "call_timeout", "The call took longer than \(milliseconds) ms and was stopped.")
        if bridge.expire(failure, evenAfterFirstMessage: evenAfterFirstMessage) { call.cancellation.cancel() }
      }
    }
    let first = expire(after: settings.callTimeoutMilliseconds, evenAfterFirstMessage: !isStream)
    let whole = isStream ? expire(after: settings.streamTimeoutMilliseconds, evenAfterFirstMessage: true) : nil
    bridge.onEnding { [streams] in
      streams.remove(bridge)
      first.cancel()
      whole?.cancel()
    }
  }

  /// The only message of a method that is not a stream.
  private func whole(_ bridge: MessageBridge) async throws(EdgeFailure) -> [UInt8] {
    var result: [UInt8] = []
    while true {
      switch await bridge.next() {
      case .messages(let messages): for message in messages { result += message }
      case .idle: continue
      case .finished: return result.isEmpty ? Array("{}".utf8) : result
      case .failed(let failure): throw failure
      }
    }
  }

  /// What a stream begins with, so that a failure before it still has a status of its own; empty when it is over.
  private func firstMessages(_ bridge: MessageBridge) async throws(EdgeFailure) -> [[UInt8]] {
    while true {
      switch await bridge.next() {
      case .messages(let messages): return messages
      case .idle: continue
      case .finished: return []
      case .failed(let failure): throw failure
      }
    }
  }

  /// Header fields for a layer: lower-case names, the operator's token taken out, the peer's address put in.
  private func headers(_ exchange: Exchange, withoutAuthorization: Bool) -> String {
    var fields: [String: String] = [:]
    for field in exchange.request.headers {
      let name = field.name.canonicalName
      if withoutAuthorization, name == "authorization" { continue }
      fields[name] = fields[name].map { "\($0), \(field.value)" } ?? field.value
    }
    if let authority = exchange.request.head.authority { fields["host"] = authority }
    fields["x-request-id"] = RequestID.accepted(fields["x-request-id"]) ?? exchange.id.text
    fields["traceparent"] = exchange.trace.traceparent
    fields["x-symbolon-peer"] = exchange.channel.remoteAddress?.ipAddress
    return JSONText.object(fields.sorted { $0.key < $1.key }.map { ($0.key, JSONText.string($0.value)) })
  }

  /// A failure whose sentence begins with an argument's name, with that name as `param`.
  private static func naming(_ failure: EdgeFailure, _ method: Catalog.Method) -> EdgeFailure {
    guard failure.httpStatus == 400, failure.parameter == nil, failure.message.hasPrefix("`") else { return failure }
    let name = failure.message.dropFirst().prefix { $0 != "`" }
    guard method.parameters.contains(where: { $0.name == name }) else { return failure }
    var failure = failure
    failure.parameter = String(name)
    return failure
  }

  private static func needsTransaction(_ name: String) -> EdgeFailure {
    EdgeFailure(
      .invalidArgument, "needs_transaction",
      "`\(name)` changes ledger state and runs only in a signed transaction: get the bytes to sign from "
        + "POST /v1/methods/ledger.prepare, sign them with Ed25519, and send both to POST /v1/methods/ledger.submit.",
      parameter: "method")
  }
}
