import FoundationEssentials
import Glibc

/// Says which plugin is being loaded: a node that dies meanwhile finds the marker at its next start.
///
/// The marker carries the library's hash and the id of the system's boot: a machine that went down is not the plugin's
/// doing.
struct LoadingMarker: Sendable {
  let folder: String

  /// A load that never ended.
  struct Finding: Equatable, Sendable {
    var id: String
    var sha256: String
  }

  func set(_ id: String, sha256: String) throws(HostError) {
    try makeFolder(folder, mode: 0o700)
    let path = "\(folder)/\(id)"
    unlink(path)
    try PrivateFile.write(Array("\(sha256) \(Self.boot)\n".utf8), to: path)
  }

  func remove(_ id: String) { unlink("\(folder)/\(id)") }

  /// What earlier starts left; those of another boot are removed.
  func findings() -> [Finding] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().filter { !$0.hasSuffix(".draft") }.compactMap { id in
      guard PluginID.isValid(id), let text = try? String(contentsOfFile: "\(folder)/\(id)", encoding: .utf8) else {
        return nil
      }
      let words = text.split(whereSeparator: \.isWhitespace)
      guard words.count == 2, words[1] == Self.boot else {
        remove(id)
        return nil
      }
      return Finding(id: id, sha256: String(words[0]))
    }
  }

  private static let boot: String =
    (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8))?
    .split(whereSeparator: \.isWhitespace).first.map(String.init) ?? "unknown"
}
