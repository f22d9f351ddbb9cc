import Canonical

/// The Merkle tree hash of RFC 6962, section 2.1: leaves and nodes are hashed with different prefixes.
package enum MerkleTree {
  /// The root over leaves in order; SHA-256 of nothing for no leaves.
  package static func root(of leaves: [[UInt8]]) -> Digest { root(ofHashes: leaves.map(leafHash)) }

  /// The hash of one leaf: SHA-256(0x00 | leaf).
  package static func leafHash(_ leaf: [UInt8]) -> Digest { Digest(of: [0] + leaf) }

  /// The hash over two subtrees: SHA-256(0x01 | left | right).
  package static func join(_ left: Digest, _ right: Digest) -> Digest { Digest(tag: 1, left, right) }

  /// The root over leaf hashes.
  package static func root(ofHashes leaves: [Digest]) -> Digest {
    guard var level = leaves.isEmpty ? nil : leaves else { return Digest(of: []) }
    while level.count > 1 { level = levelAbove(level) }
    return level[0]
  }

  /// Joins neighbours, and carries an odd last one up unchanged.
  ///
  /// The RFC splits at the largest power of two below the count; level by level this gives the same tree.
  static func levelAbove(_ level: [Digest]) -> [Digest] {
    var above: [Digest] = []
    above.reserveCapacity((level.count + 1) / 2)
    for index in stride(from: 0, to: level.count - 1, by: 2) { above.append(join(level[index], level[index + 1])) }
    if !level.count.isMultiple(of: 2) { above.append(level[level.count - 1]) }
    return above
  }
}
