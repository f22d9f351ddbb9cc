import Logging

extension Node {
  /// Goes back to the last permanent library of a plugin whose current one may not run on.
  ///
  /// Takes the plugin out when there is none. It may take as long as a reload. [any thread that holds no lock]
  func fallBack(_ id: String, reason: String) {
    guard let layer = layer(id), let broken = layer.generation else { return }
    if let probation = desk.probation(id), probation.generation === broken, let transaction = probation.transaction,
      transaction.old != nil
    {
      probation.report(.unavailable("crashed", reason))
      if transaction.ticket.wait(for: .end, seconds: 60), layer.generation !== broken { return }
    }
    if let entry = history.permanent(id, otherThan: broken.entry.sha256) {
      var request = ReloadRequest(id: id, library: entry.path)
      request.abandonsState = true
      request.by = "supervisor"
      do throws(HostError) {
        _ = try reload(request)
        logger.warning(
          "fell back to the last permanent library",
          metadata: ["plugin": "\(id)", "library": "\(entry.sha256)", "reason": "\(reason)"])
        return
      } catch {
        logger.error(
          "the last permanent library fails too", metadata: ["plugin": "\(id)", "reason": "\(error.message)"])
      }
    }
    guard layer.generation === broken else { return }
    retire(broken, of: layer)
    forbid(id, reason: reason)
    catalogChanged()
    logger.error(
      "plugin taken out: it has no other library that was permanent",
      metadata: ["plugin": "\(id)", "reason": "\(reason)"])
  }

  /// A crash of a plugin's process: in probation one is enough to go back.
  func noteCrash(in home: WorkerHome, reason: String) {
    guard let probation = desk.probation(home.description.id), probation.generation.home === home else { return }
    probation.report(.unavailable("worker_crashed", reason))
  }
}
