import Logging
import Synchronization

extension Node {
  /// Goes back to the last permanent library of a plugin whose current one may not run on.
  ///
  /// Takes the plugin out when there is none. Call it from any thread but one that holds `control`.
  func fallBack(_ id: String, reason: String) {
    guard let layer = layer(id), let broken = layer.generation else { return }
    if let entry = history.permanent(id, otherThan: broken.entry.sha256) {
      do throws(HostError) {
        _ = try reload(id, library: entry.path)
        logger.warning(
          "fell back to the last permanent library",
          metadata: ["plugin": "\(id)", "library": "\(entry.sha256)", "reason": "\(reason)"])
        return
      } catch {
        logger.error(
          "the last permanent library fails too", metadata: ["plugin": "\(id)", "reason": "\(error.message)"])
      }
    }
    control.withLock { _ in
      guard layer.generation === broken else { return }
      retire(broken, of: layer)
    }
    catalogChanged()
    logger.error(
      "plugin taken out: it has no other library that was permanent",
      metadata: ["plugin": "\(id)", "reason": "\(reason)"])
  }
}
