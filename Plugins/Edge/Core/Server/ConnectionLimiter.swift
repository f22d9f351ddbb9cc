import NIOCore

/// Stops accepting while as many connections are open as may be; the kernel's queue holds the others.
///
/// So that silent clients cannot keep all others out, those that the node has waited for longest then make room.
final class ConnectionLimiter: ChannelDuplexHandler, RemovableChannelHandler {
  typealias InboundIn = any Channel
  typealias OutboundIn = Never

  private static let pause: TimeAmount = .milliseconds(100)

  private let limit: Int
  private let metrics: Metrics
  private let makeRoom: () -> Void
  private var timer: RepeatedTask?
  private var open = 0
  private var isHoldingBack = false

  /// - Parameter makeRoom: closes a connection or more that can be spared, if there is one; asked repeatedly.
  init(limit: Int, metrics: Metrics, makeRoom: @escaping () -> Void) {
    self.makeRoom = makeRoom
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
    if open < limit { return context.read() }
    isHoldingBack = true
    guard timer == nil else { return }
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.pause) { _ in
      bound.value.makeRoom()
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

  private func closed(_ context: ChannelHandlerContext) {
    open -= 1
    metrics.connectionClosed()
    guard isHoldingBack, open < limit else { return }
    isHoldingBack = false
    timer?.cancel()
    timer = nil
    context.read()
  }
}
