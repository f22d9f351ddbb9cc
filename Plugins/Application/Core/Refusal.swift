/// Why the layer did not do what it was asked: a kind, a code for programs and a sentence that says what to do.
///
/// This is the module's only error type. Over HTTP it becomes an OpenAI error object, to an operator a status, a code
/// and the sentence.
package struct Refusal: Error, Equatable, Sendable {
  /// What went wrong, in the terms that both HTTP and the plugin contract have a number for.
  package enum Kind: Sendable {
    case invalid, unauthenticated, insufficientFunds, forbidden, notFound, methodNotAllowed, conflict, alreadyExists
    case tooLarge, rateLimited, outOfQuota, internalFault, unavailable, deadline, cancelled, dataLoss
  }

  package var kind: Kind
  /// A stable word for programs, such as `insufficient_tickets`.
  package var code: String?
  /// A sentence that says what happened and what to do.
  package var message: String
  /// The request's parameter that is at fault, such as `messages[0].role`.
  package var parameter: String?
  /// How long a client should wait before it asks again.
  package var retryAfterSeconds: UInt64?
  /// Further members of the error object, such as `shortfall`.
  package var details: [JSONValue.Member]

  package init(
    _ kind: Kind, _ code: String?, _ message: String, parameter: String? = nil, retryAfterSeconds: UInt64? = nil,
    details: [JSONValue.Member] = []
  ) {
    self.kind = kind
    self.code = code
    self.message = message
    self.parameter = parameter
    self.retryAfterSeconds = retryAfterSeconds
    self.details = details
  }

  /// The status number of the plugin contract (gRPC's).
  package var status: Int32 {
    switch kind {
    case .cancelled: 1
    case .invalid, .tooLarge: 3
    case .deadline: 4
    case .notFound: 5
    case .alreadyExists: 6
    case .forbidden: 7
    case .rateLimited, .outOfQuota: 8
    case .insufficientFunds: 9
    case .conflict: 10
    case .methodNotAllowed: 12
    case .internalFault: 13
    case .unavailable: 14
    case .dataLoss: 15
    case .unauthenticated: 16
    }
  }

  /// The HTTP status that OpenAI clients map to an exception class.
  package var httpStatus: Int {
    switch kind {
    case .invalid: 400
    case .unauthenticated: 401
    case .insufficientFunds: 402
    case .forbidden: 403
    case .notFound: 404
    case .methodNotAllowed: 405
    case .conflict, .alreadyExists: 409
    case .tooLarge: 413
    case .rateLimited, .outOfQuota: 429
    case .cancelled: 499
    case .internalFault, .dataLoss: 500
    case .unavailable: 503
    case .deadline: 504
    }
  }

  /// Turns another layer's failure into this layer's, keeping its code and its sentence.
  package init(status: Int32, code: String, message: String) {
    let kind: Kind =
      switch status {
      case 1: .cancelled
      case 3: .invalid
      case 4: .deadline
      case 5: .notFound
      case 6: .alreadyExists
      case 7: .forbidden
      case 8: .rateLimited
      case 9: .conflict
      case 10: .conflict
      case 11: .invalid
      case 14: .unavailable
      case 15: .dataLoss
      case 16: .unauthenticated
      default: .internalFault
      }
    self.init(kind, code, message)
    if kind == .invalid { parameter = Self.parameter(namedBy: message) }
    if kind == .rateLimited || kind == .unavailable { retryAfterSeconds = Self.seconds(namedBy: message) }
  }

  /// What a sentence such as "5 requests wait already: try again in 3 seconds." says, and no more than clients wait.
  private static func seconds(namedBy message: String) -> UInt64? {
    let words = message.split(separator: " ")
    for (index, word) in words.enumerated() where word.hasPrefix("second") && index > 0 {
      if let seconds = UInt64(words[index - 1]) { return min(max(seconds, 1), 60) }
    }
    return nil
  }

  /// The parameter that a sentence begins with, as the engine's do: "`logit_bias` names the token …".
  private static func parameter(namedBy message: String) -> String? {
    guard message.hasPrefix("`") else { return nil }
    let name = message.dropFirst().prefix { $0 != "`" }
    return name.isEmpty || name.utf8.count == message.utf8.count - 1 ? nil : String(name)
  }
}
