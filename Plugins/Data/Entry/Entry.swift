import DataCore
import PluginAPI
import PluginKit

private let data = Plugin(
  id: "data", version: "0.1.0", summary: "Datasets: nominated, checked, reviewed and voted on",
  imports: importDeclarations, methods: transitions + readers + operatorMethods,
  create: { host in DataLayer(host) })

/// The one symbol that this library exports.
@c @implementation
public func symbolon_plugin_entry(_ abi: UInt32) -> UnsafePointer<symbolon_plugin>? { data.describe(abi) }

private let transitions: [Method<DataLayer>] = [
  Method("nominate", "Put a dataset forward", .transition, json("manifest"), returns: bytes("dataset")) {
    (layer: DataLayer, call: Call, manifest: JSON) in try layer.nominate(call, manifest)
  },
  Method("attest", "Vouch for a dataset's files", .transition, bytes("dataset"), json("report")) {
    (layer: DataLayer, call: Call, dataset: [UInt8], report: JSON) in try layer.attest(call, dataset, report)
  },
  Method(
    "review", "Review a dataset: score 0 to 100, text's hash", .transition,
    bytes("dataset"), u32("score"), bytes("text_hash")
  ) { (layer: DataLayer, call: Call, dataset: [UInt8], score: UInt32, textHash: [UInt8]) in
    try layer.review(call, dataset, score, textHash)
  },
  Method("vote", "Vote to accept or refuse a dataset", .transition, bytes("dataset"), text("choice")) {
    (layer: DataLayer, call: Call, dataset: [UInt8], choice: String) in try layer.vote(call, dataset, choice)
  },
  Method(
    "set_rules", "Set how datasets are decided; by proposal", .transition, u64("voting_blocks"),
    u32("quorum_milli")
  ) { (layer: DataLayer, call: Call, voting: UInt64, quorum: UInt32) in try layer.setRules(call, voting, quorum) },
]

private let readers: [Method<DataLayer>] = [
  Method(
    "list", "List datasets, the newest first", [.reads, .public], text("state", default: ""),
    text("cursor", default: ""), u32("limit", default: 50), returns: json("page")
  ) { (layer: DataLayer, call: Call, state: String, cursor: String, limit: UInt32) in
    try layer.list(call, state, cursor, limit)
  },
  Method(
    "show", "Show a dataset, its manifest and reviews", [.reads, .public], bytes("dataset"),
    returns: json("view")
  ) { (layer: DataLayer, call: Call, dataset: [UInt8]) in try layer.show(call, dataset) },
]

private let operatorMethods: [Method<DataLayer>] = [
  Method(
    "check", "Compare a folder's files with a manifest", .reads, json("manifest"), text("folder"),
    returns: json("report")
  ) { (layer: DataLayer, call: Call, manifest: JSON, folder: String) in try layer.check(call, manifest, folder) },
  Method(
    "submit", "Check a folder, nominate it, vouch for it", [], json("manifest"), text("folder"),
    returns: json("receipt")
  ) { (layer: DataLayer, call: Call, manifest: JSON, folder: String) in try layer.submit(call, manifest, folder) },
]
