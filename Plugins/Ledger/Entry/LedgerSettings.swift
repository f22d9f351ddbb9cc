import Canonical
import LedgerCore
import PluginKit

/// `[plugin.ledger.settings]`: which network this is, and what bounds it.
struct LedgerSettings: Decodable {
  let network: String
  let supply: UInt64
  /// 64 hexadecimal digits; the node's own key when absent.
  let authority: String?
  let blockIntervalMilliseconds: Int
  let maxTransactionBytes: Int

  enum CodingKeys: String, CodingKey, CaseIterable {
    case network, supply, authority
    case blockIntervalMilliseconds = "block_interval_ms"
    case maxTransactionBytes = "max_transaction_bytes"
  }

  private struct AnyKey: CodingKey {
    let stringValue: String
    let intValue: Int? = nil
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  init(from decoder: any Decoder) throws {
    let known = CodingKeys.allCases.map(\.rawValue)
    for key in try decoder.container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
      throw DecodingError.dataCorrupted(
        DecodingError.Context(
          codingPath: [key],
          debugDescription: "there is no such setting; the ledger knows \(known.joined(separator: ", "))"))
    }
    let container = try decoder.container(keyedBy: CodingKeys.self)
    network = try container.decodeIfPresent(String.self, forKey: .network) ?? "symbolon-dev"
    supply = try container.decodeIfPresent(UInt64.self, forKey: .supply) ?? 1_000_000_000_000_000
    authority = try container.decodeIfPresent(String.self, forKey: .authority)
    blockIntervalMilliseconds = try container.decodeIfPresent(Int.self, forKey: .blockIntervalMilliseconds) ?? 1000
    maxTransactionBytes = try container.decodeIfPresent(Int.self, forKey: .maxTransactionBytes) ?? 64 * 1024
  }

  /// The network, once the settings make sense.
  func genesis(node: AccountID) throws -> Genesis {
    guard (1...64).contains(network.utf8.count) else { throw wrong("`network` is a name of 1 to 64 bytes.") }
    guard supply > 0 else { throw wrong("`supply` is at least 1 credit.") }
    guard (1...3_600_000).contains(blockIntervalMilliseconds) else {
      throw wrong("`block_interval_ms` is between 1 and 3600000.")
    }
    guard (1024...65_536).contains(maxTransactionBytes) else {
      throw wrong("`max_transaction_bytes` is between 1024 and 65536.")
    }
    guard let authority else { return Genesis(network: network, authority: node, supply: Amount(supply)) }
    guard let account = octets(hexadecimal: authority).flatMap(AccountID.init) else {
      throw wrong("`authority` is an account: 64 hexadecimal digits.")
    }
    return Genesis(network: network, authority: account, supply: Amount(supply))
  }

  private func wrong(_ sentence: String) -> Failure {
    Failure(.invalidArgument, "invalid_settings", "[plugin.ledger.settings] in plugins.conf: \(sentence)")
  }
}
