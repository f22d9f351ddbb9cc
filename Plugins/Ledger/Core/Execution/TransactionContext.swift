import Canonical
import Synchronization

/// The state of the block that is being made, behind one short lock an operation.
///
/// No lock is held while a layer's method runs, so the method may call back from this or any other thread.
package final class Workspace: Sendable {
  package struct Contents: Sendable {
    package var overlay: Overlay
    package var movements: [Movement] = []
    package var events: [Event] = []
    /// The transaction that runs now; operations of any other handle are refused.
    package var running: Running?
  }

  package struct Running: Sendable {
    package let handle: UInt64
    package let index: Int
    package let sender: AccountID
    package let layer: Namespace
    package var meter: Meter
    /// The first failure that the layer may not hide: this node's own trouble, or too much work.
    package var fault: LedgerError?
  }

  package let height: Height
  package let limits: Limits
  package let contents: Mutex<Contents>

  package init(_ base: any StateReader, height: Height, limits: Limits) {
    self.height = height
    self.limits = limits
    contents = Mutex(Contents(overlay: Overlay(base)))
  }
}

/// What a layer's method may do inside the transaction that it runs in; useless once that has ended.
package struct TransactionContext: Sendable {
  /// What travels in `call.transaction`.
  package let handle: UInt64
  private let workspace: Workspace

  package init(_ workspace: Workspace, handle: UInt64) {
    self.workspace = workspace
    self.handle = handle
  }

  /// The block that the transaction will be in.
  package var height: Height { workspace.height }

  /// The account that signed.
  package func sender() throws(LedgerError) -> AccountID {
    try perform { (_, running) throws(LedgerError) in running.sender }
  }

  package func get(_ namespace: Namespace, _ key: [UInt8]) throws(LedgerError) -> [UInt8]? {
    try perform { (contents, running) throws(LedgerError) in
      try running.meter.charge(bytes: key.count)
      let value = try contents.overlay.value(namespace, key)
      try running.meter.charge(operations: 0, bytes: value?.count ?? 0)
      return value
    }
  }

  package func put(_ namespace: Namespace, _ key: [UInt8], _ value: [UInt8]) throws(LedgerError) {
    let limits = workspace.limits
    try perform { (contents, running) throws(LedgerError) in
      try Self.check(namespace, key, limits)
      guard value.count <= limits.valueBytes else {
        throw LedgerError(
          .invalidArgument, "value_too_large", "A value has at most \(limits.valueBytes) bytes, not \(value.count).")
      }
      try running.meter.charge(bytes: key.count + value.count)
      contents.overlay.set(namespace, key, to: value)
    }
  }

  package func remove(_ namespace: Namespace, _ key: [UInt8]) throws(LedgerError) {
    let limits = workspace.limits
    try perform { (contents, running) throws(LedgerError) in
      try Self.check(namespace, key, limits)
      try running.meter.charge(bytes: key.count)
      guard try contents.overlay.value(namespace, key) != nil else { return }
      contents.overlay.set(namespace, key, to: nil)
    }
  }

  package func range(
    _ namespace: Namespace, prefix: [UInt8], after: [UInt8], limit: Int
  ) throws(LedgerError) -> [StateEntry] {
    try perform { (contents, running) throws(LedgerError) in
      let entries = try contents.overlay.range(namespace, prefix: prefix, after: after, limit: limit)
      try running.meter.charge(
        operations: 1 + entries.count, bytes: entries.reduce(0) { $0 + $1.key.count + $1.value.count })
      return entries
    }
  }

  /// The account that this layer owns under a name; made on first use.
  package func open(_ namespace: Namespace, name: [UInt8]) throws(LedgerError) -> AccountID {
    let id = AccountID(of: namespace, name: name)
    try perform { (contents, running) throws(LedgerError) in
      try running.meter.charge(bytes: name.count)
      var account = try contents.account(id) ?? Account()
      guard account.owner == nil else { return }
      account.owner = namespace
      contents.overlay.set(.ledger, LedgerKey.account(id), to: account.bytes)
    }
    return id
  }

  /// Moves credits out of an account that this layer opened, or out of the sender's.
  ///
  /// Only the layer whose method the sender signed may touch the sender's credits: a proposal's action, say, may not
  /// reach into the pocket of whoever executes the proposal.
  package func move(
    _ namespace: Namespace, from: AccountID, to: AccountID, _ amount: Amount
  ) throws(LedgerError) {
    try perform { (contents, running) throws(LedgerError) in
      try running.meter.charge(operations: 2)
      let owner = try contents.account(from)?.owner
      let isOwn = owner == namespace && namespace != .ledger
      let isSenders = from == running.sender && owner == nil && running.layer == namespace
      guard isOwn || isSenders else {
        throw LedgerError(
          .permissionDenied, "not_your_account",
          "\(namespace) may move credits out of accounts it opened and, in a method that the sender signed, out of the "
            + "sender's; \(from) is neither.")
      }
      try contents.move(from: from, to: to, amount, in: running.index)
    }
  }

  /// Says something to everyone who listens, once the block is committed.
  package func emit(_ namespace: Namespace, topic: String, payload: String) throws(LedgerError) {
    let limits = workspace.limits
    let full = topic.hasPrefix(namespace.name + ".") ? topic : "\(namespace.name).\(topic)"
    try perform { (contents, running) throws(LedgerError) in
      guard full.utf8.count <= limits.topicBytes, payload.utf8.count <= limits.eventBytes else {
        throw LedgerError(
          .invalidArgument, "event_too_large",
          "A topic has at most \(limits.topicBytes) bytes and a payload \(limits.eventBytes).")
      }
      try running.meter.charge(bytes: full.utf8.count + payload.utf8.count)
      contents.events.append(
        Event(transaction: running.index, namespace: namespace, topic: full, payload: payload))
    }
  }

  /// `ledger.transfer`: credits of the sender to another account.
  package func transfer(to: AccountID, _ amount: Amount) throws(LedgerError) {
    try perform { (contents, running) throws(LedgerError) in
      try running.meter.charge(operations: 2)
      try contents.move(from: running.sender, to: to, amount, in: running.index)
    }
  }

  private static func check(_ namespace: Namespace, _ key: [UInt8], _ limits: Limits) throws(LedgerError) {
    guard namespace != .ledger else {
      throw LedgerError(.permissionDenied, "reserved_namespace", "The namespace `ledger` is the ledger's own.")
    }
    guard !key.isEmpty, key.count <= limits.keyBytes else {
      throw LedgerError(.invalidArgument, "invalid_key", "A key has 1 to \(limits.keyBytes) bytes, not \(key.count).")
    }
  }

  private func perform<R: Sendable>(
    _ body: (inout Workspace.Contents, inout Workspace.Running) throws(LedgerError) -> R
  ) throws(LedgerError) -> R {
    let handle = handle
    let result = workspace.contents.withLock { contents -> Result<R, LedgerError> in
      guard var running = contents.running, running.handle == handle else { return .failure(.notInTransaction) }
      if let fault = running.fault { return .failure(fault) }
      contents.running = nil
      defer { contents.running = running }
      do throws(LedgerError) {
        return .success(try body(&contents, &running))
      } catch {
        if error.isOfThisNode || error.code == "work_exceeded" { running.fault = error }
        return .failure(error)
      }
    }
    return try result.get()
  }
}

extension LedgerError {
  package static let notInTransaction = LedgerError(
    .failedPrecondition, "not_in_transaction",
    "Only a method that runs in the current transaction may do this: sign a transaction, or use ledger.act.")

  /// True for trouble that other nodes do not share, which therefore decides no transaction.
  package var isOfThisNode: Bool {
    switch status {
    case .internal, .unavailable, .dataLoss: true
    default: false
    }
  }
}

extension Workspace.Contents {
  package mutating func account(_ id: AccountID) throws(LedgerError) -> Account? {
    guard let bytes = try overlay.value(.ledger, LedgerKey.account(id)) else { return nil }
    guard let account = Account(bytes) else { throw .corrupt("the record of account \(id) cannot be read") }
    return account
  }

  /// Debits one account and credits another; only `@issuance` may owe.
  package mutating func move(
    from: AccountID, to: AccountID, _ amount: Amount, in transaction: Int
  ) throws(LedgerError) {
    guard amount > .zero else {
      throw LedgerError(.invalidArgument, "zero_amount", "The amount is 0: move at least 1 credit.")
    }
    guard from != to else {
      throw LedgerError(.invalidArgument, "same_account", "Both accounts are \(from): name two different ones.")
    }
    var payer = try account(from) ?? Account()
    guard from == .issuance || payer.balance >= amount else {
      throw LedgerError(
        .failedPrecondition, "insufficient_funds",
        "Account \(from) holds \(payer.balance) credits and \(amount) are needed: move credits to it first.")
    }
    var payee = try account(to) ?? Account()
    let (credits, full) = payee.credits.addingReportingOverflow(UInt128(amount.credits))
    let (debits, owed) = payer.debits.addingReportingOverflow(UInt128(amount.credits))
    guard !full, !owed, credits <= payee.debits.addingReportingOverflow(UInt128(UInt64.max)).partialValue else {
      throw LedgerError(.failedPrecondition, "amount_overflow", "Account \(to) cannot hold \(amount) more credits.")
    }
    payee.credits = credits
    payer.debits = debits
    overlay.set(.ledger, LedgerKey.account(from), to: payer.bytes)
    overlay.set(.ledger, LedgerKey.account(to), to: payee.bytes)
    movements.append(Movement(transaction: transaction, from: from, to: to, amount: amount))
  }
}
