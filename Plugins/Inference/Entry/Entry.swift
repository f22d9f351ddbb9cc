import InferenceCore
import PluginAPI
import PluginKit

/// The computational layer: models on this node's processors, and answers from them.
let inference = Plugin(
  id: "inference", version: "0.1.0", summary: "Runs language models on this node",
  permissions: ["service:symbolon.identity/1"],
  methods: [
    Method("models", "List the models this node runs", .reads, returns: json("models", of: [ModelView].self)) {
      (layer: InferenceLayer, _: Call) in try layer.models()
    },
    Method("count", "Count the tokens of a request's prompt", .reads, json("request"), returns: u32("tokens")) {
      (layer: InferenceLayer, _: Call, request: JSON) in try layer.count(request)
    },
    Method(
      streaming: "generate",
      "Answer a request: {model, messages or prompt, max_tokens, temperature, top_k, top_p, seed, stop}",
      [], json("request"), stream: json("events")
    ) { (layer: InferenceLayer, call: Call, out: Output, request: JSON) in try layer.generate(call, out, request) },
    Method(
      "embed", "Turn texts into vectors: {model, input: [text, …]}", .reads, json("request"),
      returns: json("embeddings", of: EmbeddingView.self)
    ) { (layer: InferenceLayer, call: Call, request: JSON) in try layer.embed(call, request) },
    Method(
      "load", "Load a model: {id} of a known one, or {path, sha256, id} of a .gguf file", [], json("model"),
      returns: json("loaded", of: ModelView.self)
    ) { (layer: InferenceLayer, call: Call, request: JSON) in try layer.load(call, request) },
    Method("unload", "Unload a model when its running answers have ended", [], text("id")) {
      (layer: InferenceLayer, _: Call, id: String) in try layer.unload(id)
    },
    Method(
      streaming: "generate_file", "Answer from a model's file", [], json("request"), stream: json("events"),
      command: "inference generate"
    ) { (layer: InferenceLayer, call: Call, out: Output, request: JSON) in
      try layer.generateFile(call, out, request)
    },
    Method(
      streaming: "replay", "Compute an answer again from its receipt, and say whether it is the same", [],
      json("request"), stream: json("events")
    ) { (layer: InferenceLayer, call: Call, out: Output, request: JSON) in try layer.replay(call, out, request) },
    Method(
      streaming: "trace", "Show the digest of what every operator gave for one token", [], json("request"),
      stream: json("events")
    ) { (layer: InferenceLayer, call: Call, out: Output, request: JSON) in try layer.trace(call, out, request) },
  ],
  offline: InferenceLayer.offline,
  create: { (host: Host) in try InferenceLayer(host) },
  start: { layer in try layer.start() }, stop: { layer in layer.stop() })

/// What the host calls first.
@c @implementation
public func symbolon_plugin_entry(_ abi: UInt32) -> UnsafePointer<symbolon_plugin>? { inference.describe(abi) }
