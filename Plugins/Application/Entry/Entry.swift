import ApplicationCore
import PluginAPI
import PluginKit

private typealias Layer = ApplicationLayer

private let application = Plugin(
  id: "application", version: "0.1.0", summary: "The open API: OpenAI endpoints, ticket keys and what they pay",
  exclusive: true, permissions: ["service:symbolon.identity/1"], imports: importDeclarations,
  methods: [
    Method(
      streaming: "http", "Answer an OpenAI request", .public, text("verb"), text("path"), json("headers"),
      bytes("body"), stream: bytes("response")
    ) { (layer: Layer, call, output, verb, path, headers, body) in
      try answering { try layer.http(call, output, verb, path, headers, body) }
    },
    Method(
      "key_create", "Make a ticket key with a budget in µ-credits; its secret is shown once", [], u64("budget"),
      returns: json("key"), command: "key create"
    ) { (layer: Layer, _, budget) in try answering { try layer.createKey(budget: budget) } },
    Method("key_list", "List the ticket keys with their use", .reads, returns: json("keys"), command: "key list") {
      (layer: Layer, _) in try answering { try layer.listKeys() }
    },
    Method(
      "key_show", "Show a ticket key's balance and use", .reads, text("key"), returns: json("key_state"),
      command: "key show"
    ) { (layer: Layer, _, key) in try answering { try layer.showKey(key) } },
    Method(
      "key_revoke", "Revoke a ticket key and return the rest of its budget", [], text("key"),
      returns: json("key_state"), command: "key revoke"
    ) { (layer: Layer, _, key) in try answering { try layer.revokeKey(key) } },
    Method("price", "Show what tokens cost", [.reads, .public], returns: json("price")) { (layer: Layer, call) in
      try answering { try layer.price(call) }
    },
    Method("key_open", "Open a ticket key, named by its SHA-256", .transition, bytes("key"), u64("budget")) {
      (_: Layer, call, key, budget) in
      try answering { try TicketContract.keyOpen(TransactionState(call), key: key, budget: budget) }
    },
    Method("key_close", "Close a ticket key and return its rest to its owner", .transition, bytes("key")) {
      (_: Layer, call, key) in
      try answering { try TicketContract.keyClose(TransactionState(call), key: key) }
    },
    Method("settle", "Take a batch of charges from keys", .transition, u64("batch"), json("charges")) {
      (_: Layer, call, batch, charges) in
      try answering {
        let charges = try JSONValue(charges, from: "The transaction", .invalid)
        try TicketContract.settle(TransactionState(call), batch: batch, charges: charges)
      }
    },
    Method(
      "set_price", "Set the price in µ-credits for 1000 tokens; only governance may", .transition, u64("prompt"),
      u64("completion")
    ) { (_: Layer, call, prompt, completion) in
      try answering { try TicketContract.setPrice(TransactionState(call), prompt: prompt, completion: completion) }
    },
  ],
  routes: [
    Route("POST", "/v1/chat/completions", method: "http"), Route("POST", "/v1/completions", method: "http"),
    Route("POST", "/v1/responses", method: "http"), Route("POST", "/v1/embeddings", method: "http"),
    Route("GET", "/v1/models", method: "http"), Route("GET", "/v1/models/{id}", method: "http"),
    Route("GET", "/v1/key", method: "http"),
  ],
  create: { host in try answering { try ApplicationLayer(host) } },
  start: { layer in try answering { try layer.start() } },
  stop: { layer in layer.stop() })

/// What the host asks for first: the layer's description.
@c @implementation
public func symbolon_plugin_entry(_ abi: UInt32) -> UnsafePointer<symbolon_plugin>? { application.describe(abi) }
