/// The Merkle tree hash of RFC 6962, section 2.1, with BLAKE2b-256 in the place of SHA-256.
package enum MerkleTree {
  /// The hash of one leaf: H(0x00 | leaf).
  package static func leafHash(_ leaf: [UInt8]) -> Digest { Digest(of: [0] + leaf) }

  private static func node(_ left: Digest, _ right: Digest) -> Digest { Digest(of: [1] + left.bytes + right.bytes) }

  /// The root over leaf hashes in order; the hash of nothing for no leaves.
  ///
  /// The RFC splits at the largest power of two below the count; pairing neighbours level by level and carrying an odd
  /// last node up unchanged gives the same tree.
  package static func root(ofHashes leaves: [Digest]) -> Digest {
    guard var level = leaves.isEmpty ? nil : leaves else { return Digest(of: []) }
    while level.count > 1 { level = above(level) }
    return level[0]
  }

  private static func above(_ level: [Digest]) -> [Digest] {
    stride(from: 0, to: level.count, by: 2).map { index in
      index + 1 < level.count ? node(level[index], level[index + 1]) : level[index]
    }
  }

  /// The audit path of a leaf (RFC 6962, section 2.1.1): its siblings, from the bottom up.
  package static func path(to index: Int, inHashes leaves: [Digest]) -> [Digest] {
    precondition(leaves.indices.contains(index), "a path leads to a leaf of the tree")
    var path: [Digest] = []
    var level = leaves
    var place = index
    while level.count > 1 {
      if place ^ 1 < level.count { path.append(level[place ^ 1]) }
      level = above(level)
      place /= 2
    }
    return path
  }

  /// Whether a path proves that the leaf hash stands at `index` of the `count` leaves under a root (RFC 9162, 2.1.3.2).
  package static func proves(_ leaf: Digest, at index: Int, of count: Int, path: [Digest], root: Digest) -> Bool {
    guard index >= 0, index < count else { return false }
    var hash = leaf
    var place = index
    var last = count - 1
    var siblings = path[...]
    while last > 0 {
      if place ^ 1 <= last {
        guard let sibling = siblings.popFirst() else { return false }
        hash = place & 1 == 0 ? node(hash, sibling) : node(sibling, hash)
      }
      place /= 2
      last /= 2
    }
    return siblings.isEmpty && hash == root
  }
}
