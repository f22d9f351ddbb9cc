import NIOCore

/// The waits of the edge that nobody needs to set; a test sets them so that no clock decides what it sees.
package struct Pace: Sendable {
  /// How long a stopping server still takes requests on idle connections, so that one on its way finds an answer.
  package var idleGrace: TimeAmount = .milliseconds(250)
  /// How long a connection must have been idle to be closed at a handover.
  package var handoverIdle: TimeAmount = .seconds(5)
  /// How long a client may keep the node waiting although others want in.
  package var courtesy: TimeAmount = .seconds(1)
  /// A client that takes nothing of its stream for this long is slow.
  package var patience: TimeAmount = .seconds(1)
  /// How long a request waits for the thread of a stream that was ended for it.
  package var roomWait: TimeAmount = .seconds(5)
  /// How long a client that is still sending may take to notice a refusal.
  package var linger: TimeAmount = .seconds(2)
  /// How long an event stream may be silent before a comment says that it lives.
  package var keepAlive: TimeAmount = .seconds(15)

  package init() {}
}
