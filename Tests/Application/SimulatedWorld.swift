import ApplicationCore
import Synchronization

/// A generator whose runs can be repeated from its seed.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  /// SplitMix64.
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
    return value ^ value >> 31
  }
}

/// What every effect outside the process asks first, whether the power is still on.
final class Power: Sendable {
  struct Failure: Error {}

  private let left = Mutex(Int.max)
  private let used = Mutex(0)

  /// The number of effects so far.
  var effects: Int { used.withLock { $0 } }

  /// Cuts the power after so many more effects; every later one fails and does nothing.
  func cut(after effects: Int) { left.withLock { $0 = effects } }

  func spend() throws {
    used.withLock { $0 += 1 }
    try left.withLock { left in
      guard left > 0 else { throw Failure() }
      if left != Int.max { left -= 1 }
    }
  }
}

/// A disk that loses what was not synced when the power goes, from any byte on.
final class SimulatedDisk: JournalStore {
  struct Full: Error {}

  struct State {
    var bytes: [UInt8] = []
    var synced = 0
    var isFull = false
    var syncFails = false
  }

  let state = Mutex(State())
  private let power: Power

  init(_ power: Power, bytes: [UInt8] = []) {
    self.power = power
    state.withLock { $0 = State(bytes: bytes, synced: bytes.count) }
  }

  func load() throws -> [UInt8] { state.withLock { $0.bytes } }

  func append(_ bytes: [UInt8]) throws {
    do {
      try power.spend()
    } catch {
      // The write that the power failed in: all of its bytes may have reached the disk, or none.
      state.withLock { $0.bytes += bytes }
      throw error
    }
    try state.withLock { state in
      guard !state.isFull else {
        state.bytes += bytes.prefix(bytes.count / 2)
        throw Full()
      }
      state.bytes += bytes
    }
  }

  func sync() throws {
    try power.spend()
    try state.withLock { state in
      guard !state.syncFails else { throw Full() }
      state.synced = state.bytes.count
    }
  }

  func replace(with bytes: [UInt8]) throws {
    try power.spend()
    try state.withLock { state in
      guard !state.isFull else { throw Full() }
      state.bytes = bytes
      state.synced = bytes.count
    }
  }

  /// What a restart finds: everything synced, and some of the rest, the last bytes perhaps wrong.
  func survivors(_ random: inout some RandomNumberGenerator) -> [UInt8] {
    state.withLock { state in
      var kept = Array(state.bytes.prefix(Int.random(in: state.synced...state.bytes.count, using: &random)))
      if kept.count > state.synced, Bool.random(using: &random) {
        for index in max(state.synced, kept.count - 3)..<kept.count { kept[index] = 0 }
      }
      return kept
    }
  }
}

/// A ledger in memory: accounts, one namespace, transactions that happen wholly or not at all.
final class MemoryLedger: TicketLedger {
  struct Contents: Equatable {
    var values: [[UInt8]: [UInt8]] = [:]
    var balances: [[UInt8]: UInt64] = [:]
  }

  /// One transaction on a copy of the contents.
  final class Transaction: LedgerState {
    var contents: Contents
    var topics: [String] = []
    let sender: [UInt8]?
    let caller: String?

    init(_ contents: Contents, sender: [UInt8]?, caller: String? = nil) {
      (self.contents, self.sender, self.caller) = (contents, sender, caller)
    }

    func get(_ key: [UInt8]) throws -> [UInt8]? { contents.values[key] }
    func put(_ key: [UInt8], _ value: [UInt8]) throws { contents.values[key] = value }
    func open(_ name: [UInt8]) throws -> [UInt8] { MemoryLedger.account(name) }
    func emit(_ topic: String, _ payload: JSONValue) throws { topics.append(topic) }
    func move(from: [UInt8], to: [UInt8], amount: UInt64) throws {
      guard contents.balances[from, default: 0] >= amount else {
        throw Refusal(.insufficientFunds, "insufficient_funds", "Not enough.")
      }
      contents.balances[from, default: 0] -= amount
      contents.balances[to, default: 0] += amount
    }
  }

  static let node = [UInt8](repeating: 7, count: 32)
  static func account(_ name: [UInt8]) -> [UInt8] { SHA256.hash(name) }
  static let keysAccount = account(TicketContract.accountName)

  let contents: Mutex<Contents>
  private let power: Power
  /// Takes the transaction and then loses the answer.
  let losesAnswers = Mutex(false)

  init(_ power: Power, funds: UInt64 = 1_000_000_000) {
    self.power = power
    contents = Mutex(Contents(balances: [Self.node: funds]))
  }

  func transact<R>(
    sender: [UInt8]? = MemoryLedger.node, caller: String? = nil, _ body: (Transaction) throws -> R
  ) throws -> R {
    let transaction = Transaction(contents.withLock { $0 }, sender: sender, caller: caller)
    let result = try body(transaction)
    try power.spend()
    contents.withLock { $0 = transaction.contents }
    // The power may also go between the ledger's commit and its answer.
    try power.spend()
    if losesAnswers.withLock({ $0 }) { throw Refusal(.unavailable, "lost", "The answer was lost.") }
    return result
  }

  func settle(_ batch: Book.Batch) throws {
    try transact { try TicketContract.settle($0, batch: batch.number, charges: TicketContract.json(batch.charges)) }
  }
  func open(_ key: KeyHash, budget: Amount) throws {
    try transact { try TicketContract.keyOpen($0, key: key.bytes, budget: budget.micro) }
  }
  func close(_ key: KeyHash) throws { try transact { try TicketContract.keyClose($0, key: key.bytes) } }

  func lastBatch() throws -> UInt64 {
    try power.spend()
    return TicketContract.batchNumber(contents.withLock { $0.values[TicketContract.batch(of: Self.node)] })
  }

  func keys(_ keys: [KeyHash]) throws -> [KeyHash: LedgerKey] {
    try power.spend()
    return allKeys.filter { keys.contains($0.key) }
  }

  var allKeys: [KeyHash: LedgerKey] {
    var keys: [KeyHash: LedgerKey] = [:]
    for (name, value) in contents.withLock({ $0.values }) where name.starts(with: TicketContract.keyPrefix) {
      guard let key = KeyHash(Array(name.dropFirst(TicketContract.keyPrefix.count))) else { continue }
      keys[key] = LedgerKey(value)
    }
    return keys
  }

  func balance(_ account: [UInt8]) -> UInt64 { contents.withLock { $0.balances[account, default: 0] } }
}

/// Clocks that stand still until they are moved.
final class FakeTime: Sendable {
  private let now = Mutex<UInt64>(1_700_000_000_000)
  func advance(_ milliseconds: UInt64) { now.withLock { $0 += milliseconds } }
  var milliseconds: UInt64 { now.withLock { $0 } }
  var clock: Meter.Clock { Meter.Clock(unix: { self.milliseconds }, monotonic: { self.milliseconds }) }
}

func testKey(_ number: Int) -> KeyHash { KeyHash(secret: "key \(number)") }
