import ApplicationCore
import Canonical
import PluginKit
import Synchronization

/// The ledger's state inside the transaction that a call carries.
struct TransactionState: LedgerState {
  private let call: Call
  var sender: [UInt8]? { call.sender }
  var caller: String? { call.caller }

  init(_ call: Call) throws {
    guard call.inTransaction else {
      throw Refusal(
        .conflict, "no_transaction", "This method changes the ledger and runs only as a signed transaction.")
    }
    self.call = call
  }

  func get(_ key: [UInt8]) throws -> [UInt8]? { try ledgerValue(call, key) }
  func put(_ key: [UInt8], _ value: [UInt8]) throws { try asking { try ledgerPut(call, key, value) } }
  func open(_ name: [UInt8]) throws -> [UInt8] { try asking { try ledgerOpen(call, name) } }
  func move(from: [UInt8], to: [UInt8], amount: UInt64) throws {
    try asking { try ledgerMove(call, from, to, amount) }
  }
  func emit(_ topic: String, _ payload: JSONValue) throws {
    try asking { try ledgerEmit(call, topic, payload.json) }
  }
}

/// A value in the layer's namespace; nil when there is none.
func ledgerValue(_ call: Call, _ key: [UInt8]) throws -> [UInt8]? {
  do {
    return try ledgerGet(call, key)
  } catch  where error.status == .notFound {
    return nil
  } catch {
    throw Refusal(status: error.status.rawValue, code: error.code, message: error.message)
  }
}

/// Set once when the layer stops, so that its own calls do not wait for a layer that is going away.
final class StopFlag: Sendable {
  private let flag = Atomic(false)
  var isSet: Bool { flag.load(ordering: .acquiring) }
  func set() { flag.store(true, ordering: .releasing) }
}

/// The ledger as this node uses it between transactions, with calls of its own.
struct NodeLedger: TicketLedger {
  let host: Host
  let isStopping: StopFlag

  func settle(_ batch: Book.Batch) throws {
    let arguments: JSONValue = [
      "batch": .integer(batch.number), "charges": TicketContract.json(batch.charges),
    ]
    try withCall { _ = try Self.act($0, "application.settle", arguments) }
  }

  func open(_ key: KeyHash, budget: Amount) throws {
    let arguments: JSONValue = ["key": .string(key.description), "budget": .integer(budget.micro)]
    try withCall { _ = try Self.act($0, "application.key_open", arguments) }
  }

  func close(_ key: KeyHash) throws {
    try withCall { _ = try Self.act($0, "application.key_close", ["key": .string(key.description)]) }
  }

  func lastBatch() throws -> UInt64 {
    let key = TicketContract.batch(of: try asking { try host.publicKey() })
    return TicketContract.batchNumber(try withCall { try ledgerValue($0, key) })
  }

  func keys(_ keys: [KeyHash]) throws -> [KeyHash: LedgerKey] {
    try withCall { call in
      var found: [KeyHash: LedgerKey] = [:]
      for key in keys { found[key] = try ledgerValue(call, TicketContract.key(key)).flatMap(LedgerKey.init) }
      return found
    }
  }

  /// All keys that this node opened.
  func ownKeys() throws -> [KeyHash: LedgerKey] {
    let own = try asking { try host.publicKey() }
    return try withCall { call in
      var found: [KeyHash: LedgerKey] = [:]
      var after: [UInt8] = []
      while true {
        var count = 0
        try asking {
          try ledgerRange.stream(call, TicketContract.keyPrefix, after, 256) { entry in
            guard let (name, value) = Self.split(entry) else { return }
            count += 1
            after = name
            guard let key = KeyHash(Array(name.dropFirst(TicketContract.keyPrefix.count))),
              let ledgerKey = LedgerKey(value), ledgerKey.owner == own
            else { return }
            found[key] = ledgerKey
          }
        }
        if count < 256 { return found }
      }
    }
  }

  /// An entry of `ledger.range`: u32 key length, key, value.
  private static func split(_ entry: [UInt8]) -> (key: [UInt8], value: [UInt8])? {
    var reader = CanonicalReader(entry)
    guard let key = try? reader.bytes() else { return nil }
    return (key, Array(entry.suffix(reader.remaining)))
  }

  private func withCall<R>(_ body: (Call) throws -> R) throws -> R {
    try asking { try host.withRootCall(origin: .node, isCancelled: { [isStopping] in isStopping.isSet }, body) }
  }

  /// Runs a transition signed by the node; a refused one throws what it was refused with.
  private static func act(_ call: Call, _ method: String, _ arguments: JSONValue) throws -> JSONValue {
    let receipt = try JSONValue(try asking { try ledgerAct(call, method, arguments.json) }, from: "ledger.act")
    let status = receipt["status"]?.unsignedValue ?? 13
    guard status == 0 else {
      throw Refusal(
        status: Int32(clamping: status), code: receipt["code"]?.stringValue ?? "refused",
        message: receipt["message"]?.stringValue ?? "\(method) was refused by the ledger.")
    }
    return receipt
  }
}
