import Canonical
import LedgerCore
import PluginKit
import Synchronization

/// The ledger as a layer: settings and identity from the host, everything else from the core.
final class LedgerLayer: Sendable {
  private let host: Host
  private let machine: StateMachine
  private let settings: LedgerSettings
  private let signer: HostSigner
  private let running = Mutex<LedgerNode?>(nil)

  init(_ host: Host) throws {
    self.host = host
    settings = try host.settings(as: LedgerSettings.self)
    signer = try HostSigner(host)
    var limits = Limits()
    limits.transactionBytes = settings.maxTransactionBytes
    machine = StateMachine(
      genesis: try settings.genesis(node: signer.account), limits: limits, runner: HostRunner(host))
    try asFailure { () throws(LedgerError) in try Ed25519.selfTest() }
  }

  /// Opens the database, which only one generation may hold at a time.
  func start() throws {
    var options = LedgerNode.Options()
    options.blockIntervalMilliseconds = settings.blockIntervalMilliseconds
    let node = try asFailure { [host, machine, signer] () throws(LedgerError) in
      try LedgerNode(
        store: try Store(folder: host.storage, machine: machine), machine: machine, signer: signer, options: options,
        clock: { host.clock.milliseconds }, observe: { Self.publish($0, host) },
        report: { host.log.error("A block was not stored: \($0.message)", ["code": $0.code]) })
    }
    node.start()
    running.withLock { $0 = node }
    let head = node.store.head.header
    host.log.info(
      "The ledger is open",
      [
        "network": machine.genesis.network, "chain": machine.chain.description, "height": "\(head.height)",
        "libsodium": Ed25519.version,
      ])
  }

  func stop() { running.withLock { $0.take() }?.stop() }

  func node() throws -> LedgerNode {
    guard let node = running.withLock({ $0 }) else {
      throw Failure(.unavailable, "ledger_stopped", "The ledger is not running: call again in a moment.")
    }
    return node
  }

  /// Tells subscribers what a committed block holds.
  private static func publish(_ block: ExecutedBlock, _ host: Host) {
    do throws(Failure) {
      for event in block.events { try host.events.publish(event.topic, JSON(text: event.payload)) }
      if !block.transactions.isEmpty { try host.events.publish("ledger.block", try JSON(BlockNews(block))) }
    } catch {
      host.log.warning("Events of block \(block.header.height) were not delivered", ["reason": error.message])
    }
  }
}

// MARK: - Reading

extension LedgerLayer {
  func balance(_ account: [UInt8]) throws -> UInt64 { try self.account(account).balance }

  func account(_ account: [UInt8]) throws -> AccountView {
    let (node, id) = (try node(), try accountID(account, "account"))
    return try asFailure { () throws(LedgerError) in try node.accountView(id) }
  }

  func transaction(_ id: [UInt8]) throws -> TransactionView {
    guard let digest = Digest(bytes: id) else {
      throw Failure(.invalidArgument, "invalid_id", "A transaction's id has 32 bytes, not \(id.count).")
    }
    let node = try node()
    return try asFailure { () throws(LedgerError) in try node.transactionView(digest) }
  }

  func block(_ height: UInt64) throws -> BlockView {
    let node = try node()
    return try asFailure { () throws(LedgerError) in try node.blockView(Height(height)) }
  }

  func history(_ account: [UInt8], _ cursor: String, _ limit: UInt32) throws -> HistoryView {
    let (node, id) = (try node(), try accountID(account, "account"))
    return try asFailure { () throws(LedgerError) in
      try node.historyView(id, cursor: cursor, limit: Int(limit))
    }
  }
}

// MARK: - Signing

extension LedgerLayer {
  func prepare(_ call: Call, _ method: String, _ arguments: JSON, _ sender: [UInt8]) throws -> [UInt8] {
    let (node, id) = (try node(), try accountID(sender, "sender"))
    let encoded = try encode(call, method, arguments)
    return try asFailure { () throws(LedgerError) in
      try node.prepare(method, arguments: encoded, sender: id).bytes
    }
  }

  func submit(_ call: Call, _ transaction: [UInt8]) throws -> ReceiptView {
    try refuseInTransaction(call)
    let node = try node()
    return ReceiptView(try asFailure { () throws(LedgerError) in try node.submit(transaction) })
  }

  func act(_ call: Call, _ method: String, _ arguments: JSON) throws -> ReceiptView {
    try refuseInTransaction(call)
    let node = try node()
    let encoded = try encode(call, method, arguments)
    return ReceiptView(try asFailure { () throws(LedgerError) in try node.act(method, arguments: encoded) })
  }

  /// `ledger.transfer` as another layer's action: out of that layer's account named `treasury`.
  ///
  /// A transfer that an account signed never comes here: the core runs it itself.
  func transfer(_ call: Call, _ to: [UInt8], _ amount: UInt64) throws {
    let (layer, context, target) = (try namespace(call), try transaction(call), try accountID(to, "to"))
    let treasury = AccountID(of: layer, name: Array("treasury".utf8))
    try asFailure { () throws(LedgerError) in
      try context.move(layer, from: treasury, to: target, Amount(amount))
    }
  }

  /// Canonical arguments, for methods that may be in a transaction at all.
  private func encode(_ call: Call, _ method: String, _ arguments: JSON) throws -> [UInt8] {
    let kind = try asFailure { () throws(LedgerError) in try machine.runner.kind(of: method) }
    guard kind != .notTransition else {
      throw Failure(
        .invalidArgument, "not_a_transition",
        "\(method) does not change the ledger, so it is called directly and not in a transaction.")
    }
    return try host.encode(call, method, arguments)
  }

  private func refuseInTransaction(_ call: Call) throws {
    guard !call.inTransaction else {
      throw Failure(
        .failedPrecondition, "in_transaction",
        "A transition cannot wait for another transaction: use ledger.put and ledger.move instead.")
    }
  }
}

// MARK: - For layers

extension LedgerLayer {
  func get(_ call: Call, _ key: [UInt8]) throws -> [UInt8] {
    let (layer, node) = (try namespace(call), try node())
    let context = call.inTransaction ? try transaction(call) : nil
    let value = try asFailure { () throws(LedgerError) in
      if let context { return try context.get(layer, key) }
      return try node.store.value(layer, key: key)
    }
    guard let value else {
      throw Failure(.notFound, "absent", "\(layer) has no value under \(PluginKit.hexadecimal(key.prefix(64))).")
    }
    return value
  }

  func put(_ call: Call, _ key: [UInt8], _ value: [UInt8]) throws {
    let (layer, context) = (try namespace(call), try transaction(call))
    try asFailure { () throws(LedgerError) in try context.put(layer, key, value) }
  }

  func remove(_ call: Call, _ key: [UInt8]) throws {
    let (layer, context) = (try namespace(call), try transaction(call))
    try asFailure { () throws(LedgerError) in try context.remove(layer, key) }
  }

  /// Each message: u32 key length, key, value.
  func range(_ call: Call, _ prefix: [UInt8], _ after: [UInt8], _ limit: UInt32, _ out: Output) throws {
    guard limit <= 10_000 else {
      throw Failure(.invalidArgument, "invalid_limit", "`limit` is at most 10000, not \(limit).")
    }
    let (layer, node) = (try namespace(call), try node())
    let context = call.inTransaction ? try transaction(call) : nil
    let entries = try asFailure { () throws(LedgerError) in
      if let context { return try context.range(layer, prefix: prefix, after: after, limit: Int(limit)) }
      return try node.store.entries(layer, prefix: prefix, after: after, limit: Int(limit))
    }
    for entry in entries {
      var message = CanonicalWriter(capacity: 4 + entry.key.count + entry.value.count)
      message.slice32(entry.key)
      message.raw(entry.value)
      try out.write(message.bytes)
    }
  }

  func open(_ call: Call, _ name: [UInt8]) throws -> [UInt8] {
    let (layer, context) = (try namespace(call), try transaction(call))
    return try asFailure { () throws(LedgerError) in try context.open(layer, name: name).bytes }
  }

  func move(_ call: Call, _ from: [UInt8], _ to: [UInt8], _ amount: UInt64) throws {
    let (layer, context) = (try namespace(call), try transaction(call))
    let (source, target) = (try accountID(from, "from"), try accountID(to, "to"))
    try asFailure { () throws(LedgerError) in
      try context.move(layer, from: source, to: target, Amount(amount))
    }
  }

  func emit(_ call: Call, _ topic: String, _ payload: JSON) throws {
    let (layer, context) = (try namespace(call), try transaction(call))
    try asFailure { () throws(LedgerError) in try context.emit(layer, topic: topic, payload: payload.text) }
  }

  func height(_ call: Call) throws -> UInt64 {
    call.inTransaction ? try transaction(call).height.value : try node().store.head.header.height.value
  }

  func wake(_ height: UInt64) throws {
    let node = try node()
    try asFailure { () throws(LedgerError) in try node.wake(until: Height(height)) }
  }

  private func transaction(_ call: Call) throws -> TransactionContext {
    let node = try node()
    return try asFailure { () throws(LedgerError) in try node.transaction(call.transaction) }
  }

  /// The calling layer's part of the state.
  private func namespace(_ call: Call) throws -> Namespace {
    guard let caller = call.caller else {
      throw Failure(
        .permissionDenied, "for_layers_only",
        "This method works on the calling layer's own values, and the call comes from no layer.")
    }
    return Namespace(caller)
  }
}

/// 32 bytes as an account; `name` is the argument's.
func accountID(_ bytes: [UInt8], _ name: String) throws -> AccountID {
  guard let id = AccountID(bytes) else {
    throw Failure(
      .invalidArgument, "invalid_account",
      "`\(name)` is an account of 32 bytes (64 hexadecimal digits), not \(bytes.count).")
  }
  return id
}

/// Runs a piece of the core and carries its error over the border.
func asFailure<R>(_ body: () throws(LedgerError) -> R) throws -> R {
  do throws(LedgerError) {
    return try body()
  } catch {
    throw Failure(Status(rawValue: Int32(error.status.rawValue)) ?? .internal, error.code, error.message)
  }
}
