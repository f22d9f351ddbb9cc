/// What a sequence's computation leaves behind: one leaf for each position that was run, in order from position 0.
///
/// `docs/arithmetic.md`, section 13. The positions are those of the prompt and of the answer, without the last token that
/// was chosen: nothing was computed from it.
package struct Trace: Equatable, Sendable {
  package private(set) var leaves: [Digest]

  package init(_ leaves: [Digest] = []) { self.leaves = leaves }

  /// The number of positions.
  package var count: Int { leaves.count }

  /// Adds the leaf of the next position.
  package mutating func append(_ leaf: Digest) { leaves.append(leaf) }

  /// Keeps the first `count` positions: those after them were speculation.
  package mutating func truncate(to count: Int) { leaves.removeLast(max(0, leaves.count - count)) }

  private var hashes: [Digest] { leaves.map { MerkleTree.leafHash($0.bytes) } }

  /// The trace root: what a receipt commits to.
  package var root: Digest { MerkleTree.root(ofHashes: hashes) }

  /// The siblings that lead from the leaf of a position to the root.
  package func path(to position: Int) -> [Digest] { MerkleTree.path(to: position, inHashes: hashes) }

  /// Whether a path proves a leaf of a trace of `count` positions.
  package static func proves(_ leaf: Digest, at position: Int, of count: Int, path: [Digest], root: Digest) -> Bool {
    MerkleTree.proves(MerkleTree.leafHash(leaf.bytes), at: position, of: count, path: path, root: root)
  }

  /// The first position where two traces differ, or where one ends before the other; nil if they are equal.
  package func firstDifference(from other: Trace) -> Int? {
    if let position = zip(leaves, other.leaves).enumerated().first(where: { $1.0 != $1.1 })?.offset { return position }
    return leaves.count == other.leaves.count ? nil : min(leaves.count, other.leaves.count)
  }
}
