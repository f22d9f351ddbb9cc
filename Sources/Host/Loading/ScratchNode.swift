import FoundationEssentials
import Glibc
import Logging

/// A node that ends with the command that made it: a folder that is removed, no control socket, nobody who connects.
struct ScratchNode {
  let node: Node
  private let folder: String

  /// Makes the folder, in `$TMPDIR` or /tmp, and the node in it; nothing is loaded.
  ///
  /// - Parameters:
  ///   - configuration: whose plugins have their settings and limits; the node listens nowhere and keeps nothing.
  ///   - identity: what it signs with; without one, a key that ends with it.
  init(_ configuration: Configuration? = nil, identity: SigningKey? = nil) throws(HostError) {
    let place = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
    var template = Array("\(place)/symbolon-scratch-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw .system("no_folder", "No folder can be made in \(place): \(systemMessage()).")
    }
    folder = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    var settings: Configuration
    if let configuration { settings = configuration } else { settings = try Configuration(parsing: "", path: folder) }
    (settings.data, settings.listen) = ("\(folder)/data", nil)
    // What plugins say is not what the command was asked for.
    settings.logLevel = Logger.Level.critical.rawValue
    do throws(HostError) {
      node = try Node(settings, identity: identity ?? SigningKey(seed: Entropy.bytes(32)), isScratch: true)
    } catch {
      try? FileManager.default.removeItem(atPath: folder)
      throw error
    }
    node.events.start()
  }

  /// A fresh folder below the node's own.
  func freshFolder(_ name: String) throws(HostError) -> String {
    let path = "\(folder)/\(name)"
    try makeFolder(path, mode: 0o700)
    return path
  }

  /// Stops every layer and removes the folder.
  func end() {
    node.stopAll()
    try? FileManager.default.removeItem(atPath: folder)
  }
}
