import Canonical

extension LedgerNode {
  package func headView() -> HeadView {
    let head = store.head
    return HeadView(
      chain: machine.chain.description, network: machine.genesis.network, height: head.header.height.value,
      hash: head.hash.description, stateRoot: head.header.stateRoot.description,
      timeMilliseconds: head.header.timeMilliseconds, authority: machine.genesis.authority.description,
      supply: machine.genesis.supply.credits)
  }

  /// An account that nobody has used yet is an empty one.
  package func accountView(_ id: AccountID) throws(LedgerError) -> AccountView {
    let account = try store.account(id) ?? Account()
    return AccountView(
      account: id.description, balance: account.balance.credits, sequence: account.next.value,
      owner: account.owner?.name)
  }

  package func transactionView(_ id: Digest) throws(LedgerError) -> TransactionView {
    guard let (transaction, receipt) = try store.transaction(id) else {
      throw LedgerError(
        .notFound, "unknown_transaction",
        "No committed transaction has the id \(id): it was not submitted here, or it was refused.")
    }
    let body = transaction.body
    return TransactionView(
      transaction: id.description, sender: body.sender.description, lane: body.lane.number,
      sequence: body.sequence.value, validUntil: body.validUntil.value, feeCap: body.feeCap.credits,
      method: body.method, arguments: hexadecimal(body.arguments), bytes: hexadecimal(transaction.bytes),
      receipt: ReceiptView(receipt))
  }

  package func blockView(_ height: Height) throws(LedgerError) -> BlockView {
    guard let block = try store.block(at: height) else {
      throw LedgerError(
        .notFound, "unknown_block", "There is no block \(height) yet: the newest is \(store.head.header.height).")
    }
    let header = block.header
    return BlockView(
      height: header.height.value, hash: block.hash.description, previous: header.previous.description,
      timeMilliseconds: header.timeMilliseconds, transactionRoot: header.transactionRoot.description,
      eventRoot: header.eventRoot.description, layerRoot: header.layerRoot.description,
      stateRoot: header.stateRoot.description,
      proposer: header.proposer.description, signature: hexadecimal(block.signature), header: hexadecimal(header.bytes),
      layers: block.layers.map { LayerView(layer: $0.namespace.name, library: $0.library.description) },
      transactions: block.receipts.map(ReceiptView.init))
  }

  package func historyView(_ id: AccountID, cursor: String, limit: Int) throws(LedgerError) -> HistoryView {
    let (entries, next) = try store.history(of: id, cursor: cursor, limit: limit)
    return HistoryView(
      entries: entries.map { entry in
        HistoryView.Entry(
          height: entry.height.value, index: entry.index, kind: entry.kind.name, amount: entry.amount.credits,
          counterparty: entry.counterparty?.description, transaction: entry.transaction?.description,
          method: entry.method, status: entry.status)
      },
      next: next ?? "")
  }
}
