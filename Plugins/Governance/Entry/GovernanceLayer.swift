import Canonical
import GovernanceCore
import PluginKit

/// The layer as the host holds it: it keeps nothing of its own, all state is the ledger's.
final class GovernanceLayer: Sendable {
  private let host: Host
  private let transitions = TransitionTable()

  init(_ host: Host) { self.host = host }

  // MARK: Badges

  func grant(_ call: Call, _ holder: [UInt8], _ badge: String) throws {
    try answering {
      try Badges(CallState(call)).grant(try BadgeName(badge), to: try AccountID(holder, argument: "holder"))
    }
  }

  func revoke(_ call: Call, _ holder: [UInt8], _ badge: String) throws {
    try answering {
      try Badges(CallState(call)).revoke(try BadgeName(badge), from: try AccountID(holder, argument: "holder"))
    }
  }

  func badges(_ call: Call, _ holder: [UInt8]) throws -> JSON {
    try answering { try JSON(Badges(CallState(call)).list(of: try AccountID(holder, argument: "holder"))) }
  }

  func badgeSince(_ call: Call, _ holder: [UInt8], _ badge: String) throws -> UInt64 {
    try answering {
      let holder = try AccountID(holder, argument: "holder")
      return try Badges(CallState(call)).badge(try BadgeName(badge), of: holder)?.height.value ?? 0
    }
  }

  func electorate(_ call: Call, _ badges: String) throws -> UInt32 {
    try answering {
      let names = badges.split(separator: ",", omittingEmptySubsequences: false)
      guard names.count <= 8 else {
        throw Failure(.invalidArgument, "too_many_badges", "`badges` names at most 8, not \(names.count).")
      }
      return try Badges(CallState(call)).electorate(try names.map { try BadgeName(String($0)) })
    }
  }

  // MARK: Proposals

  func propose(_ call: Call, _ title: String, _ actions: JSON) throws -> [UInt8] {
    try answering {
      try Proposals(CallState(call)).propose(title: title, actions: actions.text, host: nodeActions(call)).digest.bytes
    }
  }

  func vote(_ call: Call, _ proposal: [UInt8], _ choice: String) throws {
    try answering { try Proposals(CallState(call)).vote(try ProposalID(proposal), try Choice(choice)) }
  }

  func execute(_ call: Call, _ proposal: [UInt8]) throws {
    try answering { try Proposals(CallState(call)).execute(try ProposalID(proposal), host: nodeActions(call)) }
  }

  func proposal(_ call: Call, _ proposal: [UInt8]) throws -> JSON {
    try answering { JSON(text: try Proposals(CallState(call)).show(try ProposalID(proposal)).json.text) }
  }

  func proposals(_ call: Call, _ state: String, _ cursor: String, _ limit: UInt32) throws -> JSON {
    try answering {
      JSON(text: try Proposals(CallState(call)).list(state: state, cursor: cursor, limit: limit).json.text)
    }
  }

  func ballot(_ call: Call, _ proposal: [UInt8], _ voter: [UInt8]) throws -> String {
    try answering {
      let (proposal, voter) = (try ProposalID(proposal), try AccountID(voter, argument: "voter"))
      guard let choice = try Proposals(CallState(call)).vote(of: voter, on: proposal) else {
        throw Failure(.notFound, "no_vote", "Account \(voter) has not voted on \(proposal).")
      }
      return choice.word
    }
  }

  // MARK: Parameters

  func setInferenceDefaults(
    _ call: Call, _ temperatureMilli: UInt32, _ maxTokens: UInt32, _ systemPrompt: String
  ) throws {
    try answering {
      try Parameters(CallState(call)).set(
        try InferenceDefaults(temperatureMilli: temperatureMilli, maxTokens: maxTokens, systemPrompt: systemPrompt))
    }
  }

  func setRules(
    _ call: Call, _ voting: UInt64, _ timelock: UInt64, _ grace: UInt64, _ quorum: UInt32, _ threshold: UInt32
  ) throws {
    try answering {
      try Parameters(CallState(call)).set(
        try Rules(
          votingBlocks: voting, timelockBlocks: timelock, graceBlocks: grace, quorumMilli: quorum,
          thresholdMilli: threshold))
    }
  }

  func parameters(_ call: Call) throws -> ParametersView {
    try answering { try Parameters(CallState(call)).show() }
  }

  func rules(_ call: Call) throws -> JSON {
    try answering { JSON(text: try Parameters(CallState(call)).rules().json.text) }
  }

  private func nodeActions(_ call: Call) -> NodeActions {
    NodeActions(host: host, call: call, transitions: transitions)
  }
}

/// Runs the layer's work for a caller: what it refuses becomes the contract's failure.
private func answering<R>(_ body: () throws -> R) throws -> R {
  do {
    return try body()
  } catch let error as GovernanceError {
    throw Failure(status(of: error.kind), error.code, error.message)
  }
}

private func status(of kind: GovernanceError.Kind) -> Status {
  switch kind {
  case .invalidArgument: .invalidArgument
  case .notFound: .notFound
  case .alreadyExists: .alreadyExists
  case .permissionDenied: .permissionDenied
  case .failedPrecondition: .failedPrecondition
  case .dataLoss: .dataLoss
  }
}
