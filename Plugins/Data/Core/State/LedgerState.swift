import Canonical

/// All that the data layer sees of the world: its own namespace of the ledger, who asks, and who is an expert.
///
/// `Entry` implements it by imports, tests by a dictionary. Inside a transaction writes last only if the transaction
/// succeeds; outside, the last committed block is read and writing fails.
package protocol LedgerState {
  /// The account whose signed transaction this is.
  var sender: AccountID? { get }
  /// The id of the plugin that called; `governance` when an executed proposal did.
  var caller: String? { get }

  func get(_ key: [UInt8]) throws -> [UInt8]?
  func put(_ key: [UInt8], _ value: [UInt8]) throws
  /// Entries whose key begins with `prefix` and comes after `after`, in key order; empty `after`: from the start.
  func range(prefix: [UInt8], after: [UInt8], limit: Int) throws -> [(key: [UInt8], value: [UInt8])]
  /// Tells everyone who listens, once the block is committed; `payload` is JSON.
  func emit(_ topic: String, _ payload: String) throws
  /// The block that a transaction is in; outside of one, the last committed block.
  func height() throws -> Height
  /// Asks for blocks until this height, so that time passes without traffic.
  func wake(_ height: Height) throws
  /// Whom genesis trusts.
  func authority() throws -> AccountID
  /// Since when an account holds one of the badges; nil when it holds none. Throws `no_governance` without that layer.
  func badgeHeld(by account: AccountID, anyOf badges: [String]) throws -> Height?
  /// How many accounts hold one of the badges, each counted once; nil without the governance layer.
  func electorate(_ badges: [String]) throws -> UInt32?
}

/// A value with one binary form in the ledger.
protocol Record {
  /// What to call it in a message, for example "A manifest".
  static var title: String { get }
  init(from reader: inout CanonicalReader) throws
  func write(to writer: inout CanonicalWriter)
}

extension Record {
  /// The one binary form.
  var bytes: [UInt8] {
    var writer = CanonicalWriter()
    write(to: &writer)
    return writer.bytes
  }

  init(_ bytes: [UInt8]) throws(DataError) {
    var reader = CanonicalReader(bytes)
    do {
      try self.init(from: &reader)
      try reader.finish()
    } catch {
      throw .corrupt(Self.title)
    }
  }
}

extension LedgerState {
  func record<R: Record>(_ type: R.Type, at key: [UInt8]) throws -> R? { try get(key).map { try R($0) } }

  func put(_ record: some Record, at key: [UInt8]) throws { try put(key, record.bytes) }

  /// The next number in the order of nominations.
  func nextSequence() throws -> UInt64 {
    var writer = CanonicalWriter()
    let last = try get(Key.sequence).map { bytes in
      var reader = CanonicalReader(bytes)
      return try reader.u64()
    }
    let next = (last ?? 0) + 1
    writer.u64(next)
    try put(Key.sequence, writer.bytes)
    return next
  }

  /// The account that signed; a transition without one is refused.
  func requireSender() throws -> AccountID {
    guard let sender else {
      throw DataError(
        .permissionDenied, "no_sender", "This needs an account: send it as a transaction that the account signed.")
    }
    // Who signs a call of one layer has not agreed to what that layer calls here in their name.
    guard caller == "ledger" else {
      throw DataError(
        .permissionDenied, "not_signed_for_this",
        "The account signed a call of another layer: send this one as a transaction of its own.")
    }
    return sender
  }
}

/// Where things lie in the layer's namespace; the first byte tells kinds apart.
enum Key {
  static let sequence = Array("s".utf8)
  static let rules = Array("r".utf8)
  static let catalogue = Array("n".utf8)

  static func manifest(_ id: DatasetID) -> [UInt8] { [UInt8(ascii: "m")] + id.digest.bytes }

  static func nomination(_ id: DatasetID) -> [UInt8] { [UInt8(ascii: "d")] + id.digest.bytes }

  /// Nominations, the newest first.
  static func catalogue(_ sequence: UInt64) -> [UInt8] {
    var writer = CanonicalWriter()
    writer.raw(catalogue)
    writer.u64(.max - sequence)
    return writer.bytes
  }

  /// What belongs to one round of a nomination: its attestations, reviews or votes.
  static func part(_ kind: Part, of id: DatasetID, round: UInt32) -> [UInt8] {
    var writer = CanonicalWriter()
    writer.u8(kind.rawValue)
    writer.raw(id.digest.bytes)
    writer.u32(round)
    return writer.bytes
  }

  static func part(_ kind: Part, of id: DatasetID, round: UInt32, by account: AccountID) -> [UInt8] {
    part(kind, of: id, round: round) + account.bytes
  }

  enum Part: UInt8 {
    case attestation = 0x61  // a
    case review = 0x65  // e
    case vote = 0x76  // v
  }
}
