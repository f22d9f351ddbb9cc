import PluginKit

// What the layer needs of the ledger; without it there is nothing to decide about.

let ledgerHead = Import("ledger.head", returns: json("head", of: LedgerHead.self))
let ledgerGet = Import("ledger.get", bytes("key"), returns: bytes("value"))
let ledgerPut = Import("ledger.put", bytes("key"), bytes("value"))
let ledgerRemove = Import("ledger.remove", bytes("key"))
let ledgerRange = Import(
  streaming: "ledger.range", bytes("prefix"), bytes("after"), u32("limit"), stream: bytes("entries"))
let ledgerEmit = Import("ledger.emit", text("topic"), json("payload"))
let ledgerHeight = Import("ledger.height", returns: u64("height"))
let ledgerWake = Import("ledger.wake", u64("height"))

let importDeclarations = [
  ledgerHead.declaration, ledgerGet.declaration, ledgerPut.declaration, ledgerRemove.declaration,
  ledgerRange.declaration, ledgerEmit.declaration, ledgerHeight.declaration, ledgerWake.declaration,
]

/// The part of `ledger.head` that this layer reads.
struct LedgerHead: Codable {
  /// Account in hexadecimal.
  let authority: String
}
