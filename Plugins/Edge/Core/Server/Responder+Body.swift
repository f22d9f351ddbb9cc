import HTTPTypes
import HummingbirdCore
import NIOCore

/// Reading requests.
extension Responder {
  /// The whole body, within the limits of size and time.
  func readBody(_ exchange: inout Exchange) async throws(EdgeFailure) -> [UInt8] {
    let limit = settings.bodyLimitBytes
    // A body whose end nobody can tell would be read until the client leaves, and may hide another request.
    if let coding = exchange.request.headers[.transferEncoding], coding.lowercased() != "chunked" {
      exchange.connection.close(afterResponse: exchange.number)
      throw EdgeFailure(
        .unimplemented, "transfer_encoding", "The only `Transfer-Encoding` that this node reads is `chunked`.")
    }
    let announced = exchange.request.headers[.contentLength].flatMap { Int($0) } ?? 0
    guard announced <= limit else { throw tooLarge }
    let (connection, channel) = (exchange.connection, exchange.channel)
    let timer = channel.eventLoop.scheduleTask(in: .milliseconds(Int64(settings.requestTimeoutMilliseconds))) {
      connection.timedOut = true
      channel.close(mode: .input, promise: nil)
    }
    defer { timer.cancel() }
    var body: [UInt8] = []
    body.reserveCapacity(min(announced, 65536))
    do {
      for try await part in exchange.request.body {
        guard body.count + part.readableBytes <= limit else { throw tooLarge }
        guard budget.take(part.readableBytes) else { throw tooManyBodies }
        body.append(contentsOf: part.readableBytesView)
        exchange.received = body.count
      }
    } catch let failure as EdgeFailure {
      throw failure
    } catch {
      throw incomplete(exchange)
    }
    // The stream also ends when the connection does.
    guard connection.isReceived(exchange.number) else { throw incomplete(exchange) }
    return body
  }

  private var tooLarge: EdgeFailure {
    EdgeFailure(
      .invalidArgument, "body_too_large",
      "The body is larger than \(settings.bodyLimitBytes) bytes, which is the most this node takes.", http: 413)
  }

  private var tooManyBodies: EdgeFailure {
    EdgeFailure(
      .unavailable, "bodies_full",
      "The requests that this node is receiving hold \(settings.bodyMemoryBytes) bytes, the most it takes: try again in "
        + "a second.", headers: ["retry-after": "1"])
  }

  private func incomplete(_ exchange: Exchange) -> EdgeFailure {
    guard exchange.connection.timedOut else {
      if exchange.connection.isMalformed { return .malformedHTTP }
      return EdgeFailure(.cancelled, "client_gone", "The client went away before its request was whole.")
    }
    return EdgeFailure(
      .deadlineExceeded, "request_timeout",
      "The request did not arrive within \(settings.requestTimeoutMilliseconds) ms.", http: 408)
  }
}
