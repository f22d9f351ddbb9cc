import Canonical

/// That a leaf is the `index`-th of `count` under an RFC 6962 root (section 2.1.1): the hashes beside its way.
package struct AuditPath: Hashable, Sendable {
  package let index: Int
  package let count: Int
  /// From the leaf up.
  package let hashes: [Digest]

  package init(index: Int, count: Int, hashes: [Digest]) {
    self.index = index
    self.count = count
    self.hashes = hashes
  }

  /// The path of one of some leaves; nil when there is no such leaf.
  package init?(of index: Int, in leaves: [[UInt8]]) {
    guard leaves.indices.contains(index) else { return nil }
    var level = leaves.map(MerkleTree.leafHash)
    var place = index
    var hashes: [Digest] = []
    while level.count > 1 {
      let beside = place ^ 1
      if level.indices.contains(beside) { hashes.append(level[beside]) }
      level = MerkleTree.levelAbove(level)
      place /= 2
    }
    self.init(index: index, count: leaves.count, hashes: hashes)
  }

  /// The root that this path leads to from a leaf; nil when its length does not fit its place.
  package func root(from leaf: [UInt8]) -> Digest? {
    guard index >= 0, index < count else { return nil }
    var digest = MerkleTree.leafHash(leaf)
    var (place, last) = (index, count - 1)
    var left = hashes[...]
    while last > 0 {
      // The last of an odd number rises as it is.
      if place % 2 == 1 {
        guard let beside = left.popFirst() else { return nil }
        digest = MerkleTree.join(beside, digest)
      } else if place < last {
        guard let beside = left.popFirst() else { return nil }
        digest = MerkleTree.join(digest, beside)
      }
      (place, last) = (place / 2, last / 2)
    }
    return left.isEmpty ? digest : nil
  }
}
