import NIOCore

/// Stops accepting while as many connections are open as may be; the kernel's queue holds the others.
final class ConnectionLimiter: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = any Channel
  typealias OutboundIn = Never

  private let limit: Int
  private let metrics: Metrics
  private var open = 0
  private var isHoldingBack = false

  init(limit: Int, metrics: Metrics) {
    self.limit = limit
    self.metrics = metrics
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let child = unwrapInboundIn(data)
    open += 1
    metrics.connectionOpened()
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    child.closeFuture.hop(to: context.eventLoop).whenComplete { _ in
      let (limiter, context) = bound.value
      limiter.closed(context)
    }
    context.fireChannelRead(data)
  }

  func read(context: ChannelHandlerContext) {
    if open < limit { context.read() } else { isHoldingBack = true }
  }

  private func closed(_ context: ChannelHandlerContext) {
    open -= 1
    metrics.connectionClosed()
    guard isHoldingBack, open < limit else { return }
    isHoldingBack = false
    context.read()
  }
}
