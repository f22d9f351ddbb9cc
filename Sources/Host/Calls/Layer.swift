import Glibc
import PluginAPI
import Synchronization

/// The place of a plugin id: whoever calls it reaches the generation that is current at that moment.
final class Layer: @unchecked Sendable {  // Proof: the pointer is atomic and what it points to is never freed.
  let id: String
  /// The current target, unretained: targets are never freed.
  private let current = Atomic<UnsafeMutableRawPointer?>(nil)
  /// Non-zero while an exclusive plugin is replaced: calls from outside wait.
  private let gate = Atomic<Int>(0)
  private let waiting = WaitPoint()
  private let counters = Mutex<[String: MethodCounters]>([:])
  /// How long a call waits for a plugin that is being replaced, in milliseconds.
  private let patience = Atomic<Int>(15_000)

  init(id: String) { self.id = id }

  var generation: Generation? {
    current.load(ordering: .sequentiallyConsistent).flatMap {
      Unmanaged<CallTarget>.fromOpaque($0).takeUnretainedValue() as? Generation
    }
  }

  /// Makes a generation current; nil takes the plugin out.
  func publish(_ target: CallTarget?) {
    let pointer = target.map { Unmanaged.passRetained($0).toOpaque() }
    current.store(pointer, ordering: .sequentiallyConsistent)
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
    if target.running.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue == 0 { waiting.wake() }
  }

  /// Waits until no call runs in `generation`; false when `seconds` pass first.
  func drain(_ generation: Generation, seconds: Int) -> Bool { drain(generation, milliseconds: UInt64(seconds) * 1000) }

  func drain(_ generation: Generation, milliseconds: UInt64) -> Bool {
    waiting.wait(milliseconds: Int(milliseconds)) { generation.running.load(ordering: .sequentiallyConsistent) == 0 }
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
