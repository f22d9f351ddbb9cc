/// What the edge needs of the host: what there is, and how to call it.
///
/// `call` and `catalog` are synchronous and may block; the edge runs them on threads of its own.
package protocol Dispatcher: Sendable {
  /// Changes whenever `catalog` would answer differently; returns at once.
  func catalogRevision() -> UInt64
  /// What runs here.
  func catalog() throws(EdgeFailure) -> Catalog
  /// Runs a method and hands over its messages: one JSON object with all results, or one JSON value per item.
  func call(_ call: EdgeCall, onMessage: (UnsafeRawBufferPointer) throws -> Void) throws(EdgeFailure)
  /// Runs the method of a declared route; the messages are raw bytes.
  func callRoute(
    _ call: EdgeCall, request: RouteRequest, onMessage: (UnsafeRawBufferPointer) throws -> Void
  ) throws(EdgeFailure)
}

/// One call on behalf of an HTTP request.
package struct EdgeCall: Sendable {
  /// Who asks.
  package enum Origin: Sendable, Equatable {
    case `public`
    case `operator`
  }

  /// As in `ledger.balance`.
  package var method: String
  /// One JSON object by name, checked to be JSON; empty for routes.
  package var arguments: [UInt8]
  package var origin: Origin
  /// 16 bytes, the same in all logs that the request causes.
  package var trace: [UInt8]
  /// On the monotonic clock, nanoseconds.
  package var deadline: UInt64
  /// True as soon as nobody waits for the result.
  package var cancellation: Cancellation
}

/// What a declared route's method is given.
package struct RouteRequest: Sendable {
  package var verb: String
  /// With the query.
  package var path: String
  /// A JSON object of lower-case names.
  package var headers: String
  package var body: [UInt8]
}
