import EdgeCore
import FoundationEssentials
import PluginKit

/// Carries the edge's calls to the host.
struct HostDispatcher: Dispatcher {
  let host: Host

  func catalogRevision() -> UInt64 { (try? host.catalogRevision()) ?? 0 }

  func catalog() throws(EdgeFailure) -> Catalog {
    let json: JSON
    do { json = try host.catalog() } catch { throw EdgeFailure(error) }
    return try Catalog.decode(json.text)
  }

  func call(_ call: EdgeCall, onMessage: (UnsafeRawBufferPointer) throws -> Void) throws(EdgeFailure) {
    try invoke(call, Invocation(call.method, encoding: .json, arguments: call.arguments), onMessage)
  }

  func callRoute(
    _ call: EdgeCall, request: RouteRequest, onMessage: (UnsafeRawBufferPointer) throws -> Void
  ) throws(EdgeFailure) {
    var arguments: [UInt8] = []
    arguments.reserveCapacity(request.body.count + request.headers.utf8.count + request.path.utf8.count + 64)
    for slice in [Array(request.verb.utf8), Array(request.path.utf8), Array(request.headers.utf8), request.body] {
      withUnsafeBytes(of: UInt32(slice.count).bigEndian) { arguments += $0 }
      arguments += slice
    }
    try invoke(call, Invocation(call.method, encoding: .canonical, arguments: arguments), onMessage)
  }

  private func invoke(
    _ call: EdgeCall, _ what: Invocation, _ onMessage: (UnsafeRawBufferPointer) throws -> Void
  ) throws(EdgeFailure) {
    let cancellation = call.cancellation
    do {
      try host.withRootCall(
        origin: call.origin == .operator ? .operator : .public, deadline: call.deadline,
        isCancelled: { cancellation.isCancelled }, traceID: call.trace
      ) { root in try host.invoke(root, what, receive: onMessage) }
    } catch let failure as EdgeFailure {
      throw failure
    } catch let failure as Failure {
      throw EdgeFailure(failure)
    } catch {
      throw EdgeFailure(.internal, "internal", "\(error)")
    }
  }
}

extension EdgeFailure {
  /// A failure of the host or a layer, as HTTP knows it.
  init(_ failure: Failure) {
    self.init(Status(rawValue: failure.status.rawValue) ?? .unknown, failure.code, failure.message)
  }
}

extension Failure {
  /// A failure of the edge, as the host knows it.
  init(_ failure: EdgeFailure) {
    self.init(PluginKit.Status(rawValue: failure.status.rawValue) ?? .unknown, failure.code, failure.message)
  }
}
