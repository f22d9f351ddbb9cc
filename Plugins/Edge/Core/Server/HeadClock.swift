import NIOCore

/// Bounds the time from the first byte of a request, or of a connection, to the end of its head.
///
/// It sits before the HTTP decoder, which says nothing until the head is whole: a client that drips its header fields
/// would hold a connection for ever. Bodies have a clock of their own, in `Responder+Body.swift`.
package final class HeadClock: ChannelInboundHandler, RemovableChannelHandler {
  package typealias InboundIn = ByteBuffer
  package typealias InboundOut = ByteBuffer

  private let limit: TimeAmount
  private let onExpiry: () -> Void
  private var timer: Scheduled<Void>?
  private var isInRequest = false
  /// When the client last sent anything; nil before it did.
  private(set) var lastByte: NIODeadline?

  /// - Parameter onExpiry: runs on the event loop, before the connection is closed.
  package init(limit: TimeAmount, onExpiry: @escaping () -> Void) {
    self.limit = limit
    self.onExpiry = onExpiry
  }

  /// The head is whole.
  package func headEnded() {
    isInRequest = true
    timer?.cancel()
    timer = nil
  }

  /// The request is whole: the next byte begins another.
  package func requestEnded() { isInRequest = false }

  package func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { begin(context) }
  }

  package func channelActive(context: ChannelHandlerContext) {
    begin(context)
    context.fireChannelActive()
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    lastByte = context.eventLoop.now
    if !isInRequest { begin(context) }
    context.fireChannelRead(data)
  }

  package func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

  package func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    timer = nil
    context.fireChannelInactive()
  }

  private func begin(_ context: ChannelHandlerContext) {
    guard timer == nil else { return }
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleTask(in: limit) {
      let (clock, context) = bound.value
      clock.onExpiry()
      context.close(promise: nil)
    }
  }
}
