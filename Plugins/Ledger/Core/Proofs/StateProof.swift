import Canonical

/// That a key has a value after a block, or that it has none.
package struct StateProof: Hashable, Sendable {
  /// What is said of the key's namespace.
  package enum Place: Hashable, Sendable {
    /// It is one of those in the state root, and this leads from its root down to the key.
    case inside(AuditPath, Way)
    /// It is none of them: these two stand side by side, or alone at an end.
    case between(Section?, Section?, count: Int)
  }

  /// The way through the namespace's tree.
  package struct Way: Hashable, Sendable {
    /// The hashes beside it, from the root down.
    package let siblings: [Digest]
    /// For a key without a value: the leaf at the end of its way, if there is one.
    package let other: StateTree.Leaf?

    package init(siblings: [Digest], other: StateTree.Leaf?) {
      self.siblings = siblings
      self.other = other
    }
  }

  /// A namespace of the state root.
  package struct Section: Hashable, Sendable {
    package let namespace: Namespace
    package let root: Digest
    package let path: AuditPath

    package init(namespace: Namespace, root: Digest, path: AuditPath) {
      self.namespace = namespace
      self.root = root
      self.path = path
    }

    fileprivate var top: Digest? { path.root(from: StateRoot.leaf(namespace, root)) }
  }

  package let namespace: Namespace
  package let key: [UInt8]
  /// nil for a key that is not set.
  package let value: [UInt8]?
  package let place: Place

  package init(namespace: Namespace, key: [UInt8], value: [UInt8]?, place: Place) {
    self.namespace = namespace
    self.key = key
    self.value = value
    self.place = place
  }

  /// The state root that follows; nil when the proof contradicts itself.
  package var root: Digest? {
    switch place {
    case .inside(let path, let way):
      guard let tree = treeRoot(way), let top = path.root(from: StateRoot.leaf(namespace, tree)) else { return nil }
      return StateRoot.digest(count: path.count, top: top)
    case .between(let before, let after, let count):
      guard value == nil, let top = top(before, after, count) else { return nil }
      return StateRoot.digest(count: count, top: top)
    }
  }

  private func treeRoot(_ way: Way) -> Digest? {
    let path = Digest(of: key)
    guard way.siblings.count <= 256 else { return nil }
    var digest: Digest
    switch (value, way.other) {
    case (let value?, nil): digest = StateTree.Leaf(path: path, value: Digest(of: value)).hash
    case (nil, nil): digest = .zero
    case (nil, let other?):
      // Another key's leaf ends this key's way only if it lies on it.
      guard other.path != path, way.siblings.indices.allSatisfy({ other.path.bit($0) == path.bit($0) }) else {
        return nil
      }
      digest = other.hash
    case (_?, _?): return nil
    }
    for (depth, beside) in way.siblings.enumerated().reversed() {
      digest = path.bit(depth) ? MerkleTree.join(beside, digest) : MerkleTree.join(digest, beside)
    }
    return digest
  }

  /// The RFC 6962 root in which no namespace stands where this one would.
  private func top(_ before: Section?, _ after: Section?, _ count: Int) -> Digest? {
    if let before { guard before.namespace < namespace, before.path.count == count else { return nil } }
    if let after { guard namespace < after.namespace, after.path.count == count else { return nil } }
    switch (before, after) {
    case (nil, nil): return count == 0 ? MerkleTree.root(of: []) : nil
    case (let before?, nil): return before.path.index == count - 1 ? before.top : nil
    case (nil, let after?): return after.path.index == 0 ? after.top : nil
    case (let before?, let after?):
      guard before.path.index + 1 == after.path.index, let top = before.top, top == after.top else { return nil }
      return top
    }
  }
}

extension StateProof {
  /// What the trees of a state prove of a key, whose value is given if it has one.
  package init(_ trees: [Namespace: StateTree], _ namespace: Namespace, key: [UInt8], value: [UInt8]?) {
    let state = StateRoot(trees)
    let leaves = state.leaves
    func section(_ index: Int) -> Section? {
      guard let path = AuditPath(of: index, in: leaves) else { return nil }
      let (name, root) = state.namespaces[index]
      return Section(namespace: name, root: root, path: path)
    }
    let index = state.namespaces.firstIndex { !($0.namespace < namespace) } ?? leaves.count
    let place: Place
    if let tree = trees[namespace], let path = AuditPath(of: index, in: leaves) {
      let (siblings, leaf) = tree.walk(to: Digest(of: key))
      place = .inside(path, Way(siblings: siblings, other: value == nil ? leaf : nil))
    } else {
      place = .between(section(index - 1), section(index), count: leaves.count)
    }
    self.init(namespace: namespace, key: key, value: value, place: place)
  }
}
