import Canonical
import DataCore

/// A ledger in memory with badges of its own: transactions undo what failed.
final class MemoryLedger: LedgerState {
  private(set) var entries: [[UInt8]: [UInt8]] = [:]
  private(set) var events: [(topic: String, payload: String)] = []
  var now: UInt64 = 10
  private(set) var sender: AccountID?
  private(set) var caller: String?
  let root = account(0)
  /// Since when an account holds `expert`; nil means that the governance layer is not there.
  var experts: [AccountID: Height]? = [:]

  init(experts count: UInt8 = 0) {
    for number in 0..<count { experts?[account(number + 1)] = Height(1) }
  }

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
  func range(prefix: [UInt8], after: [UInt8], limit: Int) -> [(key: [UInt8], value: [UInt8])] {
    entries.filter { $0.key.starts(with: prefix) && after.lexicographicallyPrecedes($0.key) }
      .sorted { $0.key.lexicographicallyPrecedes($1.key) }.prefix(limit).map { ($0.key, $0.value) }
  }
  func emit(_ topic: String, _ payload: String) { events.append((topic, payload)) }
  func height() -> Height { Height(now) }
  func wake(_ height: Height) {}
  func authority() -> AccountID { root }
  func badgeHeld(by account: AccountID, anyOf badges: [String]) throws -> Height? {
    guard let experts else {
      throw DataError(.failedPrecondition, "no_governance", "Nobody gives badges here: enable the governance layer.")
    }
    return experts[account]
  }
  func electorate(_ badges: [String]) -> UInt32? { experts.map { UInt32($0.count) } }

  func nominate(_ number: UInt8 = 50, _ json: String = manifest()) throws -> DatasetID {
    try transact(account(number)) { try Curation(self).nominate(manifest: json) }
  }
  func attest(_ number: UInt8, _ id: DatasetID, _ report: String? = nil) throws {
    let report = report ?? #"{"dataset":"\#(id)","files":1,"files_ok":1}"#
    try transact(account(number)) { try Curation(self).attest(id, report: report) }
  }
  func review(_ number: UInt8, _ id: DatasetID, _ score: UInt32) throws {
    try transact(account(number)) {
      try Curation(self).review(id, score: score, textHash: [UInt8](repeating: 7, count: 32))
    }
  }
  func vote(_ number: UInt8, _ id: DatasetID, _ choice: Choice) throws {
    try transact(account(number)) { try Curation(self).vote(id, choice) }
  }
  func state(of id: DatasetID) throws -> String? { try Curation(self).show(id).object?["state"]?.string }
}

/// A distinct account for each number.
func account(_ number: UInt8) -> AccountID {
  guard let account = try? AccountID([UInt8](repeating: number, count: 32)) else {
    fatalError("32 bytes are an account")
  }
  return account
}

/// The SHA-256 of "hello\n".
let helloHash = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

/// A manifest of one file, "hello\n", with the given changes.
func manifest(
  name: String = "Greetings", licence: String = "CC-BY-4.0", source: String = "https://example.org/greetings",
  files: String = #"[{"path":"a/hello.txt","size":6,"sha256":"\#(helloHash)"}]"#, more: String = ""
) -> String {
  """
  {"name":"\(name)","version":"1.0.0","description":"What people say first.","licence":"\(licence)",
   "source":"\(source)","files":\(files)\(more)}
  """
}

/// The code of the error that a body throws; nil when it throws nothing.
func code(_ body: () throws -> Void) -> String? {
  do {
    try body()
    return nil
  } catch {
    return (error as? DataError)?.code ?? "\(error)"
  }
}
