import Canonical

/// A block's head: what is hashed, signed and chained.
package struct BlockHeader: Hashable, Sendable {
  /// Blocks are made in version 2; those of version 1 name no layers, and their state root proves no key.
  package static let version: UInt8 = 2

  package var version = BlockHeader.version
  package var chain: Digest
  package var height: Height
  package var previous: Digest
  /// Unix time; greater than the previous block's, 0 for genesis.
  package var timeMilliseconds: UInt64
  package var transactionCount: UInt32
  /// RFC 6962 over ids with outcomes.
  package var transactionRoot: Digest
  /// RFC 6962 over what layers emitted.
  package var eventRoot: Digest
  /// RFC 6962 over the layers that executed, with the hashes of their libraries.
  package var layerRoot: Digest
  /// After this block.
  package var stateRoot: Digest
  package var proposer: AccountID

  private static func tag(_ version: UInt8) -> [UInt8] { Array("symbolon/block/v\(version)\0".utf8) }

  package var bytes: [UInt8] {
    var writer = CanonicalWriter(capacity: 292)
    writer.raw(Self.tag(version))
    writer.raw(chain.bytes)
    writer.integer(height.value)
    writer.raw(previous.bytes)
    writer.integer(timeMilliseconds)
    writer.integer(transactionCount)
    writer.raw(transactionRoot.bytes)
    writer.raw(eventRoot.bytes)
    if version > 1 { writer.raw(layerRoot.bytes) }
    writer.raw(stateRoot.bytes)
    writer.raw(proposer.bytes)
    return writer.bytes
  }

  package var hash: Digest { Digest(of: bytes) }

  package init(
    chain: Digest, height: Height, previous: Digest, timeMilliseconds: UInt64, transactionCount: UInt32,
    transactionRoot: Digest, eventRoot: Digest, layerRoot: Digest, stateRoot: Digest, proposer: AccountID
  ) {
    self.chain = chain
    self.height = height
    self.previous = previous
    self.timeMilliseconds = timeMilliseconds
    self.transactionCount = transactionCount
    self.transactionRoot = transactionRoot
    self.eventRoot = eventRoot
    self.layerRoot = layerRoot
    self.stateRoot = stateRoot
    self.proposer = proposer
  }

  /// Reads a header; nil unless it is exactly one.
  package init?(_ bytes: [UInt8]) {
    var reader = CanonicalReader(bytes)
    let tag = reader.raw(Self.tag(Self.version).count)
    guard let version = (1...Self.version).first(where: { Self.tag($0) == tag }),
      let chain = reader.raw(32).flatMap(Digest.init(bytes:)), let height = reader.integer(UInt64.self),
      let previous = reader.raw(32).flatMap(Digest.init(bytes:)), let time = reader.integer(UInt64.self),
      let count = reader.integer(UInt32.self), let transactions = reader.raw(32).flatMap(Digest.init(bytes:)),
      let events = reader.raw(32).flatMap(Digest.init(bytes:)),
      let layers = version > 1 ? reader.raw(32).flatMap(Digest.init(bytes:)) : .zero,
      let state = reader.raw(32).flatMap(Digest.init(bytes:)),
      let proposer = reader.raw(32).flatMap(AccountID.init), reader.isAtEnd
    else { return nil }
    self.init(
      chain: chain, height: Height(height), previous: previous, timeMilliseconds: time, transactionCount: count,
      transactionRoot: transactions, eventRoot: events, layerRoot: layers, stateRoot: state, proposer: proposer)
    self.version = version
  }
}

/// Which build of a layer executed transactions of a block.
package struct LayerVersion: Hashable, Comparable, Sendable {
  package let namespace: Namespace
  /// SHA-256 of the library.
  package let library: Digest

  package init(namespace: Namespace, library: Digest) {
    self.namespace = namespace
    self.library = library
  }

  package static func < (left: LayerVersion, right: LayerVersion) -> Bool {
    (left.namespace, left.library) < (right.namespace, right.library)
  }

  package var leaf: [UInt8] {
    var writer = CanonicalWriter(capacity: 64)
    writer.slice16(namespace.name.utf8)
    writer.raw(library.bytes)
    return writer.bytes
  }
}

/// What a layer told the world from inside a transaction.
package struct Event: Hashable, Sendable {
  /// The place in the block of the transaction that emitted it.
  package let transaction: Int
  package let namespace: Namespace
  /// Begins with the namespace and a dot, so that no layer speaks for another.
  package let topic: String
  /// JSON.
  package let payload: String

  package init(transaction: Int, namespace: Namespace, topic: String, payload: String) {
    self.transaction = transaction
    self.namespace = namespace
    self.topic = topic
    self.payload = payload
  }

  package var leaf: [UInt8] {
    var writer = CanonicalWriter(capacity: 64 + payload.utf8.count)
    writer.integer(UInt32(transaction))
    writer.slice16(namespace.name.utf8)
    writer.slice16(topic.utf8)
    writer.slice32(payload.utf8)
    return writer.bytes
  }
}

/// One movement: the same amount debited to one account and credited to another.
package struct Movement: Hashable, Sendable {
  package let transaction: Int
  package let from: AccountID
  package let to: AccountID
  package let amount: Amount

  package init(transaction: Int, from: AccountID, to: AccountID, amount: Amount) {
    self.transaction = transaction
    self.from = from
    self.to = to
    self.amount = amount
  }
}

/// A block that was executed: everything that a driver stores, in one piece.
package struct ExecutedBlock: Sendable {
  package let header: BlockHeader
  package let hash: Digest
  package let transactions: [SignedTransaction]
  package let receipts: [Receipt]
  package let changes: [NamespaceChanges]
  /// In order.
  package let layers: [LayerVersion]
  /// The new trees of the namespaces in `changes`.
  package let trees: [Namespace: StateTree]
  package let movements: [Movement]
  package let events: [Event]
}

/// Which network this is; its hash is the chain id that every transaction carries.
package struct Genesis: Hashable, Sendable {
  package let network: String
  package let authority: AccountID
  package let supply: Amount

  package init(network: String, authority: AccountID, supply: Amount) {
    self.network = network
    self.authority = authority
    self.supply = supply
  }

  package var chain: Digest {
    var writer = CanonicalWriter()
    writer.raw(Array("symbolon/chain/v1\0".utf8))
    writer.slice16(network.utf8)
    writer.raw(authority.bytes)
    writer.integer(supply.credits)
    return Digest(of: writer.bytes)
  }
}
