import LedgerCore
import PluginAPI
import PluginKit

private let ledger = Plugin(
  id: "ledger", version: "0.1.0", summary: "Accounts, credits, blocks: where shared state lives", exclusive: true,
  // Transactions are calls of any layer's methods, and publish the events that these emit.
  permissions: [
    "service:symbolon.identity/1", "service:symbolon.catalog/1", "call:*", "publish:*",
  ],
  methods: readingMethods + proofMethods + signingMethods + layerMethods, offline: LedgerLayer.offline,
  create: { host in try LedgerLayer(host) },
  start: { layer in try layer.start() },
  stop: { layer in layer.stop() })

/// The one symbol that this library exports.
@c @implementation
public func symbolon_plugin_entry(_ abi: UInt32) -> UnsafePointer<symbolon_plugin>? { ledger.describe(abi) }

/// What anybody may ask about committed blocks.
private let readingMethods: [Method<LedgerLayer>] = [
  Method("head", "Show the newest block and the network", [.reads, .public], returns: json("head", of: HeadView.self)) {
    (layer: LedgerLayer, _: Call) in try layer.node().headView()
  },
  Method(
    "balance", "Show how many credits an account holds", [.reads, .public], bytes("account"), returns: u64("amount")
  ) { (layer: LedgerLayer, _: Call, account: [UInt8]) in try layer.balance(account) },
  Method(
    "account", "Show an account", [.reads, .public], bytes("account"), returns: json("account", of: AccountView.self)
  ) { (layer: LedgerLayer, _: Call, account: [UInt8]) in try layer.account(account) },
  Method(
    "transaction", "Show a committed transaction", [.reads, .public], bytes("id"),
    returns: json("transaction", of: TransactionView.self)
  ) { (layer: LedgerLayer, _: Call, id: [UInt8]) in try layer.transaction(id) },
  Method(
    "block", "Show a block", [.reads, .public], u64("height"), returns: json("block", of: BlockView.self)
  ) { (layer: LedgerLayer, _: Call, height: UInt64) in try layer.block(height) },
  Method(
    "history", "List what happened to an account, newest first", [.reads, .public], bytes("account"),
    text("cursor", default: ""), u32("limit", default: 50), returns: json("page", of: HistoryView.self)
  ) { (layer: LedgerLayer, _: Call, account: [UInt8], cursor: String, limit: UInt32) in
    try layer.history(account, cursor, limit)
  },
]

/// What convinces a stranger.
private let proofMethods: [Method<LedgerLayer>] = [
  Method(
    "prove", "Prove a transaction, or what an account or a key holds or does not hold", [.reads, .public],
    bytes("transaction", default: []), bytes("account", default: []), text("namespace", default: ""),
    bytes("key", default: []), returns: json("proof", of: ProofFile.self)
  ) { (layer: LedgerLayer, _: Call, transaction: [UInt8], account: [UInt8], namespace: String, key: [UInt8]) in
    try layer.prove(transaction, account, namespace, key)
  },
  Method(
    "verify", "Check the file of a proof, with no node and no network", [], json("request"),
    returns: json("proven", of: ProvenView.self)
  ) { (layer: LedgerLayer, _: Call, request: JSON) in try layer.verify(request) },
]

/// From a call to a receipt.
private let signingMethods: [Method<LedgerLayer>] = [
  Method(
    "prepare", "Make the exact bytes that a sender signs for a call", [.reads, .public], text("method"),
    json("arguments"), bytes("sender"), returns: bytes("body")
  ) { (layer: LedgerLayer, call: Call, method: String, arguments: JSON, sender: [UInt8]) in
    try layer.prepare(call, method, arguments, sender)
  },
  Method(
    "submit", "Submit a signed transaction and wait for its block", [.public], bytes("transaction"),
    returns: json("receipt", of: ReceiptView.self)
  ) { (layer: LedgerLayer, call: Call, transaction: [UInt8]) in try layer.submit(call, transaction) },
  Method(
    "act", "Sign a call with the node's own key and wait for its block", [], text("method"), json("arguments"),
    returns: json("receipt", of: ReceiptView.self)
  ) { (layer: LedgerLayer, call: Call, method: String, arguments: JSON) in try layer.act(call, method, arguments) },
  Method("transfer", "Move credits of the sender to another account", .transition, bytes("to"), u64("amount")) {
    (layer: LedgerLayer, call: Call, to: [UInt8], amount: UInt64) in try layer.transfer(call, to, amount)
  },
]

/// What transitions of other layers are made of; each layer acts in its own namespace.
private let layerMethods: [Method<LedgerLayer>] = [
  Method("get", "Read a value of the calling layer", .reads, bytes("key"), returns: bytes("value")) {
    (layer: LedgerLayer, call: Call, key: [UInt8]) in try layer.get(call, key)
  },
  Method("put", "Write a value of the calling layer", [], bytes("key"), bytes("value")) {
    (layer: LedgerLayer, call: Call, key: [UInt8], value: [UInt8]) in try layer.put(call, key, value)
  },
  Method("remove", "Remove a value of the calling layer", [], bytes("key")) {
    (layer: LedgerLayer, call: Call, key: [UInt8]) in try layer.remove(call, key)
  },
  Method(
    streaming: "range", "List values of the calling layer in key order", .reads, bytes("prefix"), bytes("after"),
    u32("limit"), stream: bytes("entries")
  ) { (layer: LedgerLayer, call: Call, out: Output, prefix: [UInt8], after: [UInt8], limit: UInt32) in
    try layer.range(call, prefix, after, limit, out)
  },
  Method("open", "Open an account of the calling layer", [], bytes("name"), returns: bytes("account")) {
    (layer: LedgerLayer, call: Call, name: [UInt8]) in try layer.open(call, name)
  },
  Method(
    "move", "Move credits of the sender, or of an account of the calling layer", [], bytes("from"), bytes("to"),
    u64("amount")
  ) { (layer: LedgerLayer, call: Call, from: [UInt8], to: [UInt8], amount: UInt64) in
    try layer.move(call, from, to, amount)
  },
  Method("emit", "Tell everyone something once the block is committed", [], text("topic"), json("payload")) {
    (layer: LedgerLayer, call: Call, topic: String, payload: JSON) in try layer.emit(call, topic, payload)
  },
  Method("height", "Show the height of the running transaction, or of the newest block", .reads, returns: u64("height"))
  {
    (layer: LedgerLayer, call: Call) in try layer.height(call)
  },
  Method("wake", "Make blocks on the block interval until a height", [], u64("height")) {
    (layer: LedgerLayer, _: Call, height: UInt64) in try layer.wake(height)
  },
]
