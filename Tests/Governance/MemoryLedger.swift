import GovernanceCore

/// A ledger in memory: one namespace, transactions that undo what failed, one block a transaction unless told.
final class MemoryLedger: LedgerState, ActionHost {
  private(set) var entries: [[UInt8]: [UInt8]] = [:]
  private(set) var events: [(topic: String, payload: String)] = []
  private(set) var wakes: [Height] = []
  var now: UInt64 = 1
  private(set) var sender: AccountID?
  private(set) var caller: String?
  let root = account(0)

  /// What actions do, by method name; an unknown one is refused by `check`.
  var methods: [String: (MemoryLedger, String) throws -> Void] = [:]

  /// Runs a body as a transaction of an account; a failure leaves nothing behind.
  @discardableResult
  func transact<R>(_ account: AccountID?, caller: String? = "ledger", _ body: () throws -> R) throws -> R {
    let before = (entries, events)
    (sender, self.caller) = (account, caller)
    defer { (sender, self.caller) = (nil, nil) }
    do {
      return try body()
    } catch {
      (entries, events) = before
      throw error
    }
  }

  func get(_ key: [UInt8]) -> [UInt8]? { entries[key] }
  func put(_ key: [UInt8], _ value: [UInt8]) { entries[key] = value }
  func remove(_ key: [UInt8]) { entries[key] = nil }
  func range(prefix: [UInt8], after: [UInt8], limit: Int) -> [(key: [UInt8], value: [UInt8])] {
    entries.filter { $0.key.starts(with: prefix) && after.lexicographicallyPrecedes($0.key) }
      .sorted { $0.key.lexicographicallyPrecedes($1.key) }.prefix(limit).map { ($0.key, $0.value) }
  }
  func emit(_ topic: String, _ payload: String) { events.append((topic, payload)) }
  func height() -> Height { Height(now) }
  func wake(_ height: Height) { wakes.append(height) }
  func authority() -> AccountID { root }

  func check(_ action: Action) throws {
    guard methods[action.method] != nil else {
      throw GovernanceError(.invalidArgument, "unknown_method", "\(action.method) is not here.")
    }
  }
  func run(_ action: Action) throws {
    // As the host does it: the nested call comes from this plugin and carries nobody's account.
    let outer = (sender, caller)
    defer { (sender, caller) = outer }
    (sender, caller) = (nil, "governance")
    try methods[action.method]?(self, action.arguments)
  }
}

/// A distinct account for each number.
func account(_ number: UInt8) -> AccountID {
  guard let account = try? AccountID([UInt8](repeating: number, count: 32), argument: "account") else {
    fatalError("32 bytes are an account")
  }
  return account
}

/// SplitMix64: small and seeded, so that a failing run can be repeated.
struct Seeded: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

extension MemoryLedger {
  /// A ledger in which accounts 1…n hold the badge `expert`, and `test.note` notes its arguments.
  static func withExperts(_ count: UInt8) throws -> MemoryLedger {
    let ledger = MemoryLedger()
    for number in 0..<count {
      try ledger.transact(ledger.root) { try Badges(ledger).grant(.expert, to: account(number + 1)) }
    }
    ledger.methods["test.note"] = { $0.put(Array("note".utf8), Array($1.utf8)) }
    ledger.methods["test.fail"] = { _, _ in
      throw GovernanceError(.failedPrecondition, "test_failure", "This action always fails.")
    }
    ledger.methods["governance.set_inference_defaults"] = { ledger, _ in
      try Parameters(ledger).set(
        try InferenceDefaults(temperatureMilli: 100, maxTokens: 64, systemPrompt: "Answer in one word."))
    }
    ledger.now = 10
    return ledger
  }

  static let note = #"[{"method":"test.note","arguments":{"b":2,"a":1}}]"#

  func propose(_ number: UInt8, _ title: String = "Note it", _ actions: String = note) throws -> ProposalID {
    try transact(account(number)) { try Proposals(self).propose(title: title, actions: actions, host: self) }
  }
  func vote(_ number: UInt8, _ id: ProposalID, _ choice: Choice) throws {
    try transact(account(number)) { try Proposals(self).vote(id, choice) }
  }
  func execute(_ id: ProposalID, by number: UInt8 = 99) throws {
    try transact(account(number)) { try Proposals(self).execute(id, host: self) }
  }
  func state(of id: ProposalID) throws -> String { try Proposals(self).show(id).state }
  var noted: String? { entries[Array("note".utf8)].map { String(decoding: $0, as: UTF8.self) } }
}

/// The code of the error that a body throws; nil when it throws nothing.
func code(_ body: () throws -> Void) -> String? {
  do {
    try body()
    return nil
  } catch {
    return (error as? GovernanceError)?.code ?? "\(error)"
  }
}
