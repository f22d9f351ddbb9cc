/// Decides who may ask: the name by which the node was addressed, the page that asks, the operator's token.
package struct Gate: Sendable {
  private let listensOnLoopback: Bool
  private let allowedHosts: Set<String>
  private let allowedOrigins: Set<String>
  private let token: [UInt8]
  private let tokens: TokenStore?

  /// - Parameters:
  ///   - token: the operator's; an empty one admits nobody.
  ///   - tokens: the scoped ones.
  package init(
    listensOnLoopback: Bool, allowedHosts: [String], allowedOrigins: [String], token: String, tokens: TokenStore? = nil
  ) {
    self.tokens = tokens
    self.listensOnLoopback = listensOnLoopback
    self.allowedHosts = Set(allowedHosts.map { $0.lowercased() })
    self.allowedOrigins = Set(allowedOrigins.map { $0.lowercased() })
    self.token = Array(token.utf8)
  }

  /// Refuses names that a hostile page may have pointed at this machine (DNS rebinding).
  package func checkHost(_ authority: String?) throws(EdgeFailure) {
    guard listensOnLoopback else { return }
    guard let authority, !authority.isEmpty else {
      throw EdgeFailure(.invalidArgument, "host_missing", "The request has no `Host` header.", parameter: "host")
    }
    let name = Self.host(of: authority)
    if ["localhost", "127.0.0.1", "[::1]"].contains(name) { return }
    if allowedHosts.contains(name) || allowedHosts.contains(authority.lowercased()) { return }
    throw EdgeFailure(
      .permissionDenied, "host_not_allowed",
      "This node listens on loopback and does not answer to the name of this request's `Host` header: "
        + "use 127.0.0.1, or add the name to `allowed_hosts` in [plugin.edge.settings].", parameter: "host")
  }

  /// The value of `access-control-allow-origin`, or nil for none; refuses pages of strangers that would change things.
  package func checkOrigin(_ origin: String?, authority: String?, isSafe: Bool) throws(EdgeFailure) -> String? {
    guard let origin else { return nil }
    if allowedOrigins.contains("*") { return "*" }
    let lowered = origin.lowercased()
    if allowedOrigins.contains(lowered) { return origin }
    if let authority, lowered == "http://\(authority.lowercased())" || lowered == "https://\(authority.lowercased())" {
      return nil
    }
    if isSafe { return nil }
    throw EdgeFailure(
      .permissionDenied, "origin_not_allowed",
      "Pages of this origin may not call this node: add it to `allowed_origins` in [plugin.edge.settings].",
      parameter: "origin")
  }

  /// What the header admits to.
  package func access(_ authorization: String?) -> Access {
    guard let authorization, authorization.prefix(7).lowercased() == "bearer " else { return .anybody }
    let given = String(authorization.dropFirst(7))
    if isOperatorToken(given) { return .operator }
    guard let tokens, given.hasPrefix(TokenStore.prefix) else { return .anybody }
    guard let token = tokens.find(given) else { return .unknownToken }
    return tokens.isExpired(token) ? .expired(token) : .token(token)
  }

  /// True for the operator's token; the time does not tell how much of a wrong one was right.
  private func isOperatorToken(_ text: String) -> Bool {
    guard !token.isEmpty else { return false }
    let given = Array(text.utf8)
    var difference = given.count ^ token.count
    for index in token.indices {
      difference |= Int(token[index] ^ (index < given.count ? given[index] : 0))
    }
    return difference == 0
  }

  /// The name without the port, lower case.
  private static func host(of authority: String) -> String {
    let lowered = authority.lowercased()
    if lowered.hasPrefix("[") {
      guard let end = lowered.firstIndex(of: "]") else { return lowered }
      let rest = lowered[lowered.index(after: end)...]
      return rest.isEmpty || isPort(rest) ? String(lowered[...end]) : lowered
    }
    guard let colon = lowered.firstIndex(of: ":") else { return lowered }
    return isPort(lowered[colon...]) ? String(lowered[..<colon]) : lowered
  }

  private static func isPort(_ text: Substring) -> Bool {
    text.first == ":" && text.dropFirst().allSatisfy { $0.isASCII && $0.isNumber } && text.count <= 6
  }
}
