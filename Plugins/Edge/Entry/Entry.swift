import EdgeCore
import PluginAPI
import PluginKit

/// The HTTP edge as the host sees it.
let edge = Plugin(
  id: "edge", version: "0.1.0", summary: "HTTP: the methods and routes of all layers, metrics, outbound requests",
  front: true,
  methods: [
    Method(
      "fetch", "Send an HTTP request to a host that the operator allowed", [], json("request"),
      returns: json("response")
    ) { (layer: EdgeLayer, call: Call, request: JSON) in try layer.fetch(call, request) }
  ],
  create: { host in try EdgeLayer(host) },
  start: { layer in try layer.start() },
  stop: { layer in layer.stop() })

/// What the host asks this library for.
@c @implementation
public func symbolon_plugin_entry(_ abi: UInt32) -> UnsafePointer<symbolon_plugin>? { edge.describe(abi) }
