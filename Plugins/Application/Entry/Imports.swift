import PluginKit

// What the layer needs of others. Without the ledger it does not load; without inference it answers 503, without
// governance the operator's settings hold.

let ledgerGet = Import("ledger.get", bytes("key"), returns: bytes("value"))
let ledgerHeight = Import("ledger.height", returns: u64("height"))
let ledgerPut = Import("ledger.put", bytes("key"), bytes("value"))
let ledgerRange = Import(
  streaming: "ledger.range", bytes("prefix"), bytes("after"), u32("limit"), stream: bytes("entries"))
let ledgerOpen = Import("ledger.open", bytes("name"), returns: bytes("account"))
let ledgerMove = Import("ledger.move", bytes("from"), bytes("to"), u64("amount"))
let ledgerEmit = Import("ledger.emit", text("topic"), json("payload"))
let ledgerAct = Import("ledger.act", text("method"), json("arguments"), returns: json("receipt"))

let inferenceModels = Import("inference.models", returns: json("models"), optional: true)
let inferenceCount = Import("inference.count", json("request"), returns: u32("tokens"), optional: true)
let inferenceEmbed = Import("inference.embed", json("request"), returns: json("embeddings"), optional: true)
let inferenceGenerate = Import(
  streaming: "inference.generate", json("request"), stream: json("events"), optional: true)

let governanceParameters = Import("governance.parameters", returns: json("parameters"), optional: true)

let importDeclarations = [
  ledgerGet.declaration, ledgerHeight.declaration, ledgerPut.declaration, ledgerRange.declaration,
  ledgerOpen.declaration,
  ledgerMove.declaration, ledgerEmit.declaration, ledgerAct.declaration, inferenceModels.declaration,
  inferenceCount.declaration, inferenceEmbed.declaration, inferenceGenerate.declaration,
  governanceParameters.declaration,
]
