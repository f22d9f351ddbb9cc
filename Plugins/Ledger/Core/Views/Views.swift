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
  package let layerRoot: String
  package let stateRoot: String
  package let proposer: String
  package let signature: String
  package let header: String
  package let layers: [LayerView]
  package let transactions: [ReceiptView]

  enum CodingKeys: String, CodingKey {
    case height, hash, previous, proposer, signature, header, layers, transactions
    case timeMilliseconds = "time_ms"
    case transactionRoot = "transaction_root"
    case eventRoot = "event_root"
    case layerRoot = "layer_root"
    case stateRoot = "state_root"
  }
}

/// Which build of a layer executed transactions of a block.
package struct LayerView: Codable, Sendable {
  package let layer: String
  /// SHA-256, hexadecimal.
  package let library: String
}

/// What a proof was found to prove.
package struct ProvenView: Codable, Sendable {
  /// One sentence for people.
  package let proves: String
  package let network: String
  package let chain: String
  package let authority: String
  package let height: UInt64
  package let timeMilliseconds: UInt64
  package let block: String
  /// Hexadecimal; absent for a transaction, and for a key that holds nothing.
  package let value: String?

  enum CodingKeys: String, CodingKey {
    case proves, network, chain, authority, height, block, value
    case timeMilliseconds = "time_ms"
  }

  /// Checks a proof; throws what does not hold.
  package init(checking proof: LedgerProof) throws(LedgerError) {
    let head = try proof.check()
    network = proof.genesis.network
    chain = head.chain.description
    authority = proof.genesis.authority.description
    height = head.height.value
    timeMilliseconds = head.timeMilliseconds
    block = head.hash.description
    switch proof.statement {
    case .transaction(let transaction):
      let signed = try SignedTransaction(trusting: transaction.transaction)
      let end = transaction.status == 0 ? "succeeded" : "was refused (\(transaction.code))"
      proves =
        "Transaction \(signed.id), \(signed.body.method) by \(signed.body.sender), is number "
        + "\(transaction.path.index) of block \(head.height) and \(end)."
      value = nil
    case .state(let state):
      let name = "\(state.namespace)/\(hexadecimal(state.key))"
      value = state.value.map(hexadecimal)
      guard let bytes = state.value else {
        proves = "After block \(head.height), \(name) holds nothing."
        return
      }
      let account =
        state.namespace == .ledger && state.key.first == LedgerKey.accountPrefix.first ? Account(bytes) : nil
      let holds = account.map { " (an account of \($0.balance) credits)" } ?? ""
      proves = "After block \(head.height), \(name) holds \(hexadecimal(bytes))\(holds)."
    }
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
