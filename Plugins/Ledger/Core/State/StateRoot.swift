import Canonical

/// One hash for the whole state: a leaf for each namespace, with the root of its tree.
package struct StateRoot: Sendable {
  private static let tag = Array("symbolon/state/v2\0".utf8)

  /// In order of the names.
  package let namespaces: [(namespace: Namespace, root: Digest)]

  package init(_ trees: [Namespace: StateTree]) {
    namespaces = trees.keys.sorted().map { ($0, trees[$0]?.root ?? .zero) }
  }

  package var leaves: [[UInt8]] { namespaces.map { Self.leaf($0.namespace, $0.root) } }

  package var digest: Digest { Self.digest(count: namespaces.count, top: MerkleTree.root(of: leaves)) }

  package static func leaf(_ namespace: Namespace, _ root: Digest) -> [UInt8] {
    var writer = CanonicalWriter(capacity: 64)
    writer.slice16(namespace.name.utf8)
    writer.raw(root.bytes)
    return writer.bytes
  }

  /// SHA-256(tag | count u32 | RFC 6962 root): with the count, two neighbours prove that no namespace is between them.
  package static func digest(count: Int, top: Digest) -> Digest {
    var writer = CanonicalWriter(capacity: 64)
    writer.raw(tag)
    writer.integer(UInt32(count))
    writer.raw(top.bytes)
    return Digest(of: writer.bytes)
  }
}
