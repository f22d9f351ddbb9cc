import HTTPTypes

/// Why a request or a call failed: a status for control flow, a code for programs, a sentence for people.
package struct EdgeFailure: Error, Equatable, Sendable {
  /// gRPC's status numbers, as everywhere in Symbolon.
  package enum Status: Int32, Sendable {
    case cancelled = 1
    case unknown = 2
    case invalidArgument = 3
    case deadlineExceeded = 4
    case notFound = 5
    case alreadyExists = 6
    case permissionDenied = 7
    case resourceExhausted = 8
    case failedPrecondition = 9
    case aborted = 10
    case outOfRange = 11
    case unimplemented = 12
    case `internal` = 13
    case unavailable = 14
    case dataLoss = 15
    case unauthenticated = 16
  }

  package var status: Status
  /// A stable word, for example `unknown_path`.
  package var code: String
  /// A sentence that says what to do.
  package var message: String
  /// The part of the request that is wrong.
  package var parameter: String?
  /// The HTTP status where it says more than `status` does.
  package var http: Int?
  /// Header fields that belong to the answer, as in `allow`.
  package var headers: [String: String]

  package init(
    _ status: Status, _ code: String, _ message: String, parameter: String? = nil, http: Int? = nil,
    headers: [String: String] = [:]
  ) {
    self.status = status
    self.code = code
    self.message = message
    self.parameter = parameter
    self.http = http
    self.headers = headers
  }

  /// The status of the HTTP answer.
  package var httpStatus: Int { http ?? status.http }

  /// The body of the HTTP answer, in the form of the OpenAI API.
  package var body: String {
    let parameter = parameter.map { JSONText.string($0) } ?? "null"
    return "{\"error\":{\"message\":\(JSONText.string(message)),\"type\":\"\(type)\",\"param\":\(parameter),"
      + "\"code\":\(JSONText.string(code))}}"
  }

  /// The word that OpenAI's clients know for this kind of failure.
  package var type: String {
    switch httpStatus {
    case 401: "authentication_error"
    case 402: "insufficient_quota"
    case 403: "permission_error"
    case 429: "rate_limit_error"
    case 500...: "server_error"
    default: "invalid_request_error"
    }
  }
}

extension EdgeFailure.Status {
  /// What this status is in HTTP.
  package var http: Int {
    switch self {
    case .cancelled: 499
    case .invalidArgument, .outOfRange: 400
    case .unauthenticated: 401
    case .permissionDenied: 403
    case .notFound: 404
    case .alreadyExists, .aborted, .failedPrecondition: 409
    case .resourceExhausted: 429
    case .unimplemented: 501
    case .unavailable: 503
    case .deadlineExceeded: 504
    case .unknown, .internal, .dataLoss: 500
    }
  }
}
