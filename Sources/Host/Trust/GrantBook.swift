import FoundationEssentials
import Glibc
import Synchronization

/// What was granted to each plugin when it was first enabled, and since; kept in `<data>/grants/<id>.json`.
///
/// A version that asks for more than its record is refused with the difference, until the operator says yes.
package final class GrantBook: Sendable {
  private let folder: String
  /// Records are read and written one at a time under it.
  private let records = Mutex<Void>(())

  package init(data: String) { folder = "\(data)/grants" }

  /// Admits a version: records what the first one asks for, refuses what a later one asks for beyond the record.
  ///
  /// `limit` is the operator's `permissions` line, which may cover the difference.
  package func admit(_ id: String, requested: [Permission], limit: [Permission]?) throws(HostError) {
    try records.withLock { _ throws(HostError) in
      guard let held = try read(id) else { return try write(id, requested) }
      let added = PermissionDiff(held, requested).added.filter { asked in
        !(limit?.contains { $0.includes(asked) } ?? false)
      }
      guard added.isEmpty else {
        throw .refused(
          "asks_for_more",
          "This version of `\(id)` asks for more than was granted to it:\n"
            + PermissionDiff(held, requested).lines.map { "  \($0)\n" }.joined()
            + "Grant it with `symbolon plugin reload \(id) --grant`, or list it in `permissions` of [plugin.\(id)].")
      }
    }
  }

  /// Adds what a version asks for to the record: the operator said `symbolon plugin reload ID --grant`.
  package func grant(_ id: String, _ requested: [Permission]) throws(HostError) {
    try records.withLock { _ throws(HostError) in
      let held = try read(id)
      let all = Set((held ?? []) + requested).sorted()
      if all != held?.sorted() { try write(id, all) }
    }
  }

  /// What is on record; nil for a plugin that was never enabled here.
  package func record(_ id: String) throws(HostError) -> [Permission]? {
    try records.withLock { _ throws(HostError) in try read(id) }
  }

  private func read(_ id: String) throws(HostError) -> [Permission]? {
    let path = self.path(id)
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    let file = try OpenedFile(path, what: "record of grants")
    let damaged = HostError.refused(
      "grants_damaged",
      "\(path) is damaged: restore it, or remove it to grant `\(id)` what it asks for at the next start.")
    guard let json = try? JSONValue(parsing: try file.contents(limit: 1 << 20)),
      let rows = json[key: "granted"]?.array, rows.count <= 4096
    else { throw damaged }
    var permissions: [Permission] = []
    for row in rows {
      guard let text = row.string, let permission = try? Permission(parsing: text) else { throw damaged }
      permissions.append(permission)
    }
    return permissions
  }

  private func write(_ id: String, _ permissions: [Permission]) throws(HostError) {
    try makeFolder(folder, mode: 0o700)
    let json = JSONValue.object([
      "plugin": .string(id), "granted": .array(permissions.map { .string($0.description) }),
      "since_ms": .unsigned(MonotonicClock.unixMilliseconds),
    ])
    try NewFile.write(Array((json.text + "\n").utf8), to: path(id), mode: 0o600)
  }

  private func path(_ id: String) -> String { "\(folder)/\(id).json" }
}
