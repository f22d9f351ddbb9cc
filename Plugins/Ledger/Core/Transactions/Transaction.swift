import Canonical

/// What an account signs: one call of one TRANSITION method, on one chain, at one place in one lane.
package struct TransactionBody: Hashable, Sendable {
  /// The domain tag that every body begins with.
  package static let tag = Array("symbolon/tx/v1\0".utf8)

  package var chain: Digest
  package var sender: AccountID
  package var lane: Lane
  package var sequence: Sequence
  /// The last block that may hold the transaction.
  package var validUntil: Height
  /// The most that the sender pays; the first form charges nothing.
  package var feeCap: Amount
  /// For example `ledger.transfer`.
  package var method: String
  /// In the canonical form of the method's signature.
  package var arguments: [UInt8]

  package init(
    chain: Digest, sender: AccountID, lane: Lane = .main, sequence: Sequence, validUntil: Height,
    feeCap: Amount = .zero, method: String, arguments: [UInt8]
  ) {
    self.chain = chain
    self.sender = sender
    self.lane = lane
    self.sequence = sequence
    self.validUntil = validUntil
    self.feeCap = feeCap
    self.method = method
    self.arguments = arguments
  }

  /// The layer whose method it is: what stands before the dot.
  package var layer: String { String(method.prefix { $0 != "." }) }

  /// The exact bytes to sign.
  package var bytes: [UInt8] {
    var writer = CanonicalWriter(capacity: 160 + method.utf8.count + arguments.count)
    writer.raw(Self.tag)
    writer.raw(chain.bytes)
    writer.raw(sender.bytes)
    writer.integer(lane.number)
    writer.integer(sequence.value)
    writer.integer(validUntil.value)
    writer.integer(feeCap.credits)
    writer.slice16(method.utf8)
    writer.slice32(arguments)
    return writer.bytes
  }

  /// Reads a body; nil unless it is exactly one, to the last byte.
  package init?(_ bytes: [UInt8]) {
    var reader = CanonicalReader(bytes)
    guard reader.raw(Self.tag.count) == Self.tag,
      let chain = reader.raw(32).flatMap(Digest.init(bytes:)), let sender = reader.raw(32).flatMap(AccountID.init),
      let lane = reader.integer(UInt32.self), let sequence = reader.integer(UInt64.self),
      let validUntil = reader.integer(UInt64.self), let feeCap = reader.integer(UInt64.self),
      let method = reader.text16(), let arguments = reader.slice32(), reader.isAtEnd
    else { return nil }
    self.init(
      chain: chain, sender: sender, lane: Lane(lane), sequence: Sequence(sequence), validUntil: Height(validUntil),
      feeCap: Amount(feeCap), method: method, arguments: arguments)
  }
}

/// A body with its signature, parsed; `isSigned` says whether the signature was found valid.
package struct SignedTransaction: Sendable {
  package let body: TransactionBody
  /// Body and signature, as they were submitted.
  package let bytes: [UInt8]
  /// SHA-256 of the body: the signature, of which there may be several valid ones, has no part in it.
  package let id: Digest

  /// Parses what a client submitted and checks the signature: the costly part, done outside the writer.
  ///
  /// - Throws: `malformed_transaction`, `transaction_too_large` or `bad_signature`.
  package init(verifying bytes: [UInt8], limit: Int) throws(LedgerError) {
    try self.init(trusting: bytes, limit: limit)
    let length = bytes.count - 64
    guard Ed25519.isValid(Array(bytes[length...]), of: Array(bytes[..<length]), by: body.sender.bytes) else {
      throw LedgerError(
        .unauthenticated, "bad_signature",
        "The signature does not belong to the body and the sender \(body.sender): sign the exact bytes that "
          + "ledger.prepare returned.")
    }
  }

  /// Parses without looking at the signature: for transactions out of this node's own store.
  package init(trusting bytes: [UInt8], limit: Int = .max) throws(LedgerError) {
    guard bytes.count <= limit else {
      throw LedgerError(
        .invalidArgument, "transaction_too_large",
        "A transaction has at most \(limit) bytes, this one has \(bytes.count): put large content elsewhere and its "
          + "hash into the transaction.")
    }
    guard bytes.count > 64, let body = TransactionBody(Array(bytes[..<(bytes.count - 64)])) else {
      throw LedgerError(
        .invalidArgument, "malformed_transaction",
        "This is not a transaction: it is the body that ledger.prepare returns, followed by a 64-byte signature.")
    }
    self.body = body
    self.bytes = bytes
    id = Digest(of: Array(bytes[..<(bytes.count - 64)]))
  }

  /// Signs a body.
  package init(_ body: TransactionBody, signer: any Signer) throws {
    let bytes = body.bytes
    self.body = body
    self.bytes = bytes + (try signer.sign(bytes))
    id = Digest(of: bytes)
  }
}
