import EdgeCore
import PluginKit

/// Permission tokens: what the operator hands to people and programs instead of the operator's token.
extension EdgeLayer {
  func createToken(_ call: Call, _ name: String, _ methods: String, _ expires: String) throws -> JSON {
    try checkOperator(call)
    do throws(EdgeFailure) {
      let made = try tokens.create(name: name, methods: methods, expires: expires)
      host.log.info("permission token created", ["token": made.token.id, "name": name, "methods": methods])
      let secret = JSONText.string(made.secret)
      return JSON(text: "{\"secret\":\(secret),\"token\":\(made.token.json(isExpired: false))}")
    } catch {
      throw Failure(error)
    }
  }

  func listTokens(_ call: Call) throws -> JSON {
    try checkOperator(call)
    return JSON(text: JSONText.array(tokens.all.map { $0.json(isExpired: tokens.isExpired($0)) }))
  }

  func revokeToken(_ call: Call, _ which: String) throws -> JSON {
    try checkOperator(call)
    do throws(EdgeFailure) {
      let revoked = try tokens.revoke(which)
      host.log.info("permission token revoked", ["token": revoked.id, "name": revoked.name])
      return JSON(text: revoked.json(isExpired: tokens.isExpired(revoked)))
    } catch {
      throw Failure(error)
    }
  }

  /// Only the operator makes permissions, directly: a layer that the operator calls must not make itself one.
  private func checkOperator(_ call: Call) throws(Failure) {
    guard call.origin == .operator, call.caller == nil || call.caller == host.pluginID else {
      throw Failure(
        .permissionDenied, "operator_only",
        "Permission tokens are the operator's: use `symbolon token create`, `list` and `revoke`.")
    }
  }
}
