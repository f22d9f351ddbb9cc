import CProbe
import Glibc
import Logging
import Synchronization

/// A step of a plugin's life.
enum PluginStep: String, Sendable {
  case create, start, stop, destroy
  case exportState = "export_state"
  case importState = "import_state"
}

/// Watches the thread that performs a transaction: a step of a plugin that does not return in time is left behind.
///
/// The steps run on one thread, because to hand each of them to another would cost the calls that wait at the gate more
/// than the steps themselves.
final class StepWatch: Sendable {
  /// A step that runs now.
  struct Running: Sendable {
    var step: PluginStep
    var generation: Generation
    var since: UInt64
  }

  private struct Progress: Sendable {
    var running: Running?
    /// Given up: its thread must not touch the transaction any more.
    var isAbandoned = false
    var hasEnded = false
  }

  private let progress = Mutex(Progress())
  private let changed = WaitPoint()

  /// A step begins on the watched thread.
  func begin(_ step: PluginStep, of generation: Generation) {
    progress.withLock {
      $0.running = Running(step: step, generation: generation, since: MonotonicClock.nanoseconds)
    }
  }

  /// The step has returned; false when it was given up meanwhile.
  func finish() -> Bool {
    progress.withLock { progress in
      guard !progress.isAbandoned else { return false }
      progress.running = nil
      return true
    }
  }

  /// All steps have been performed.
  func end() {
    progress.withLock { $0.hasEnded = true }
    changed.wake()
  }

  /// Waits for the end; gives back a step that took longer than `milliseconds`, which is given up thereby.
  func wait(milliseconds: UInt64) -> Running? {
    var pause = milliseconds
    while !changed.wait(milliseconds: Int(pause), until: { progress.withLock { $0.hasEnded } }) {
      let now = MonotonicClock.nanoseconds
      let (overdue, rest) = progress.withLock { progress -> (Running?, UInt64) in
        guard let running = progress.running else { return (nil, milliseconds) }
        let spent = (now - running.since) / 1_000_000
        guard spent >= milliseconds else { return (nil, milliseconds - spent) }
        progress.isAbandoned = true
        return (running, 0)
      }
      if let overdue { return overdue }
      pause = rest
    }
    return nil
  }
}

extension Node {
  /// Stops and frees a generation that serves no more, each step within `drain_ms`, or at least a second.
  ///
  /// A worker that takes longer is ended by its home. In the host's process the step stays behind on its own thread; as
  /// long as it does, nothing else is done with this plugin, and the log says why.
  func finish(_ generation: Generation) {
    // The allocator keeps what was freed in pieces; a node that is reloaded for years would carry them all along.
    defer { symbolon_heap_trim() }
    guard generation.home.kind == .host else {
      generation.stop()
      return generation.destroy()
    }
    guard finish(.stop, of: generation, { $0.stop() }, late: { $0.destroy() }) else { return }
    finish(.destroy, of: generation, { $0.destroy() }, late: { _ in })
  }

  @discardableResult
  private func finish(
    _ step: PluginStep, of generation: Generation, _ body: @escaping @Sendable (Generation) -> Void,
    late: @escaping @Sendable (Generation) -> Void
  ) -> Bool {
    let milliseconds = stepLimit(generation.id)
    let watch = StepWatch()
    watch.begin(step, of: generation)
    Thread.detach(named: "retire-step") { [desk] in
      body(generation)
      if watch.finish() { return watch.end() }
      late(generation)
      desk.clearStuck(generation.id)
    }
    guard watch.wait(milliseconds: milliseconds) != nil else { return true }
    noteHang(step, of: generation, milliseconds, "what took its place serves")
    return false
  }

  /// How long a step of a plugin's life may take, in milliseconds: a plugin gets a second for each, however short the
  /// time for calls is.
  func stepLimit(_ id: String) -> UInt64 { max(reloadPolicy(id).drainMs, 1000) }

  /// Takes a step that was given up into the books; gives back the sentence for the operator.
  @discardableResult
  func noteHang(
    _ step: PluginStep, of generation: Generation, _ milliseconds: UInt64, _ consequence: String
  ) -> HostError {
    let version = generation.description.version
    desk.setStuck(generation, "`\(step.rawValue)` of \(version), which has not returned for \(milliseconds) ms")
    let reason = HostError.refused(
      "step_hangs",
      "`\(step.rawValue)` of version \(version) of `\(generation.id)` did not return within \(milliseconds) ms and was "
        + "given up: \(consequence).")
    logger.error("a step of a plugin hangs", metadata: ["plugin": "\(generation.id)", "reason": "\(reason.message)"])
    return reason
  }
}

extension ReloadTransaction {
  private var stepLimit: UInt64 { node.stepLimit(id) }

  /// Performs an action and all that follow from it, on a thread that is watched.
  func perform(_ first: ReloadMachine.Action?) {
    var next = first
    while let action = next {
      let watch = StepWatch()
      self.watch = watch
      Thread.detach(named: "reload-steps") { [self] in
        follow(action)
        watch.end()
      }
      guard let hung = watch.wait(milliseconds: stepLimit) else { break }
      // Its thread waits for the step, or for ever: from here on this one goes on alone.
      let reason = giveUp(hung.step, of: hung.generation)
      next = machine.pending.flatMap { advance($0, .failed($0, reason)) }
    }
    watch = nil
  }

  /// Performs a step of a plugin's life within `drain_ms`, or at least a second.
  ///
  /// A worker that hangs is ended. In the host's process the step stays behind on its own thread, and as long as it
  /// does, nothing else is done with this plugin.
  func perform<Value: Sendable>(
    _ step: PluginStep, of generation: Generation, _ body: (Generation) throws(HostError) -> Value
  ) throws(HostError) -> Value {
    if let worker = generation.home as? WorkerHome {
      worker.stepLimit.store(stepLimit, ordering: .relaxed)
      defer { worker.stepLimit.store(0, ordering: .relaxed) }
      return try body(generation)
    }
    guard let watch else { return try body(generation) }
    watch.begin(step, of: generation)
    let result = Result { () throws(HostError) in try body(generation) }
    guard watch.finish() else { comeBack(step, generation, failed: (try? result.get()) == nil) }
    return try result.get()
  }

  /// What is done about a step that hangs; gives back the sentence for the operator.
  private func giveUp(_ step: PluginStep, of generation: Generation) -> HostError {
    stuck.append(generation)
    // Whatever it was to take back, it has not.
    if generation === returned || machine.pending == .handBack { returned = nil }
    return node.noteHang(step, of: generation, stepLimit, "what served before serves on")
  }

  /// A step that was given up has returned after all: what it made is ended, what it ended by mistake is started again,
  /// and its thread never goes on.
  private func comeBack(_ step: PluginStep, _ generation: Generation, failed: Bool) -> Never {
    if generation !== old {
      switch (step, failed) {
      case (.create, true), (.destroy, _): break
      case (.start, false), (.exportState, _):
        generation.stop()
        generation.destroy()
      default: generation.destroy()
      }
    } else if step == .stop, layer.generation === generation {
      startAgain(generation)
    }
    node.desk.clearStuck(id)
    // The frames above belong to a transaction that another thread has ended.
    while true { pause() }
  }

  /// The old one, whose `stop` was given up and has returned, goes on to serve.
  private func startAgain(_ generation: Generation) {
    do throws(HostError) {
      try generation.start()
      node.logger.warning("started again after a late stop", metadata: ["plugin": "\(generation.id)"])
    } catch {
      layer.publish(nil)
      node.didRemove(generation.id)
      node.forbid(generation.id, reason: "It stopped late and does not start again: \(error.message)")
      node.catalogChanged()
      node.logger.error(
        "plugin taken out: it does not start again",
        metadata: ["plugin": "\(generation.id)", "reason": "\(error.message)"])
    }
  }

  /// True when a step of this generation has not come back: no other may begin.
  func isStuck(_ generation: Generation?) -> Bool { stuck.contains { $0 === generation } }

  /// The end of a generation that serves no more, unless it hangs.
  func end(_ generation: Generation?) {
    guard let generation, !isStuck(generation) else { return }
    guard watch == nil else {
      return (try? perform(.destroy, of: generation) { $0.destroy() }) ?? ()
    }
    // Whoever ends it here has other things to do than to wait for code that may hang.
    Thread.detach(named: "retire") { generation.destroy() }
  }
}
