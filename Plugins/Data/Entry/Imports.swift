import PluginKit

// What the layer needs of others. Without governance datasets can be nominated and checked, but nobody holds a badge,
// so nobody reviews and votes.

let ledgerHead = Import("ledger.head", returns: json("head", of: LedgerHead.self))
let ledgerGet = Import("ledger.get", bytes("key"), returns: bytes("value"))
let ledgerPut = Import("ledger.put", bytes("key"), bytes("value"))
let ledgerRange = Import(
  streaming: "ledger.range", bytes("prefix"), bytes("after"), u32("limit"), stream: bytes("entries"))
let ledgerEmit = Import("ledger.emit", text("topic"), json("payload"))
let ledgerHeight = Import("ledger.height", returns: u64("height"))
let ledgerWake = Import("ledger.wake", u64("height"))
let ledgerAct = Import(
  "ledger.act", text("method"), json("arguments"), returns: json("receipt", of: LedgerReceipt.self))

let governanceBadgeSince = Import(
  "governance.badge_since", bytes("holder"), text("badge"), returns: u64("height"), optional: true)
let governanceElectorate = Import("governance.electorate", text("badges"), returns: u32("heads"), optional: true)

let importDeclarations = [
  ledgerHead.declaration, ledgerGet.declaration, ledgerPut.declaration, ledgerRange.declaration,
  ledgerEmit.declaration, ledgerHeight.declaration, ledgerWake.declaration, ledgerAct.declaration,
  governanceBadgeSince.declaration, governanceElectorate.declaration,
]

/// The part of `ledger.head` that this layer reads.
struct LedgerHead: Codable {
  /// Account in hexadecimal.
  let authority: String
}

/// What `ledger.act` gives back.
struct LedgerReceipt: Codable {
  /// Id in hexadecimal.
  let transaction: String
  let height: UInt64
  let status: Int32
  let code: String?
  let message: String?
}
