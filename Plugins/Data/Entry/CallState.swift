import Canonical
import DataCore
import PluginKit

/// The ledger and the badges as a running call sees them.
struct CallState: LedgerState {
  let call: Call
  let sender: AccountID?
  let caller: String?

  init(_ call: Call) throws {
    self.call = call
    sender = try call.sender.map { try AccountID($0) }
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
    guard let bytes = octets(hexadecimal: try ledgerHead(call).authority) else {
      throw Failure(.internal, "no_authority", "`ledger.head` names no authority.")
    }
    return try AccountID(bytes)
  }

  func badgeHeld(by account: AccountID, anyOf badges: [String]) throws -> Height? {
    try badges.compactMap { try badgeSince(account, $0) }.min()
  }

  private func badgeSince(_ account: AccountID, _ badge: String) throws -> Height? {
    do {
      let since = try governanceBadgeSince(call, account.bytes, badge)
      return since > 0 ? Height(since) : nil
    } catch {
      guard error.status == .unavailable else { throw error }
      // Not `unavailable`: a node without governance answers this way every time, and says so at once.
      throw DataError(
        .failedPrecondition, "no_governance",
        "This node runs no governance layer, so nobody holds a badge: enable it in plugins.conf to review and vote.")
    }
  }

  func electorate(_ badges: [String]) throws -> UInt32? {
    do {
      return try governanceElectorate(call, badges.joined(separator: ","))
    } catch  where error.status == .unavailable {
      return nil
    }
  }
}
