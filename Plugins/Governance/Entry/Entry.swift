import GovernanceCore
import PluginAPI
import PluginKit

private let governance = Plugin(
  id: "governance", version: version, summary: "Who decides, and what was decided",
  // A proposal may call any method that the community voted for.
  permissions: ["service:symbolon.catalog/1", "call:*"], imports: importDeclarations,
  methods: badgeMethods + proposalMethods + parameterMethods, create: { host in GovernanceLayer(host) })

/// The one symbol that this library exports.
@c @implementation
public func symbolon_plugin_entry(_ abi: UInt32) -> UnsafePointer<symbolon_plugin>? { governance.describe(abi) }

/// Expertise: given by the genesis authority or an executed proposal, never passed on.
private let badgeMethods: [Method<GovernanceLayer>] = [
  Method("badge_grant", "Give an account a badge", .transition, bytes("holder"), text("badge")) {
    (layer: GovernanceLayer, call: Call, holder: [UInt8], badge: String) in
    try layer.grant(call, holder, badge)
  },
  Method("badge_revoke", "Take a badge away from an account", .transition, bytes("holder"), text("badge")) {
    (layer: GovernanceLayer, call: Call, holder: [UInt8], badge: String) in
    try layer.revoke(call, holder, badge)
  },
  Method("badges", "List the badges of an account", [.reads, .public], bytes("holder"), returns: json("badges")) {
    (layer: GovernanceLayer, call: Call, holder: [UInt8]) in try layer.badges(call, holder)
  },
  Method(
    "has_badge", "Tell whether an account holds a badge", [.reads, .public], bytes("holder"), text("badge"),
    returns: bool("held")
  ) { (layer: GovernanceLayer, call: Call, holder: [UInt8], badge: String) in
    try layer.badgeSince(call, holder, badge) != 0
  },
  Method(
    "badge_since", "Show since which block a badge is held", [.reads, .public],
    bytes("holder"), text("badge"), returns: u64("height")
  ) { (layer: GovernanceLayer, call: Call, holder: [UInt8], badge: String) in
    try layer.badgeSince(call, holder, badge)
  },
  Method(
    "electorate", "Count who holds one of these badges", [.reads, .public],
    text("badges", default: "expert"), returns: u32("heads")
  ) { (layer: GovernanceLayer, call: Call, badges: String) in try layer.electorate(call, badges) },
]

/// From an idea to its execution.
private let proposalMethods: [Method<GovernanceLayer>] = [
  Method(
    "propose", "Publish a proposal to make some calls", .transition, text("title"),
    json("actions"), returns: bytes("proposal")
  ) { (layer: GovernanceLayer, call: Call, title: String, actions: JSON) in
    try layer.propose(call, title, actions)
  },
  Method("vote", "Vote yes, no or abstain on an open proposal", .transition, bytes("proposal"), text("choice")) {
    (layer: GovernanceLayer, call: Call, proposal: [UInt8], choice: String) in
    try layer.vote(call, proposal, choice)
  },
  Method("execute", "Make the calls of a proposal that passed", .transition, bytes("proposal")) {
    (layer: GovernanceLayer, call: Call, proposal: [UInt8]) in try layer.execute(call, proposal)
  },
  Method("proposal", "Show a proposal", [.reads, .public], bytes("proposal"), returns: json("view")) {
    (layer: GovernanceLayer, call: Call, proposal: [UInt8]) in try layer.proposal(call, proposal)
  },
  Method(
    "proposals", "List proposals, the newest first", [.reads, .public], text("state", default: ""),
    text("cursor", default: ""), u32("limit", default: 50), returns: json("page")
  ) { (layer: GovernanceLayer, call: Call, state: String, cursor: String, limit: UInt32) in
    try layer.proposals(call, state, cursor, limit)
  },
  Method(
    "ballot", "Show how an account voted on a proposal", [.reads, .public], bytes("proposal"), bytes("voter"),
    returns: text("choice")
  ) { (layer: GovernanceLayer, call: Call, proposal: [UInt8], voter: [UInt8]) in
    try layer.ballot(call, proposal, voter)
  },
]

/// What the running system obeys; set by executed proposals only.
private let parameterMethods: [Method<GovernanceLayer>] = [
  Method(
    "set_inference_defaults", "Set inference defaults; only by proposal", .transition,
    u32("temperature_milli"), u32("max_tokens"), text("system_prompt")
  ) { (layer: GovernanceLayer, call: Call, temperature: UInt32, maxTokens: UInt32, systemPrompt: String) in
    try layer.setInferenceDefaults(call, temperature, maxTokens, systemPrompt)
  },
  Method(
    "set_rules", "Set how proposals are decided; by proposal", .transition, u64("voting_blocks"),
    u64("timelock_blocks"), u64("grace_blocks"), u32("quorum_milli"), u32("threshold_milli")
  ) {
    (
      layer: GovernanceLayer, call: Call, voting: UInt64, timelock: UInt64, grace: UInt64, quorum: UInt32,
      threshold: UInt32
    ) in try layer.setRules(call, voting, timelock, grace, quorum, threshold)
  },
  Method(
    "parameters", "Show the inference defaults in force", [.reads, .public],
    returns: json("parameters", of: ParametersView.self)
  ) { (layer: GovernanceLayer, call: Call) in try layer.parameters(call) },
  Method("rules", "Show how proposals are decided", [.reads, .public], returns: json("rules")) {
    (layer: GovernanceLayer, call: Call) in try layer.rules(call)
  },
]
