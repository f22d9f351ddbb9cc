import CSodium

/// What a provider signs about one answer: which model answered what to which prompt, and the trace of how.
///
/// `docs/inference.md` has the bytes. The statement proves who claims what; the opening lets anybody recompute it.
package struct Receipt: Equatable, Sendable {
  /// The form that this engine writes and reads.
  package static let version: UInt32 = 1
  /// The beginning of every signed message, which no other signed message of a node has.
  static let domain = Array("symbolon/receipt/1\u{0}".utf8)

  /// The signed part.
  package struct Statement: Equatable, Sendable {
    /// SHA-256 of the model's file.
    package var model: [UInt8]
    /// H of how tokens are chosen (`ReceiptParameters`).
    package var parameters: Digest
    /// H of the prompt's tokens.
    package var prompt: Digest
    package var seed: UInt64
    package var promptTokens: UInt32
    package var outputTokens: UInt32
    /// H of the answer's tokens.
    package var output: Digest
    /// The root of the trace: section 13 of `docs/arithmetic.md`.
    package var traceRoot: Digest
    /// The arithmetic: section 14.
    package var specification: [UInt8]
    /// The provider's Ed25519 key.
    package var provider: [UInt8]
  }

  /// What the statement's hashes are of.
  package struct Opening: Equatable, Sendable {
    package var parameters: ReceiptParameters
    package var prompt: [Int32]
    /// Every token that was chosen, the one that ended the answer included.
    package var output: [Int32]
    /// One for each token that was fed: those of the prompt, and of the answer without its last.
    package var leaves: [Digest]
    /// What each leaf commits to, when the provider gives it: 2 * layers + 1 digests for each.
    package var digests: [[Digest]]

    package init(
      parameters: ReceiptParameters, prompt: [Int32], output: [Int32], leaves: [Digest], digests: [[Digest]] = []
    ) {
      (self.parameters, self.prompt, self.output) = (parameters, prompt, output)
      (self.leaves, self.digests) = (leaves, digests)
    }
  }

  package var statement: Statement
  package var signature: [UInt8]
  package var opening: Opening

  /// Signs an answer; `sign` gets the message and gives back 64 bytes of Ed25519.
  package init(
    model: [UInt8], _ opening: Opening, provider: [UInt8], sign: ([UInt8]) throws -> [UInt8]
  ) throws {
    let statement = Statement(
      model: model, parameters: opening.parameters.hash, prompt: Self.hash(of: opening.prompt),
      seed: opening.parameters.sampling.seed, promptTokens: UInt32(opening.prompt.count),
      outputTokens: UInt32(opening.output.count), output: Self.hash(of: opening.output),
      traceRoot: Trace(opening.leaves).root, specification: Specification.hash, provider: provider)
    self.statement = statement
    self.opening = opening
    signature = try sign(statement.message)
  }

  init(_ statement: Statement, signature: [UInt8], _ opening: Opening) {
    (self.statement, self.signature, self.opening) = (statement, signature, opening)
  }

  /// H("symbolon.tokens/1" | u32 count | each token as u32).
  package static func hash(of tokens: [Int32]) -> Digest {
    var message = Array("symbolon.tokens/1".utf8)
    message.reserveCapacity(message.count + 4 * (tokens.count + 1))
    message.append(number: UInt32(tokens.count))
    for token in tokens { message.append(number: UInt32(bitPattern: token)) }
    return Digest(of: message)
  }
}

extension Receipt.Statement {
  /// The signed bytes: the domain, then every field in order, numbers with their most significant byte first.
  package var message: [UInt8] {
    var message = Receipt.domain
    message.append(number: Receipt.version)
    message += model + parameters.bytes + prompt.bytes
    message.append(number: seed)
    message.append(number: promptTokens)
    message.append(number: outputTokens)
    message += output.bytes + traceRoot.bytes + specification + provider
    return message
  }
}

extension Receipt {
  /// What does not hold of a receipt by itself.
  package enum Flaw: String, CaseIterable, Sendable {
    case signature, parameters, prompt, output, trace, digests, specification

    /// A sentence about it.
    package var sentence: String {
      switch self {
      case .signature: "The signature is not the provider's over this statement."
      case .parameters: "The parameters are not those that were signed."
      case .prompt: "The prompt's tokens are not those that were signed."
      case .output: "The answer's tokens are not those that were signed."
      case .trace: "The leaves do not lead to the trace root that was signed."
      case .digests: "The digests of a position do not lead to its leaf."
      case .specification:
        "It was made with another arithmetic than this engine has: replay it with an engine of its class."
      }
    }
  }

  /// Everything that can be checked without the model.
  package var flaws: [Flaw] {
    var flaws: [Flaw] = []
    if !isSigned { flaws.append(.signature) }
    if opening.parameters.hash != statement.parameters || opening.parameters.sampling.seed != statement.seed {
      flaws.append(.parameters)
    }
    if opening.prompt.count != Int(statement.promptTokens) || Self.hash(of: opening.prompt) != statement.prompt {
      flaws.append(.prompt)
    }
    if opening.output.count != Int(statement.outputTokens) || Self.hash(of: opening.output) != statement.output {
      flaws.append(.output)
    }
    if opening.leaves.count != fed.count || Trace(opening.leaves).root != statement.traceRoot { flaws.append(.trace) }
    if !opening.digests.isEmpty, !digestsFit { flaws.append(.digests) }
    if statement.specification != Specification.hash { flaws.append(.specification) }
    return flaws
  }

  /// The tokens that were fed, in order of position.
  package var fed: [Int32] { opening.prompt + opening.output.dropLast() }

  private var isSigned: Bool {
    guard signature.count == Int(crypto_sign_BYTES), statement.provider.count == Int(crypto_sign_PUBLICKEYBYTES) else {
      return false
    }
    let message = statement.message
    return crypto_sign_verify_detached(signature, message, UInt64(message.count), statement.provider) == 0
  }

  private var digestsFit: Bool {
    let tokens = fed
    guard opening.digests.count == tokens.count, opening.leaves.count == tokens.count else { return false }
    return tokens.indices.allSatisfy { position in
      opening.digests[position].count % 2 == 1
        && PositionDigests(position: position, token: tokens[position], digests: opening.digests[position]).leaf
          == opening.leaves[position]
    }
  }
}

extension [UInt8] {
  /// Appends a number with its most significant byte first.
  mutating func append(number: some FixedWidthInteger) {
    Swift.withUnsafeBytes(of: number.bigEndian) { append(contentsOf: $0) }
  }

  /// Appends a u32 length and the bytes.
  mutating func append(slice: some Collection<UInt8>) {
    append(number: UInt32(slice.count))
    append(contentsOf: slice)
  }
}
