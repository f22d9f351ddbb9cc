import HTTPTypes
import HummingbirdCore
import NIOCore

/// Writing answers, no faster than the client takes them.
extension Responder {
  /// The largest piece that is handed to the socket at once.
  private static let pieceBytes = 64 * 1024

  /// Writes head and body; returns the bytes of the body.
  func write(_ reply: Reply, _ writer: consuming ResponseWriter, _ exchange: Exchange) async throws -> Int {
    var head = HTTPResponse(status: .init(code: reply.status), headerFields: reply.headers)
    switch reply.body {
    case .whole(let bytes):
      if reply.status != 204 { head.headerFields[.contentLength] = String(bytes.count) }
      guard exchange.verb != "HEAD", !bytes.isEmpty else {
        try await writer.writeResponse(head)
        return 0
      }
      var body = try await writer.writeHead(head)
      try await writeWhole(bytes, to: &body, exchange.channel)
      try await body.finish(nil)
      return bytes.count
    case .stream(let first, let bridge, let framing):
      var body = try await writer.writeHead(head)
      let sent = try await writeStream(first, bridge, framing, to: &body, exchange)
      try await body.finish(nil)
      return sent
    }
  }

  private func writeWhole(
    _ bytes: [UInt8], to body: inout some ResponseBodyWriter, _ channel: any Channel
  ) async throws {
    var rest = ByteBuffer(bytes: bytes)
    while let piece = rest.readSlice(length: min(rest.readableBytes, Self.pieceBytes)), piece.readableBytes > 0 {
      try await patiently(channel) { try await body.write(piece) }
    }
  }

  private func writeStream(
    _ first: [[UInt8]], _ bridge: MessageBridge, _ framing: Reply.Framing, to body: inout some ResponseBodyWriter,
    _ exchange: Exchange
  ) async throws -> Int {
    let isWanted = exchange.verb != "HEAD"
    let pulse =
      framing.keepAlive.isEmpty
      ? nil
      : exchange.channel.eventLoop.scheduleRepeatedTask(initialDelay: pace.keepAlive, delay: pace.keepAlive) { _ in
        bridge.nudge()
      }
    defer { pulse?.cancel() }
    var sent = 0
    var event = MessageBridge.Event.messages(first)
    while true {
      var out: [UInt8] = []
      var isLast = false
      switch event {
      case .messages(let messages): for message in messages { framing.frame(message, into: &out) }
      case .idle: out = framing.keepAlive
      case .finished:
        out = framing.ending
        isLast = true
      case .failed(let failure):
        // A raw stream has no place for an error: it breaks off, so that nobody takes it for whole.
        guard framing != .raw, !exchange.connection.isGone else { throw Aborted() }
        framing.frame(Array(failure.body.utf8), into: &out)
        isLast = true
      }
      if isWanted, !out.isEmpty {
        sent += out.count
        try await writeWhole(out, to: &body, exchange.channel)
      }
      if isLast { return sent }
      event = await bridge.next()
    }
  }

  /// Runs a write; closes the connection when the client takes nothing for too long.
  private func patiently(_ channel: any Channel, _ write: () async throws -> Void) async throws {
    guard !channel.isWritable else { return try await write() }
    let timer = channel.eventLoop.scheduleTask(in: .milliseconds(Int64(settings.writeTimeoutMilliseconds))) {
      channel.close(promise: nil)
    }
    defer { timer.cancel() }
    try await write()
  }
}
