/// What a request's `authorization` amounts to.
package enum Access: Sendable, Equatable {
  /// No credential of this node; ticket keys count as none, they are a layer's business.
  case anybody
  /// The operator's token: opens everything.
  case `operator`
  /// A token in force: opens what it names.
  case token(ScopedToken)
  /// A token that was in force once.
  case expired(ScopedToken)
  /// What looks like a token of this node, but is none.
  case unknownToken

  /// Who asked, for the log: never the credential itself.
  package var name: String {
    switch self {
    case .anybody: "anybody"
    case .operator: "operator"
    case .token(let token): "token \(token.id)"
    case .expired(let token): "expired token \(token.id)"
    case .unknownToken: "unknown token"
    }
  }

  /// True when the credential is the edge's own, which no layer gets to see.
  package var isOurs: Bool { self != .anybody }

  /// True when this access opens a method that is not PUBLIC.
  package func opens(_ method: String) -> Bool {
    switch self {
    case .operator: true
    case .token(let token): token.opens(method)
    case .anybody, .expired, .unknownToken: false
    }
  }

  /// Why this access does not open a method, and what to do.
  package func refusal(of method: String) -> EdgeFailure {
    switch self {
    case .operator, .anybody:
      EdgeFailure(
        .unauthenticated, "needs_operator",
        "`\(method)` is for the operator: send `Authorization: Bearer …` with the content of operator.token in the "
          + "edge's storage folder or a token of `symbolon token create`, or use the `symbolon` command on the "
          + "node.", parameter: "authorization")
    case .token(let token) where ScopedToken.reserved.contains(method):
      EdgeFailure(
        .permissionDenied, "token_reserved",
        "The token `\(token.name)` cannot open `\(method)`, no token can: send the operator's token, or use the "
          + "`symbolon` command on the node.", parameter: "authorization")
    case .token(let token):
      EdgeFailure(
        .permissionDenied, "token_scope",
        "The token `\(token.name)` does not open `\(method)`, only \(token.methods.joined(separator: ", ")): ask the "
          + "operator for one that names it.", parameter: "authorization")
    case .expired(let token):
      EdgeFailure(
        .unauthenticated, "token_expired",
        "The token `\(token.name)` has expired: ask the operator for a new one (`symbolon token create`).",
        parameter: "authorization")
    case .unknownToken:
      EdgeFailure(
        .unauthenticated, "token_unknown",
        "This token is not known here, or was revoked: `symbolon token list` lists those in force.",
        parameter: "authorization")
    }
  }
}
