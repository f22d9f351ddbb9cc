import HTTPTypes

/// An answer before it is written.
struct Reply: Sendable {
  /// How the messages of a stream become body bytes.
  enum Framing: Sendable {
    /// As they are.
    case raw
    /// `application/x-ndjson`.
    case lines
    /// `text/event-stream`.
    case events
  }

  enum Body: Sendable {
    case whole([UInt8])
    /// What came first, and what is still to come.
    case stream([[UInt8]], MessageBridge, Framing)
  }

  var status: Int
  var headers: HTTPFields
  var body: Body

  init(status: Int, type: String, body: Body) {
    self.status = status
    headers = HTTPFields()
    headers[.contentType] = type
    self.body = body
  }

  /// A whole answer.
  init(_ text: String, type: String = "application/json") {
    self.init(status: 200, type: type, body: .whole(Array(text.utf8)))
  }

  /// A failure in the form of the OpenAI API.
  init(_ failure: EdgeFailure) {
    self.init(status: failure.httpStatus, type: "application/json", body: .whole(Array(failure.body.utf8)))
    for (name, value) in failure.headers {
      if let name = HTTPField.Name(name) { headers[name] = value }
    }
    if (failure.httpStatus == 429 || failure.httpStatus == 503), headers[.retryAfter] == nil {
      headers[.retryAfter] = "1"
    }
    if failure.httpStatus == 401 { headers[.wwwAuthenticate] = "Bearer" }
  }
}

extension Reply.Framing {
  /// One message as body bytes.
  func frame(_ message: [UInt8], into out: inout [UInt8]) {
    switch self {
    case .raw: out += message
    case .lines:
      out += Self.oneLine(message)
      out.append(0x0A)
    case .events:
      out += "data: ".utf8
      out += Self.oneLine(message)
      out += "\n\n".utf8
    }
  }

  /// JSON without raw line ends: between tokens they are mere space, and inside strings they cannot be.
  private static func oneLine(_ json: [UInt8]) -> [UInt8] {
    json.contains { $0 == 0x0A || $0 == 0x0D } ? json.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 } : json
  }

  /// What says that the stream is whole.
  var ending: [UInt8] { self == .events ? Array("data: [DONE]\n\n".utf8) : [] }

  /// What keeps a silent connection alive, where the format has such a thing.
  var keepAlive: [UInt8] { self == .events ? Array(": keep-alive\n\n".utf8) : [] }
}
