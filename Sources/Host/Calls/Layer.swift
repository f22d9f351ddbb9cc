import Glibc
import PluginAPI
import Synchronization

/// The place of a plugin id: whoever calls it reaches the generation that is current at that moment.
final class Layer: @unchecked Sendable {  // Proof: the pointer is atomic and what it points to is never freed.
  let id: String
  /// The current target, unretained: targets are never freed.
  private let current = Atomic<UnsafeMutableRawPointer?>(nil)
  private let places = Mutex(Places())
  /// Non-zero while an exclusive plugin is replaced: calls from outside wait.
  private let gate = Atomic<Int>(0)
  private let waiting = WaitPoint()
  private let counters = Mutex<[String: MethodCounters]>([:])
  /// How long a call waits for a plugin that is being replaced, in milliseconds.
  private let patience = Atomic<Int>(15_000)

  private struct Places {
    /// The generation that is current.
    var serving: Generation?
    /// Targets whose generation is gone.
    var free: [CallTarget] = []
  }

  init(id: String) { self.id = id }

  var generation: Generation? { places.withLock { $0.serving } }

  /// Makes a generation current; nil takes the plugin out.
  func publish(_ generation: Generation?) { publish(generation?.target, of: generation) }

  /// The same for methods that belong to no plugin.
  func publish(_ target: CallTarget) { publish(target, of: nil) }

  private func publish(_ target: CallTarget?, of generation: Generation?) {
    let before = places.withLock { places -> CallTarget? in
      let before = pointer.map { Unmanaged<CallTarget>.fromOpaque($0).takeUnretainedValue() }
      places.serving = generation
      target?.owner = generation
      target?.isLeft.store(false, ordering: .sequentiallyConsistent)
      current.store(
        target.map { Unmanaged.passUnretained($0).toOpaque() }, ordering: .sequentiallyConsistent)
      if let before, before !== target { before.isLeft.store(true, ordering: .sequentiallyConsistent) }
      return before
    }
    if let before, before !== target { letGo(before) }
  }

  private var pointer: UnsafeMutableRawPointer? { current.load(ordering: .sequentiallyConsistent) }

  /// Frees the generation of a target that was left, when no call is inside any more.
  private func letGo(_ target: CallTarget) {
    let owner = places.withLock { _ -> Generation? in
      guard target.isLeft.load(ordering: .sequentiallyConsistent),
        target.running.load(ordering: .sequentiallyConsistent) == 0
      else { return nil }
      target.isLeft.store(false, ordering: .sequentiallyConsistent)
      defer { target.owner = nil }
      return target.owner
    }
    // What it took is given back here, outside of the lock.
    withExtendedLifetime(owner) {}
  }

  /// A target for a new generation; it goes back with `giveBack`.
  func takeTarget(_ methods: [String: LoadedMethod]) -> CallTarget {
    // Kept for good: a call may come to it late.
    let target =
      places.withLock { $0.free.popLast() } ?? Unmanaged.passRetained(CallTarget()).takeUnretainedValue()
    target.fill(methods)
    return target
  }

  /// The generation of a target is gone: no call is inside, and none will be.
  func giveBack(_ target: CallTarget) {
    target.clear()
    places.withLock { $0.free.append(target) }
  }

  /// The counters of a method, the same for all generations.
  func counters(for method: String) -> MethodCounters {
    counters.withLock { counters in
      if let found = counters[method] { return found }
      let made = MethodCounters()
      counters[method] = made
      return made
    }
  }

  /// Enters the current generation; the caller leaves it when the call has returned.
  ///
  /// The count is raised before the generation is checked again, so that a replacement either sees the count or the
  /// caller sees the replacement.
  @inline(__always)
  func enter(_ call: UnsafePointer<symbolon_call>?) -> CallTarget? {
    while true {
      if gate.load(ordering: .sequentiallyConsistent) != 0, !isInside(call) {
        guard
          waiting.wait(
            milliseconds: patience.load(ordering: .relaxed),
            until: { gate.load(ordering: .sequentiallyConsistent) == 0 })
        else { return nil }
      }
      guard let pointer = current.load(ordering: .sequentiallyConsistent) else { return nil }
      let target = Unmanaged<CallTarget>.fromOpaque(pointer).takeUnretainedValue()
      target.running.wrappingAdd(1, ordering: .sequentiallyConsistent)
      let stillOpen = gate.load(ordering: .sequentiallyConsistent) == 0 || isInside(call)
      if stillOpen, current.load(ordering: .sequentiallyConsistent) == pointer { return target }
      leave(target)
    }
  }

  @inline(__always)
  func leave(_ target: CallTarget) {
    guard target.running.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue == 0 else { return }
    waiting.wake()
    if target.isLeft.load(ordering: .sequentiallyConsistent) { letGo(target) }
  }

  /// Waits until no call runs in `generation`; false when `seconds` pass first.
  func drain(_ generation: Generation, seconds: Int) -> Bool { drain(generation, milliseconds: UInt64(seconds) * 1000) }

  func drain(_ generation: Generation, milliseconds: UInt64) -> Bool {
    waiting.wait(milliseconds: Int(milliseconds)) { generation.running == 0 }
  }

  /// True while calls from outside wait.
  var isGated: Bool { gate.load(ordering: .relaxed) != 0 }

  /// Lets calls from outside wait; `patience` is how long the drain may take, in milliseconds.
  func closeGate(patience: UInt64) {
    self.patience.store(15_000 + Int(patience), ordering: .relaxed)
    gate.store(1, ordering: .sequentiallyConsistent)
  }

  func openGate() {
    gate.store(0, ordering: .sequentiallyConsistent)
    waiting.wake()
  }

  /// True when this plugin is executing further up the same chain of calls: it must not wait for itself.
  private func isInside(_ call: UnsafePointer<symbolon_call>?) -> Bool {
    var ancestor = call
    while let here = ancestor {
      if let caller = here.pointee.caller, strcmp(caller, id) == 0 { return true }
      ancestor = here.pointee.parent
    }
    return false
  }
}

/// A place where threads sleep until a condition holds.
final class WaitPoint: @unchecked Sendable {  // Proof: pthread's own objects, made for use by many threads.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private let sleepers = Atomic<Int>(0)

  init() {
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Wakes all sleepers; nearly free when nobody sleeps.
  func wake() {
    guard sleepers.load(ordering: .sequentiallyConsistent) > 0 else { return }
    pthread_mutex_lock(mutex)
    pthread_cond_broadcast(condition)
    pthread_mutex_unlock(mutex)
  }

  /// Sleeps until the condition holds; false after `seconds`.
  func wait(seconds: Int, until condition: () -> Bool) -> Bool { wait(milliseconds: seconds * 1000, until: condition) }

  func wait(milliseconds: Int, until condition: () -> Bool) -> Bool {
    var limit = timespec()
    clock_gettime(CLOCK_MONOTONIC, &limit)
    limit.tv_sec += milliseconds / 1000
    limit.tv_nsec += milliseconds % 1000 * 1_000_000
    if limit.tv_nsec >= 1_000_000_000 {
      (limit.tv_sec, limit.tv_nsec) = (limit.tv_sec + 1, limit.tv_nsec - 1_000_000_000)
    }
    sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
    pthread_mutex_lock(mutex)
    defer {
      pthread_mutex_unlock(mutex)
      sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
    while !condition() {
      if pthread_cond_timedwait(self.condition, mutex, &limit) == ETIMEDOUT { return condition() }
    }
    return true
  }
}
