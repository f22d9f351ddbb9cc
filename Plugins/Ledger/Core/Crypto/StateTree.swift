import Canonical

/// The present state of one namespace as a sparse Merkle tree: its root proves what a key holds, or that it holds
/// nothing.
///
/// A key's place is its path, SHA-256(key), read from the first bit on: 0 goes left. A subtree with no key hashes to 32
/// zero bytes, one with a single key to that key's leaf, any other to its two halves:
///
///     leaf = SHA-256(0x00 | path 32 | SHA-256(value) 32)        node = SHA-256(0x01 | left 32 | right 32)
///
/// So the root depends on nothing but the keys and values, and a proof among n keys has about log2(n) hashes. The tree
/// is a value: a change shares everything else with the tree before, which stays as it was until nobody holds it.
package struct StateTree: Sendable {
  /// A key that is set, by its path and the hash of its value.
  package struct Leaf: Hashable, Sendable {
    package let path: Digest
    package let value: Digest

    package init(path: Digest, value: Digest) {
      self.path = path
      self.value = value
    }

    package init(key: [UInt8], value: [UInt8]) {
      self.init(path: Digest(of: key), value: Digest(of: value))
    }

    package var hash: Digest { Digest(tag: 0, path, value) }
  }

  /// What happens to one path; nil removes it.
  package struct Change: Sendable {
    package let path: Digest
    package let value: Digest?

    package init(path: Digest, value: Digest?) {
      self.path = path
      self.value = value
    }

    package init(key: [UInt8], value: [UInt8]?) {
      self.init(path: Digest(of: key), value: value.map { Digest(of: $0) })
    }
  }

  private enum Node: Sendable {
    case empty
    indirect case leaf(Leaf, hash: Digest)
    indirect case fork(left: Node, right: Node, hash: Digest)

    var hash: Digest {
      switch self {
      case .empty: .zero
      case .leaf(_, let hash), .fork(_, _, let hash): hash
      }
    }

    init(_ leaf: Leaf) { self = .leaf(leaf, hash: leaf.hash) }

    /// Joins two halves: a lone leaf rises, so that the tree's shape depends on its keys alone.
    init(_ left: Node, _ right: Node) {
      switch (left, right) {
      case (.empty, .empty): self = .empty
      case (.empty, .leaf): self = right
      case (.leaf, .empty): self = left
      default: self = .fork(left: left, right: right, hash: Digest(tag: 1, left.hash, right.hash))
      }
    }
  }

  private let top: Node
  /// Keys that are set.
  package let count: Int

  /// Nothing is set.
  package init() {
    top = .empty
    count = 0
  }

  private init(_ top: Node, count: Int) {
    self.top = top
    self.count = count
  }

  package var root: Digest { top.hash }

  /// The tree after changes, of which no two have the same path.
  package func applying(_ changes: [Change]) -> StateTree {
    let sorted = changes.sorted { $0.path < $1.path }
    var grown = 0
    let top = Self.apply(sorted[...], to: self.top, depth: 0, &grown)
    return StateTree(top, count: count + grown)
  }

  /// One visit of each touched node: the cost is a hash a node, however many changes lie below it.
  private static func apply(
    _ changes: ArraySlice<Change>, to node: Node, depth: Int, _ grown: inout Int
  ) -> Node {
    guard let first = changes.first else { return node }
    if changes.count == 1 {
      switch node {
      case .empty: return set(first, &grown)
      case .leaf(let leaf, _) where leaf.path == first.path:
        grown -= 1
        return set(first, &grown)
      case .leaf: if first.value == nil { return node }
      case .fork: break
      }
    }
    let (left, right): (Node, Node)
    switch node {
    case .empty: (left, right) = (.empty, .empty)
    case .leaf(let leaf, _): (left, right) = leaf.path.bit(depth) ? (.empty, node) : (node, .empty)
    case .fork(let one, let other, _): (left, right) = (one, other)
    }
    let middle = changes.partitioningIndex { $0.path.bit(depth) }
    return Node(
      apply(changes[..<middle], to: left, depth: depth + 1, &grown),
      apply(changes[middle...], to: right, depth: depth + 1, &grown))
  }

  private static func set(_ change: Change, _ grown: inout Int) -> Node {
    guard let value = change.value else { return .empty }
    grown += 1
    return Node(Leaf(path: change.path, value: value))
  }

  /// What leads from the root to a path: the hashes beside the way, from the root down, and the leaf at its end if any.
  package func walk(to path: Digest) -> (siblings: [Digest], leaf: Leaf?) {
    var siblings: [Digest] = []
    var node = top
    while case .fork(let left, let right, _) = node {
      let goesRight = path.bit(siblings.count)
      siblings.append(goesRight ? left.hash : right.hash)
      node = goesRight ? right : left
    }
    if case .leaf(let leaf, _) = node { return (siblings, leaf) }
    return (siblings, nil)
  }
}

extension ArraySlice {
  /// The first index at which the condition holds, when it holds for all elements behind it.
  fileprivate func partitioningIndex(where holds: (Element) -> Bool) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = low + (high - low) / 2
      if holds(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
