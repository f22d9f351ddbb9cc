import FoundationEssentials
import Glibc
import PluginAPI

/// How a plugin's own state goes from one generation to the next, and back.
struct StateTransfer: Equatable, Sendable {
  /// The version in which the old one writes and the new one reads.
  var version: UInt32
  /// The version for the way back; nil when there is none.
  var back: UInt32?

  /// Finds the way of the state between two descriptions; nil when there is nothing to move.
  init?(from old: PluginDescription, to new: PluginDescription, oneWay: Bool) throws(HostError) {
    guard let old = old.state else { return nil }
    guard let target = new.state, target.id == old.id else {
      guard oneWay else {
        throw .refused(
          "drops_state",
          "Version \(new.version) of `\(new.id)` does not take the state `\(old.id)` that the running one holds: build "
            + "one that imports it, or drop the state with --one-way.")
      }
      return nil
    }
    func newest(_ lists: [UInt32]...) -> UInt32? {
      lists.dropFirst().reduce(Set(lists[0])) { $0.intersection($1) }.max()
    }
    guard let version = newest(old.exports, target.imports, target.exports) else {
      throw .refused(
        "no_way_for_state",
        "The running version of `\(new.id)` writes its state as \(Self.list(old.exports)), but \(new.version) reads "
          + "\(Self.list(target.imports)) and writes \(Self.list(target.exports)): go over a version that knows both.")
    }
    self.version = version
    back = newest(target.exports, old.imports)
    guard back != nil || oneWay else {
      throw .refused(
        "no_way_back",
        "Version \(new.version) of `\(new.id)` writes its state as \(Self.list(target.exports)), which the running one "
          + "cannot read, so it could not be rolled back: add --one-way to go ahead.")
    }
  }

  private static func list(_ versions: [UInt32]) -> String {
    versions.isEmpty ? "nothing" : "version " + versions.map(String.init).joined(separator: ", ")
  }
}

/// The state of a plugin at a hand-over, as a file that an operator can keep.
struct StateSnapshot: Sendable {
  /// How many snapshots of a plugin are kept.
  static let kept = 4
  var path: String
  var sha256: String
  var size: Int

  /// Writes and syncs `<data>/snapshots/<id>/<time>-v<version>.state`.
  init(_ state: [UInt8], of id: String, version: UInt32, data: String) throws(HostError) {
    let folder = "\(data)/snapshots/\(id)"
    try makeFolder(folder, mode: 0o700)
    let time = UInt64(Date.now.timeIntervalSince1970 * 1_000_000)
    path = "\(folder)/\(time)-v\(version).state"
    sha256 = LibraryStore.sha256(Data(state))
    size = state.count
    try PrivateFile.write(state, to: path)
    let old = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasSuffix(".state") }
    for name in old.sorted().dropLast(Self.kept) { unlink("\(folder)/\(name)") }
  }
}
