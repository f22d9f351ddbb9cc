import EdgeCore
import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import Testing

/// One connection's handlers on an event loop whose time stands still until it is moved.
private struct TimedConnection {
  let channel = EmbeddedChannel()
  let expired = Locked(false)

  init(headLimit: TimeAmount) throws {
    let clock = HeadClock(limit: headLimit) { [expired] in expired.withLock { $0 = true } }
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandler(clock)
    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: false, withErrorHandling: false)
    try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
    try pipeline.addHandler(
      ConnectionHandler(
        connection: Connection(), bodyLimit: 1000, clock: clock, linger: .seconds(2), metrics: Metrics()))
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
  }

  func receive(_ text: String) throws { try channel.writeInbound(ByteBuffer(string: text)) }

  func answer() throws {
    try channel.writeOutbound(
      HTTPResponsePart.head(HTTPResponse(status: .ok, headerFields: [.contentLength: "0"])))
    try channel.writeOutbound(HTTPResponsePart.end(nil))
  }

  func pass(_ time: TimeAmount) { channel.embeddedEventLoop.advanceTime(by: time) }

  func closeIfIdle(for limit: TimeAmount) {
    channel.pipeline.fireUserInboundEventTriggered(CloseIfIdle(limit: limit))
  }
}

/// When a connection's own clock ends it, by a clock that the test moves.
@Suite struct ConnectionTimeTests {
  private static let request = "GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"

  @Test func aHeadHasItsTimeFromItsFirstByte() throws {
    let connection = try TimedConnection(headLimit: .milliseconds(400))
    try connection.receive("GET /health HTTP/1.1\r\nx: ")
    for _ in 0..<3 {
      connection.pass(.milliseconds(100))
      try connection.receive("1")
      #expect(connection.channel.isActive)
    }
    connection.pass(.milliseconds(100))
    #expect(!connection.channel.isActive && connection.expired.withLock { $0 })
  }

  @Test func aConnectionInUseMayLiveLongerThanOneRequestMay() throws {
    let connection = try TimedConnection(headLimit: .milliseconds(300))
    for _ in 0..<6 {
      connection.pass(.milliseconds(250))
      try connection.receive(Self.request)
      connection.pass(.milliseconds(250))
      try connection.answer()
    }
    #expect(connection.channel.isActive && !connection.expired.withLock { $0 })
    _ = try? connection.channel.finish()
  }

  @Test func aHandoverEndsOnlyWhatHasBeenIdleForAWhile() throws {
    let connection = try TimedConnection(headLimit: .hours(1))
    try connection.receive(Self.request)
    connection.pass(.seconds(9))
    connection.closeIfIdle(for: .seconds(5))
    #expect(connection.channel.isActive, "an answer is owed")
    try connection.answer()
    connection.pass(.seconds(4))
    connection.closeIfIdle(for: .seconds(5))
    #expect(connection.channel.isActive, "not idle for long")
    try connection.receive("GET /heal")
    connection.pass(.seconds(4))
    connection.closeIfIdle(for: .seconds(5))
    #expect(connection.channel.isActive, "a request has begun to arrive")
    connection.pass(.seconds(1))
    connection.closeIfIdle(for: .seconds(5))
    #expect(!connection.channel.isActive)
  }
}
