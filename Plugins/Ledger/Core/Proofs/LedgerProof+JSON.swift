import Canonical

/// The file that `symbolon ledger prove` prints: JSON, bytes in hexadecimal.
///
/// Nothing of it is hashed as JSON: whoever reads it puts the bytes together as docs/ledger.md says.
package struct ProofFile: Codable, Sendable {
  /// Names the format, and with its first part the command that checks it.
  package static let format = "symbolon.ledger.proof/1"

  struct Network: Codable {
    let name: String
    let authority: String
    let supply: UInt64
  }

  struct Block: Codable {
    let header: String
    let signature: String
  }

  struct Path: Codable {
    let index: Int
    let count: Int
    let hashes: [String]
  }

  struct Transaction: Codable {
    let bytes: String
    let status: UInt32
    let code: String
    let result: String
    let path: Path
  }

  struct State: Codable {
    let namespace: String
    let key: String
    /// Absent for a key that is not set.
    let value: String?
    let inside: Inside?
    let between: Between?
  }

  struct Inside: Codable {
    let path: Path
    let siblings: [String]
    let other: Leaf?
  }

  struct Leaf: Codable {
    let path: String
    let value: String
  }

  struct Between: Codable {
    let before: Section?
    let after: Section?
    let count: Int
  }

  struct Section: Codable {
    let namespace: String
    let root: String
    let path: Path
  }

  let format: String
  let network: Network
  let block: Block
  let transaction: Transaction?
  let state: State?

  package init(_ proof: LedgerProof) {
    format = Self.format
    network = Network(
      name: proof.genesis.network, authority: proof.genesis.authority.description, supply: proof.genesis.supply.credits)
    block = Block(header: hexadecimal(proof.header), signature: hexadecimal(proof.signature))
    switch proof.statement {
    case .transaction(let proof):
      transaction = Transaction(
        bytes: hexadecimal(proof.transaction), status: proof.status, code: proof.code,
        result: hexadecimal(proof.result), path: Path(proof.path))
      state = nil
    case .state(let proof):
      transaction = nil
      state = State(proof)
    }
  }
}

extension ProofFile.Path {
  init(_ path: AuditPath) {
    self.init(index: path.index, count: path.count, hashes: path.hashes.map(\.description))
  }

  func read(_ name: String) throws(LedgerError) -> AuditPath {
    guard index >= 0, count >= 0, count <= UInt32.max, hashes.count <= 32 else {
      throw ProofFile.wrong(name, "is no path")
    }
    var digests: [Digest] = []
    for hash in hashes { digests.append(try ProofFile.digest(hash, name + ".hashes")) }
    return AuditPath(index: index, count: count, hashes: digests)
  }
}

extension ProofFile.State {
  init(_ proof: StateProof) {
    let (inside, between): (ProofFile.Inside?, ProofFile.Between?)
    switch proof.place {
    case .inside(let path, let way):
      inside = ProofFile.Inside(
        path: ProofFile.Path(path), siblings: way.siblings.map(\.description),
        other: way.other.map { ProofFile.Leaf(path: $0.path.description, value: $0.value.description) })
      between = nil
    case .between(let before, let after, let count):
      inside = nil
      between = ProofFile.Between(
        before: before.map(ProofFile.Section.init), after: after.map(ProofFile.Section.init), count: count)
    }
    self.init(
      namespace: proof.namespace.name, key: hexadecimal(proof.key), value: proof.value.map(hexadecimal),
      inside: inside, between: between)
  }

  func read() throws(LedgerError) -> StateProof {
    let place: StateProof.Place
    switch (inside, between) {
    case (let inside?, nil): place = try inside.read()
    case (nil, let between?):
      place = .between(try between.before?.read(), try between.after?.read(), count: between.count)
      guard (0...Int(UInt32.max)).contains(between.count) else { throw ProofFile.wrong("state.between", "is no place") }
    default: throw ProofFile.wrong("state", "has either `inside` or `between`")
    }
    var bytes: [UInt8]?
    if let value { bytes = try ProofFile.bytes(value, "state.value") }
    return StateProof(
      namespace: Namespace(namespace), key: try ProofFile.bytes(key, "state.key"), value: bytes, place: place)
  }
}

extension ProofFile.Inside {
  func read() throws(LedgerError) -> StateProof.Place {
    guard siblings.count <= 256 else { throw ProofFile.wrong("state.inside.siblings", "has more than 256 hashes") }
    var hashes: [Digest] = []
    for sibling in siblings { hashes.append(try ProofFile.digest(sibling, "state.inside.siblings")) }
    var leaf: StateTree.Leaf?
    if let other {
      leaf = StateTree.Leaf(
        path: try ProofFile.digest(other.path, "state.inside.other.path"),
        value: try ProofFile.digest(other.value, "state.inside.other.value"))
    }
    return .inside(try path.read("state.inside.path"), StateProof.Way(siblings: hashes, other: leaf))
  }
}

extension ProofFile.Section {
  init(_ section: StateProof.Section) {
    self.init(
      namespace: section.namespace.name, root: section.root.description, path: ProofFile.Path(section.path))
  }

  func read() throws(LedgerError) -> StateProof.Section {
    StateProof.Section(
      namespace: Namespace(namespace), root: try ProofFile.digest(root, "state.between.root"),
      path: try path.read("state.between.path"))
  }
}

extension ProofFile {
  /// The proof that the file holds.
  ///
  /// - Throws: `malformed_proof`, which names the member that cannot be read.
  package func proof() throws(LedgerError) -> LedgerProof {
    guard format == Self.format else { throw Self.wrong("format", "is \"\(format)\", not \"\(Self.format)\"") }
    guard let authority = AccountID(try Self.bytes(network.authority, "network.authority")) else {
      throw Self.wrong("network.authority", "has no 32 bytes")
    }
    let statement: LedgerProof.Statement
    switch (transaction, state) {
    case (let transaction?, nil): statement = .transaction(try transaction.read())
    case (nil, let state?): statement = .state(try state.read())
    default: throw Self.wrong("transaction", "or `state` must be there, and not both")
    }
    return LedgerProof(
      genesis: Genesis(network: network.name, authority: authority, supply: Amount(network.supply)),
      header: try Self.bytes(block.header, "block.header"),
      signature: try Self.bytes(block.signature, "block.signature"), statement: statement)
  }

  fileprivate static func bytes(_ text: String, _ name: String) throws(LedgerError) -> [UInt8] {
    guard let bytes = octets(hexadecimal: text) else { throw wrong(name, "is not hexadecimal") }
    return bytes
  }

  fileprivate static func digest(_ text: String, _ name: String) throws(LedgerError) -> Digest {
    guard let digest = Digest(bytes: try bytes(text, name)) else { throw wrong(name, "has hashes of 32 bytes") }
    return digest
  }

  fileprivate static func wrong(_ name: String, _ reason: String) -> LedgerError {
    LedgerError(
      .invalidArgument, "malformed_proof",
      "`\(name)` \(reason): this is no proof that `symbolon ledger prove` wrote, or it was cut.")
  }
}

extension ProofFile.Transaction {
  fileprivate func read() throws(LedgerError) -> TransactionProof {
    TransactionProof(
      transaction: try ProofFile.bytes(bytes, "transaction.bytes"), status: status, code: code,
      result: try ProofFile.bytes(result, "transaction.result"), path: try path.read("transaction.path"))
  }
}
