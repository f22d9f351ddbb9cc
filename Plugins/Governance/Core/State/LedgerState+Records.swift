import Canonical

/// A value with one binary form in the ledger.
protocol Record {
  /// What to call it in a message, for example "the record of a proposal".
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

  init(_ bytes: [UInt8]) throws(GovernanceError) {
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

  /// A counter; 0 when it was never written.
  func counter(_ key: [UInt8]) throws -> UInt64 {
    guard let bytes = try get(key) else { return 0 }
    guard bytes.count == 8 else { throw GovernanceError.corrupt("A counter") }
    return bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }

  func setCounter(_ key: [UInt8], to value: UInt64) throws {
    var writer = CanonicalWriter()
    writer.u64(value)
    try put(key, writer.bytes)
  }

  /// The next place in the order of badges and proposals.
  func nextSequence() throws -> Sequence {
    let next = try counter(Key.sequence) + 1
    try setCounter(Key.sequence, to: next)
    return Sequence(next)
  }

  /// The account that signed; a transition without one is refused.
  func requireSender() throws -> AccountID {
    guard let sender else {
      throw GovernanceError(
        .permissionDenied, "no_sender", "This needs an account: send it as a transaction that the account signed.")
    }
    // Who signs a call of one layer has not agreed to what that layer calls here in their name.
    guard caller == "ledger" else {
      throw GovernanceError(
        .permissionDenied, "not_signed_for_this",
        "The account signed a call of another layer: send this one as a transaction of its own.")
    }
    return sender
  }

  /// Lets only actions of executed proposals through.
  func requireExecutedProposal(_ method: String) throws {
    guard caller == "governance" else {
      throw GovernanceError(
        .permissionDenied, "only_by_proposal",
        "`governance.\(method)` is done only by an executed proposal: propose it with `symbolon governance propose`, "
          + "vote, then execute.")
    }
  }
}
