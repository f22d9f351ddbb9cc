import Foundation
import InferenceCore
import Testing

/// Digests, trees and leaves against an independent computation (`Scripts/reference/make_trace.py`).
@Suite struct TraceTests {
  private struct Vectors: Decodable {
    struct Row: Decodable {
      let count: Int
      let root: String

      init(from decoder: any Decoder) throws {
        var values = try decoder.unkeyedContainer()
        count = try values.decode(Int.self)
        root = try values.decode(String.self)
      }
    }

    struct Leaf: Decodable {
      let position: Int
      let token: Int32
      let leaf: String

      init(from decoder: any Decoder) throws {
        var values = try decoder.unkeyedContainer()
        position = try values.decode(Int.self)
        token = try values.decode(Int32.self)
        leaf = try values.decode(String.self)
      }
    }

    let inputs: [String]
    let roots: [String]
    let paths: [[[String]]]
    let traces: [Row]
    let leaves: [Leaf]
  }

  private static let vectors = Result {
    try JSONDecoder().decode(Vectors.self, from: Fixture.data("trace.json"))
  }

  private func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex)
    return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
  }

  @Test func blake2bIsThatOfTheStandard() {
    // RFC 7693 gives the 64-byte form only; these are Python's hashlib.blake2b(..., digest_size=32).
    #expect(Digest(of: []).hex == "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8")
    #expect(
      Digest(of: Array("abc".utf8)).hex == "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319")
  }

  @Test func digestsAreReadAsTheyAreWritten() {
    let digest = Digest(of: [1, 2, 3])
    #expect(Digest(hex: digest.hex) == digest)
    #expect(Digest(hex: digest.hex.uppercased()) == digest)
    #expect(Digest(digest.bytes) == digest)
    #expect(Digest(hex: String(digest.hex.dropLast())) == nil)
    #expect(Digest(hex: String(digest.hex.dropLast()) + "g") == nil)
    #expect(Digest(hex: String(repeating: "é", count: 32)) == nil)
    #expect(Digest([0, 1]) == nil)
  }

  @Test func rootsAndPathsAreThoseOfRFC6962() throws {
    let vectors = try Self.vectors.get()
    let hashes = vectors.inputs.map { MerkleTree.leafHash(bytes($0)) }
    for count in 0...hashes.count {
      let leaves = Array(hashes[..<count])
      let root = MerkleTree.root(ofHashes: leaves)
      #expect(root.hex == vectors.roots[count])
      for index in leaves.indices {
        let path = MerkleTree.path(to: index, inHashes: leaves)
        #expect(path.map(\.hex) == vectors.paths[count - 1][index])
        #expect(MerkleTree.proves(leaves[index], at: index, of: count, path: path, root: root))
      }
    }
  }

  @Test func rootsOfLongTracesAgree() throws {
    for row in try Self.vectors.get().traces {
      let leaves = (0..<row.count).map { index in
        Digest(of: withUnsafeBytes(of: UInt32(index).bigEndian) { Array($0) })
      }
      #expect(Trace(leaves).root.hex == row.root, "\(row.count) leaves")
    }
  }

  @Test func leavesBindPositionTokenAndDigests() throws {
    let digests = (0..<5).map { Digest(of: [UInt8($0)]) }
    for row in try Self.vectors.get().leaves {
      #expect(PositionDigests(position: row.position, token: row.token, digests: digests).leaf.hex == row.leaf)
    }
    let first = PositionDigests(position: 3, token: 4, digests: digests)
    for index in digests.indices {
      var changed = digests
      changed[index] = Digest(of: [99])
      let other = PositionDigests(position: 3, token: 4, digests: changed)
      #expect(other.leaf != first.leaf)
      #expect(first.firstDifference(from: other) == PositionDigests.place(index))
    }
    #expect(first.firstDifference(from: first) == nil)
    #expect(PositionDigests.place(0) == .embedding)
    #expect(PositionDigests.place(3) == .cache(layer: 1))
    #expect(PositionDigests.place(4) == .residual(layer: 1))
  }

  /// A proof must hold for its leaf, place, count and root, and for nothing else.
  @Test func changedProofsAreRefused() {
    var dice = Dice(seed: 31)
    for count in 1...40 {
      let trace = Trace((0..<count).map { Digest(of: [UInt8($0), 7]) })
      let position = Int.random(in: 0..<count, using: &dice)
      let path = trace.path(to: position)
      func proves(_ leaf: Digest, _ position: Int, _ count: Int, _ path: [Digest]) -> Bool {
        Trace.proves(leaf, at: position, of: count, path: path, root: trace.root)
      }
      #expect(proves(trace.leaves[position], position, count, path))
      #expect(!proves(Digest(of: [1]), position, count, path))
      #expect(!proves(trace.leaves[position], position, count, path + [Digest(of: [])]))
      #expect(!proves(trace.leaves[position], -1, count, path))
      #expect(!proves(trace.leaves[position], count, count, path))
      if !path.isEmpty {
        #expect(!proves(trace.leaves[position], position, count, Array(path.dropLast())))
        var changed = path
        changed[Int.random(in: changed.indices, using: &dice)] = Digest(of: [2])
        #expect(!proves(trace.leaves[position], position, count, changed))
        #expect(!proves(trace.leaves[position], position ^ 1, count, path))
      }
    }
  }

  @Test func tracesNameTheFirstPositionThatDiffers() {
    let one = Trace((0..<9).map { Digest(of: [UInt8($0)]) })
    var two = one
    #expect(one.firstDifference(from: two) == nil)
    two.truncate(to: 6)
    #expect(two.count == 6)
    #expect(one.firstDifference(from: two) == 6)
    two.append(Digest(of: [6]))
    #expect(one.firstDifference(from: two) == 7)
    two.append(Digest(of: [8]))
    #expect(two.firstDifference(from: one) == 7)
    #expect(one.root != two.root)
  }

  @Test func operatorTracesNameTheFirstOperatorThatDiffers() {
    func trace(_ last: Float, steps: Int) -> OperatorTrace {
      var trace = OperatorTrace()
      for step in 0..<steps {
        let values: [Float] = [1, step == 2 ? last : 2]
        values.withUnsafeBufferPointer { trace.add(Int32(step + 1), layer: 0, $0) }
      }
      return trace
    }
    #expect(trace(3, steps: 5).firstDifference(from: trace(3, steps: 5)) == nil)
    #expect(trace(3, steps: 5).firstDifference(from: trace(4, steps: 5))?.name == "query")
    #expect(trace(3, steps: 4).firstDifference(from: trace(3, steps: 5))?.name == "value")
    #expect(trace(3, steps: 5).firstDifference(from: trace(3, steps: 4))?.name == "value")
    #expect(trace(-0.0, steps: 3).firstDifference(from: trace(0, steps: 3))?.name == "query")
    #expect(Operator.attentionPostNorm.name == "attention_post_norm")
    #expect(Operator.logits.rawValue == 22)
  }
}
