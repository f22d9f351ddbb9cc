import Canonical

/// The changes of the block that is being made, over committed state, with an undo log for savepoints.
package struct Overlay: Sendable {
  private let base: any StateReader
  /// What was written or, where `isWritten` says otherwise, only read; nil values are absent keys.
  private var cells: [Namespace: [[UInt8]: Cell]] = [:]
  private var undo: [Undo] = []

  private struct Cell: Sendable {
    var value: [UInt8]?
    var isWritten: Bool
  }

  private struct Undo: Sendable {
    let namespace: Namespace
    let key: [UInt8]
    let previous: Cell?
  }

  /// A place in the undo log.
  package struct Savepoint: Sendable { fileprivate let depth: Int }

  package init(_ base: any StateReader) { self.base = base }

  package mutating func value(_ namespace: Namespace, _ key: [UInt8]) throws(LedgerError) -> [UInt8]? {
    if let cell = cells[namespace]?[key] { return cell.value }
    let value = try base.value(namespace, key)
    cells[namespace, default: [:]][key] = Cell(value: value, isWritten: false)
    return value
  }

  package mutating func set(_ namespace: Namespace, _ key: [UInt8], to value: [UInt8]?) {
    let previous = cells[namespace, default: [:]].updateValue(Cell(value: value, isWritten: true), forKey: key)
    undo.append(Undo(namespace: namespace, key: key, previous: previous))
  }

  /// The merge of committed entries and this block's changes, in key order.
  package func range(
    _ namespace: Namespace, prefix: [UInt8], after: [UInt8], limit: Int
  ) throws(LedgerError) -> [StateEntry] {
    let changed = (cells[namespace] ?? [:]).filter { key, cell in
      cell.isWritten && key.starts(with: prefix) && after.lexicographicallyPrecedes(key)
    }
    guard limit > 0 else { return [] }
    // Every changed key may hide one committed entry, so this many suffice.
    let committed = try base.range(namespace, prefix: prefix, after: after, limit: limit + changed.count)
    var merged = committed.filter { changed[$0.key] == nil }
    for (key, cell) in changed {
      if let value = cell.value { merged.append(StateEntry(key: key, value: value)) }
    }
    merged.sort { $0.key.lexicographicallyPrecedes($1.key) }
    return Array(merged.prefix(limit))
  }

  package var savepoint: Savepoint { Savepoint(depth: undo.count) }

  package mutating func rollBack(to savepoint: Savepoint) {
    while undo.count > savepoint.depth, let last = undo.popLast() {
      cells[last.namespace]?[last.key] = last.previous
    }
  }

  /// Everything written, by namespace and key in order; nil values are removals.
  package var changes: [NamespaceChanges] {
    cells.keys.sorted().compactMap { namespace in
      let written = (cells[namespace] ?? [:]).filter(\.value.isWritten)
      guard !written.isEmpty else { return nil }
      let changes = written.map { (key: $0.key, value: $0.value.value) }
      return NamespaceChanges(
        namespace: namespace, changes: changes.sorted { $0.key.lexicographicallyPrecedes($1.key) })
    }
  }
}

/// What a block changed in one namespace, in key order; nil values are removals.
package struct NamespaceChanges: Sendable {
  package let namespace: Namespace
  package let changes: [(key: [UInt8], value: [UInt8]?)]

  package init(namespace: Namespace, changes: [(key: [UInt8], value: [UInt8]?)]) {
    self.namespace = namespace
    self.changes = changes
  }

  /// The same for the namespace's tree.
  package var treeChanges: [StateTree.Change] { changes.map { StateTree.Change(key: $0.key, value: $0.value) } }
}
