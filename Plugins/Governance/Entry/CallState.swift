import Canonical
import GovernanceCore
import PluginKit

/// The ledger as a running call sees it, in this layer's namespace.
struct CallState: LedgerState {
  let call: Call
  let sender: AccountID?
  let caller: String?

  init(_ call: Call) throws {
    self.call = call
    sender = try call.sender.map { try AccountID($0, argument: "sender") }
    caller = call.caller
  }

  func get(_ key: [UInt8]) throws -> [UInt8]? {
    do {
      return try ledgerGet(call, key)
    } catch  where error.status == .notFound {
      return nil
    }
  }

  func put(_ key: [UInt8], _ value: [UInt8]) throws { try ledgerPut(call, key, value) }

  func remove(_ key: [UInt8]) throws { try ledgerRemove(call, key) }

  func range(prefix: [UInt8], after: [UInt8], limit: Int) throws -> [(key: [UInt8], value: [UInt8])] {
    var entries: [(key: [UInt8], value: [UInt8])] = []
    try ledgerRange.stream(call, prefix, after, UInt32(clamping: limit)) { message in
      var reader = CanonicalReader(message)
      let key = try reader.bytes()
      entries.append((key, try reader.raw(reader.remaining)))
    }
    return entries
  }

  func emit(_ topic: String, _ payload: String) throws { try ledgerEmit(call, topic, JSON(text: payload)) }

  func height() throws -> Height { Height(try ledgerHeight(call)) }

  func wake(_ height: Height) throws { try ledgerWake(call, height.value) }

  func authority() throws -> AccountID {
    let text = try ledgerHead(call).authority
    let digits = text.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue.map(UInt8.init) }
    guard digits.count == 64, text.utf8.count == 64 else {
      throw Failure(.internal, "no_authority", "`ledger.head` names no authority: \(text.prefix(80)).")
    }
    return try AccountID(stride(from: 0, to: 64, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }, argument: "authority")
  }
}
