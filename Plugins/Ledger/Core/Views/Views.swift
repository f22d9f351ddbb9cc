import Canonical

/// The ledger's newest block and which network it is.
package struct HeadView: Codable, Sendable {
  package let chain: String
  package let network: String
  package let height: UInt64
  package let hash: String
  package let stateRoot: String
  package let timeMilliseconds: UInt64
  package let authority: String
  package let supply: UInt64

  enum CodingKeys: String, CodingKey {
    case chain, network, height, hash, authority, supply
    case stateRoot = "state_root"
    case timeMilliseconds = "time_ms"
  }
}

/// An account as it stands after the last block.
package struct AccountView: Codable, Sendable {
  package let account: String
  package let balance: UInt64
  package let sequence: UInt64
  /// The layer that opened it; absent for a key's account.
  package let owner: String?
}

/// Where a transaction ended up and what it came to.
package struct ReceiptView: Codable, Sendable {
  package let transaction: String
  package let height: UInt64
  package let index: Int
  package let status: UInt32
  package let code: String
  package let message: String
  /// The method's results in canonical form, hexadecimal.
  package let result: String

  package init(_ receipt: Receipt) {
    transaction = receipt.transaction.description
    height = receipt.height.value
    index = receipt.index
    status = receipt.outcome.status
    code = receipt.outcome.code
    message = receipt.outcome.message
    result = hexadecimal(receipt.outcome.result)
  }
}

/// A committed transaction with its receipt.
package struct TransactionView: Codable, Sendable {
  package let transaction: String
  package let sender: String
  package let lane: UInt32
  package let sequence: UInt64
  package let validUntil: UInt64
  package let feeCap: UInt64
  package let method: String
  /// In canonical form, hexadecimal.
  package let arguments: String
  package let bytes: String
  package let receipt: ReceiptView

  enum CodingKeys: String, CodingKey {
    case transaction, sender, lane, sequence, method, arguments, bytes, receipt
    case validUntil = "valid_until"
    case feeCap = "fee_cap"
  }
}

/// A block with the receipts of its transactions.
package struct BlockView: Codable, Sendable {
  package let height: UInt64
  package let hash: String
  package let previous: String
  package let timeMilliseconds: UInt64
  package let transactionRoot: String
  package let eventRoot: String
  package let stateRoot: String
  package let proposer: String
  package let signature: String
  package let header: String
  package let transactions: [ReceiptView]

  enum CodingKeys: String, CodingKey {
    case height, hash, previous, proposer, signature, header, transactions
    case timeMilliseconds = "time_ms"
    case transactionRoot = "transaction_root"
    case eventRoot = "event_root"
    case stateRoot = "state_root"
  }
}

/// A page of an account's history, newest first.
package struct HistoryView: Codable, Sendable {
  package struct Entry: Codable, Sendable {
    package let height: UInt64
    package let index: Int
    package let kind: String
    package let amount: UInt64
    package let counterparty: String?
    package let transaction: String?
    package let method: String?
    package let status: UInt32
  }

  package let entries: [Entry]
  /// Give it as `cursor` to read on; empty at the end.
  package let next: String
}

/// What `ledger.block` events carry.
package struct BlockNews: Codable, Sendable {
  package let height: UInt64
  package let hash: String
  package let transactions: Int

  package init(_ block: ExecutedBlock) {
    height = block.header.height.value
    hash = block.hash.description
    transactions = block.transactions.count
  }
}
