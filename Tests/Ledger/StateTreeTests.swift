import Canonical
import Foundation
import LedgerCore
import Testing

/// The tree of a namespace: its root depends on the keys and values alone, and proves each of them.
struct StateTreeTests {
  /// The definition, word for word: a subtree with no key, with one, with more.
  private static func root(_ leaves: [StateTree.Leaf], depth: Int = 0) -> Digest {
    switch leaves.count {
    case 0: return .zero
    case 1: return Digest(of: [0] + leaves[0].path.bytes + leaves[0].value.bytes)
    default:
      let right = leaves.filter { $0.path.bit(depth) }
      let left = leaves.filter { !$0.path.bit(depth) }
      return Digest(of: [1] + root(left, depth: depth + 1).bytes + root(right, depth: depth + 1).bytes)
    }
  }

  @Test func theRootIsThatOfTheDefinitionAfterAnyHistory() {
    let seed = UInt64.random(in: 0...(.max))
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<60 {
      var values: [[UInt8]: [UInt8]] = [:]
      var tree = StateTree()
      for _ in 0..<Int.random(in: 1...12, using: &generator) {
        var changes: [[UInt8]: [UInt8]?] = [:]
        for _ in 0..<Int.random(in: 0...20, using: &generator) {
          let key = [UInt8.random(in: 0...40, using: &generator)]
          let isRemoval = Int.random(in: 0..<3, using: &generator) == 0
          changes[key] = .some(isRemoval ? nil : [UInt8.random(in: 0...255, using: &generator)])
        }
        for (key, value) in changes { values[key] = value }
        tree = tree.applying(changes.map { StateTree.Change(key: $0.key, value: $0.value) })
        let leaves = values.map { StateTree.Leaf(key: $0.key, value: $0.value) }
        #expect(tree.root == Self.root(leaves) && tree.count == values.count, "seed \(seed)")
      }
      let fresh = StateTree().applying(values.map { StateTree.Change(key: $0.key, value: $0.value) })
      #expect(fresh.root == tree.root, "seed \(seed)")
    }
  }

  @Test func aTreeStaysAsItWasWhenAnotherGrowsOutOfIt() {
    let first = StateTree().applying([StateTree.Change(key: [1], value: [1])])
    let root = first.root
    _ = first.applying([StateTree.Change(key: [2], value: [2]), StateTree.Change(key: [1], value: nil)])
    #expect(first.root == root && first.count == 1)
  }

  /// Published with the format in docs/ledger.md.
  @Test func theRootsOfThePublishedVectorsAreTheirs() {
    let expected = [
      "0000000000000000000000000000000000000000000000000000000000000000",
      "263f3134568bd91568a048cb99c08729973fd146db930b054d91a3f79e7a346a",
      "978e1405e68c6035b3d130831dde63ae9c8225e591448286d456124dbb41a025",
      "a91906d1c320ac10004924388772057b1c9d67795d3982a1c7a740e71c952805",
    ]
    for (count, root) in zip([0, 1, 2, 5], expected) {
      let changes = (0..<count).map { StateTree.Change(key: Array("key \($0)".utf8), value: Array("value \($0)".utf8)) }
      #expect(StateTree().applying(changes).root.description == root, "\(count) keys")
    }
  }
}

/// Proofs of members and of absence; every change of one is found out.
struct StateProofTests {
  private static func trees(_ keys: Int, _ names: [String]) -> [Namespace: StateTree] {
    var trees: [Namespace: StateTree] = [:]
    for name in names {
      let changes = (0..<keys).map {
        StateTree.Change(key: [UInt8($0 % 256), UInt8($0 / 256)], value: Array(name.utf8))
      }
      trees[Namespace(name)] = StateTree().applying(changes)
    }
    return trees
  }

  @Test(arguments: [0, 1, 2, 3, 17, 300]) func membersAndAbsentKeysAreProved(keys: Int) {
    let names = ["application", "data", "ledger", "x"]
    let trees = Self.trees(keys, names)
    let root = StateRoot(trees).digest
    for name in names {
      for key in 0..<keys + 40 {
        let bytes = [UInt8(key % 256), UInt8(key / 256)]
        let value = key < keys ? Array(name.utf8) : nil
        let proof = StateProof(trees, Namespace(name), key: bytes, value: value)
        #expect(proof.root == root)
        // The other claim has no proof of the same shape.
        let lie = StateProof(
          namespace: proof.namespace, key: bytes, value: value == nil ? Array(name.utf8) : nil, place: proof.place)
        #expect(lie.root != root)
      }
    }
  }

  @Test func aNamespaceThatIsNotThereIsProvedToBeAbsent() {
    for names in [[], ["b"], ["b", "d"], ["b", "d", "f"], ["a", "b", "c", "d", "f"]] {
      let trees = Self.trees(3, names)
      let root = StateRoot(trees).digest
      for name in ["0", "bb", "c1", "e", "g", "zz"] {
        let proof = StateProof(trees, Namespace(name), key: [1], value: nil)
        #expect(proof.root == root, "\(name) in \(names)")
        // One that is there has no such proof.
        if let there = names.first {
          let lie = StateProof(namespace: Namespace(there), key: [1], value: nil, place: proof.place)
          #expect(lie.root != root)
        }
      }
    }
  }

  @Test func noChangedByteOfAProofIsBelieved() throws {
    let network = try TestNetwork()
    try network.run { node in
      for sequence in 0..<6 {
        let target = try TestNetwork.key(sequence + 1).account
        let amount = UInt64(sequence + 1)
        _ = try node.submit(
          try network.transfer(amount, from: network.authority, to: target, sequence: UInt64(sequence)).bytes)
      }
      let receipt = try node.submit(
        try network.transfer(9, from: network.authority, to: try TestNetwork.key(3).account, sequence: 6).bytes)
      let stranger = try TestNetwork.key(99).account
      let proofs = [
        try node.prove(transaction: receipt.transaction),
        try node.prove(.ledger, key: LedgerKey.account(network.authority.account)),
        try node.prove(.ledger, key: LedgerKey.account(stranger)),
        try node.prove(Namespace("nobody"), key: [1]),
      ]
      var generator = SeededGenerator(seed: 5)
      for proof in proofs {
        let text = try JSON.text(ProofFile(proof))
        #expect(try JSON.file(text).proof() == proof)
        #expect(try proof.check().height == node.store.head.header.height)
        for _ in 0..<400 { Self.change(text, of: proof, &generator) }
      }
    }
  }

  /// One digit changed: refused, unless it now says of another absent key that it is absent, as it is.
  private static func change(_ text: String, of original: LedgerProof, _ generator: inout SeededGenerator) {
    var bytes = Array(text.utf8)
    let place = Int.random(in: 0..<bytes.count, using: &generator)
    let digits = Array("0123456789abcdef".utf8)
    guard digits.contains(bytes[place]), let other = digits.randomElement(using: &generator), other != bytes[place]
    else {
      return
    }
    bytes[place] = other
    guard let file = try? JSON.file(String(decoding: bytes, as: UTF8.self)), let proof = try? file.proof() else {
      return
    }
    guard (try? proof.check()) != nil else { return }
    guard case .state(let state) = proof.statement, case .state(let first) = original.statement else {
      Issue.record("byte \(place) of \(text) is believed")
      return
    }
    let isOther = state.key != first.key || state.namespace != first.namespace
    #expect(state.value == nil && isOther, "byte \(place) of \(text) is believed")
  }
}

/// Proof files as text.
private enum JSON {
  static func text(_ file: ProofFile) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return String(decoding: try encoder.encode(file), as: UTF8.self)
  }

  static func file(_ text: String) throws -> ProofFile {
    try JSONDecoder().decode(ProofFile.self, from: Data(text.utf8))
  }
}
