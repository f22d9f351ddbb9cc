import EdgeCore
import PluginAPI
import PluginKit

/// The HTTP edge as the host sees it.
let edge = Plugin(
  id: "edge", version: version, summary: "HTTP: the methods and routes of all layers, metrics, outbound requests",
  front: true, permissions: ["service:symbolon.sockets/1", "service:symbolon.catalog/1", "call:*"],
  methods: [
    Method(
      "fetch", "Send an HTTP request to a host that the operator allowed", [], json("request"),
      returns: json("response")
    ) { (layer: EdgeLayer, call: Call, request: JSON) in try layer.fetch(call, request) },
    Method(
      "token_create", "Make a token that opens the methods it names, for people and programs", [], text("name"),
      text("methods"), text("expires", default: "90d"), returns: json("made"), command: "token create"
    ) { (layer: EdgeLayer, call: Call, name: String, methods: String, expires: String) in
      try layer.createToken(call, name, methods, expires)
    },
    Method(
      "tokens", "List the permission tokens, without their secrets", .reads, returns: json("tokens"),
      command: "token list"
    ) {
      (layer: EdgeLayer, call: Call) in try layer.listTokens(call)
    },
    Method(
      "token_revoke", "Take a permission token away, by its id or its name", [], text("token"),
      returns: json("revoked"),
      command: "token revoke"
    ) { (layer: EdgeLayer, call: Call, which: String) in try layer.revokeToken(call, which) },
  ],
  create: { host in try EdgeLayer(host) },
  start: { layer in try layer.start() },
  stop: { layer in layer.stop() })

/// What the host asks this library for.
@c @implementation
public func symbolon_plugin_entry(_ abi: UInt32) -> UnsafePointer<symbolon_plugin>? { edge.describe(abi) }
