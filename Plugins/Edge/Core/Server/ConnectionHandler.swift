import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Watches one connection for what the responder cannot see: the client leaving, unreadable requests, the time to close.
package final class ConnectionHandler: ChannelDuplexHandler, RemovableChannelHandler {
  package typealias InboundIn = HTTPRequestPart
  package typealias InboundOut = HTTPRequestPart
  package typealias OutboundIn = HTTPResponsePart
  package typealias OutboundOut = HTTPResponsePart

  private let connection: Connection
  private let bodyLimit: Int
  private let clock: HeadClock
  private let linger: TimeAmount
  private let metrics: Metrics
  private var requestsBegun = 0
  private var responsesEnded = 0
  private var isReceiving = false
  private var lastActivity = NIODeadline.uptimeNanoseconds(0)
  private var isAnswering: Bool { responsesEnded < requestsBegun }

  /// - Parameter linger: how long a client that is still sending may take to notice a refusal.
  package init(connection: Connection, bodyLimit: Int, clock: HeadClock, linger: TimeAmount, metrics: Metrics) {
    self.linger = linger
    self.connection = connection
    self.bodyLimit = bodyLimit
    self.clock = clock
    self.metrics = metrics
  }

  package func handlerAdded(context: ChannelHandlerContext) { lastActivity = context.eventLoop.now }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    lastActivity = context.eventLoop.now
    switch unwrapInboundIn(data) {
    case .head(let head):
      clock.headEnded()
      if !isAnswering, Self.waitsForContinue(head, bodyLimit: bodyLimit) {
        context.writeAndFlush(wrapOutboundOut(.head(HTTPResponse(status: .continue))), promise: nil)
      }
      requestsBegun += 1
      isReceiving = true
    case .body: break
    case .end:
      isReceiving = false
      clock.requestEnded()
      connection.requestReceived()
    }
    context.fireChannelRead(data)
  }

  package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    guard case .end = unwrapOutboundIn(data) else { return context.write(data, promise: promise) }
    responsesEnded += 1
    lastActivity = context.eventLoop.now
    if !isAnswering { connection.responseEnded() }
    guard connection.ends(withResponse: responsesEnded) else { return context.write(data, promise: promise) }
    let written = promise ?? context.eventLoop.makePromise(of: Void.self)
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    written.futureResult.whenComplete { _ in
      let (handler, context) = bound.value
      handler.closeGently(context)
    }
    context.write(data, promise: written)
  }

  package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event {
    case ChannelEvent.inputClosed:
      connection.clientLeft()
      context.fireUserInboundEventTriggered(event)
    case is ChannelShouldQuiesceEvent:
      // Not passed on: the next handler would close before a slow client has taken the answer.
      if isAnswering { connection.close(afterResponse: requestsBegun) } else { context.close(promise: nil) }
    case let event as CloseIfIdle:
      if !isAnswering, !isReceiving, isIdle(since: context.eventLoop.now - event.limit) { context.close(promise: nil) }
    default:
      context.fireUserInboundEventTriggered(event)
    }
  }

  package func channelInactive(context: ChannelHandlerContext) {
    connection.clientLeft()
    context.fireChannelInactive()
  }

  package func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if isAnswering, error is HTTPParserError {
      // The answers to what came before are still owed; what is being received ends here.
      if isReceiving, (error as? HTTPParserError) != .invalidEOFState {
        connection.isMalformed = true
        context.close(mode: .input, promise: nil)
      }
      return connection.close(afterResponse: requestsBegun)
    }
    connection.clientLeft()
    guard error is HTTPParserError else { return context.close(promise: nil) }
    let isOverflow = (error as? HTTPParserError) == .headerOverflow
    let failure =
      isOverflow
      ? EdgeFailure(
        .invalidArgument, "headers_too_large", "The request's header fields are larger than this node takes.", http: 431
      )
      : .malformedHTTP
    var head = HTTPResponse(status: .init(code: failure.httpStatus))
    head.headerFields[.contentType] = "application/json"
    head.headerFields[.contentLength] = String(failure.body.utf8.count)
    head.headerFields[.connection] = "close"
    let id = RequestID()
    head.headerFields[.requestID] = id.text
    head.headerFields[.traceparent] = TraceContext(traceparent: nil, request: id).traceparent
    metrics.refused(failure.code)
    requestsBegun += 1
    connection.close(afterResponse: requestsBegun)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.write(wrapOutboundOut(.body(ByteBuffer(string: failure.body))), promise: nil)
    write(context: context, data: wrapOutboundOut(.end(nil)), promise: nil)
    context.flush()
  }

  /// True when nothing came or went since then; what the decoder has not understood yet counts too.
  private func isIdle(since then: NIODeadline) -> Bool {
    lastActivity <= then && (clock.lastByte.map { $0 <= then } ?? true)
  }

  /// Ends the connection once the answer is out; a client that still sends gets time to read it first.
  private func closeGently(_ context: ChannelHandlerContext) {
    guard isReceiving else { return context.close(promise: nil) }
    context.close(mode: .output, promise: nil)
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.eventLoop.scheduleTask(in: linger) { bound.value.close(promise: nil) }
  }

  private static func waitsForContinue(_ head: HTTPRequest, bodyLimit: Int) -> Bool {
    guard head.headerFields[.expect]?.lowercased() == "100-continue" else { return false }
    return (head.headerFields[.contentLength].flatMap { Int($0) } ?? 0) <= bodyLimit
  }
}

extension EdgeFailure {
  static let malformedHTTP = EdgeFailure(
    .invalidArgument, "malformed_http", "This is not an HTTP/1.1 request that the node can read.")
}

/// Asks a connection to close if nothing has happened on it for a while.
package struct CloseIfIdle: Sendable {
  let limit: TimeAmount

  package init(limit: TimeAmount) { self.limit = limit }
}

extension HTTPField.Name {
  /// `x-request-id`, on every response.
  static let requestID = HTTPField.Name(parsed: "x-request-id") ?? .via
  /// What is left of `host` when the request has more than one.
  static let secondHost = HTTPField.Name(parsed: "host") ?? .via
  /// The trace that a request belongs to, on every response.
  static let traceparent = HTTPField.Name(parsed: "traceparent") ?? .via
}
