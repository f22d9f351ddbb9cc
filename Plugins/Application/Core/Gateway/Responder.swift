/// Writes one response, and knows how far it has come and whether anyone still reads it.
final class Responder {
  private let output: any ResponseOutput
  private let elapsedMilliseconds: () -> UInt64
  let requestID: String
  /// Headers that every response to this request has, added as they become known.
  var headers: [JSONValue.Member]
  /// The status that was sent; nil before the head.
  private(set) var status: Int?
  private(set) var isGone = false
  /// How a stream that has begun says that it failed; nil for the error object as an event.
  var streamFailure: [UInt8]?

  /// Thrown when the client has gone away: nothing more can be written.
  struct Gone: Error {}

  init(_ output: any ResponseOutput, requestID: String, elapsedMilliseconds: @escaping () -> UInt64) {
    self.output = output
    self.elapsedMilliseconds = elapsedMilliseconds
    self.requestID = requestID
    headers = [.init("x-request-id", .string(requestID))]
  }

  func write(_ bytes: [UInt8]) throws(Gone) {
    guard !isGone else { throw Gone() }
    do {
      try output.write(bytes)
    } catch {
      isGone = true
      throw Gone()
    }
  }

  func begin(_ status: Int, _ contentType: String, _ more: [JSONValue.Member] = []) throws(Gone) {
    self.status = status
    let own: [JSONValue.Member] = [
      .init("content-type", .string(contentType)),
      .init("openai-processing-ms", .string(String(elapsedMilliseconds()))),
    ]
    try write(HTTPHead(status: status, headers: own + headers + more).encoded)
  }

  /// Writes a whole response.
  func send(_ status: Int, _ body: [UInt8], _ more: [JSONValue.Member] = []) throws(Gone) {
    try begin(status, "application/json", more)
    try write(body)
  }

  /// Says that the request failed: as a response, or inside the stream that has begun.
  func fail(_ refusal: Refusal) {
    if status == nil {
      try? send(refusal.httpStatus, refusal.wire.encoded, refusal.headers)
    } else {
      try? write(streamFailure ?? ServerEvent.data(refusal.wire))
    }
  }
}
