import Glibc
import PluginAPI
import Synchronization

/// Delivers events in order, on a thread of its own, to the generations that subscribed.
final class EventBus: @unchecked Sendable {  // Proof: all state is in the mutex; the condition is a WaitPoint.
  private struct Subscriber: @unchecked Sendable {  // Proof: constant; `context` is the subscriber's, for any thread.
    let owner: HostContext
    let topic: String
    let context: UnsafeMutableRawPointer?
    /// What `context` points to, when it is the host's own.
    let kept: AnyObject?
    let deliver: @convention(c) (UnsafeMutableRawPointer?, symbolon_slice, symbolon_slice) -> Void
  }

  private struct State {
    var queue: [(topic: String, json: [UInt8])] = []
    var subscribers: [Subscriber] = []
    var delivering: ObjectIdentifier?
    var isStopped = false
  }

  /// How many events may wait.
  static let capacity = 4096
  private let state: Mutex<State> = Mutex(State())
  private let changed = WaitPoint()

  func start() {
    Thread.detach(named: "events") { [self] in
      while let (event, receivers) = next() {
        for receiver in receivers { deliver(event, to: receiver) }
      }
    }
  }

  func stop() {
    state.withLock { $0.isStopped = true }
    changed.wake()
  }

  func publish(_ topic: String, _ json: [UInt8]) -> Int32 {
    let taken = state.withLock { state in
      guard state.queue.count < Self.capacity else { return false }
      if state.subscribers.contains(where: { $0.topic == topic }) { state.queue.append((topic, json)) }
      return true
    }
    changed.wake()
    return taken ? 0 : Int32(SYMBOLON_RESOURCE_EXHAUSTED)
  }

  /// Delivers a topic from now on; `kept` lives as long as events may be on their way to it.
  func subscribe(
    _ owner: HostContext, _ topic: String, _ context: UnsafeMutableRawPointer?, keeping kept: AnyObject? = nil,
    _ deliver: @escaping @convention(c) (UnsafeMutableRawPointer?, symbolon_slice, symbolon_slice) -> Void
  ) -> Int32 {
    guard !topic.isEmpty, topic.utf8.count <= 128 else { return Int32(SYMBOLON_INVALID_ARGUMENT) }
    state.withLock {
      $0.subscribers.append(Subscriber(owner: owner, topic: topic, context: context, kept: kept, deliver: deliver))
    }
    return 0
  }

  /// Takes a generation's subscriptions out and waits until no delivery to it runs.
  func unsubscribe(_ owner: HostContext) {
    state.withLock { $0.subscribers.removeAll { $0.owner === owner } }
    _ = changed.wait(seconds: 5) { state.withLock { $0.delivering != ObjectIdentifier(owner) } }
  }

  private func next() -> (event: (topic: String, json: [UInt8]), receivers: [Subscriber])? {
    while true {
      _ = changed.wait(seconds: 60) { state.withLock { !$0.queue.isEmpty || $0.isStopped } }
      let taken = state.withLock { state -> ((topic: String, json: [UInt8]), [Subscriber])? in
        guard !state.queue.isEmpty else { return nil }
        let event = state.queue.removeFirst()
        return (event, state.subscribers.filter { $0.topic == event.topic })
      }
      if let taken { return taken }
      if state.withLock({ $0.isStopped }) { return nil }
    }
  }

  private func deliver(_ event: (topic: String, json: [UInt8]), to receiver: Subscriber) {
    let isLive = state.withLock { state in
      guard state.subscribers.contains(where: { $0.owner === receiver.owner }) else { return false }
      state.delivering = ObjectIdentifier(receiver.owner)
      return true
    }
    guard isLive else { return }
    Array(event.topic.utf8).withUnsafeBufferPointer { topic in
      event.json.withUnsafeBufferPointer { json in
        receiver.deliver(
          receiver.context, symbolon_slice(data: topic.baseAddress, size: UInt64(topic.count)),
          symbolon_slice(data: json.baseAddress, size: UInt64(json.count)))
      }
    }
    state.withLock { $0.delivering = nil }
    changed.wake()
  }
}

/// Threads of the host.
enum Thread {
  /// Runs `body` on a new detached thread with room for deep native calls.
  static func detach(named name: String, _ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
      let name: String
      let body: @Sendable () -> Void
      init(_ name: String, _ body: @escaping @Sendable () -> Void) { (self.name, self.body) = (name, body) }

      /// For debuggers and `top -H`; a thread without a name works as well.
      func nameThisThread() {
        let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
        guard file >= 0 else { return }
        _ = write(file, name, min(15, name.utf8.count))
        close(file)
      }
    }
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 4 << 20)
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(name, body)).toOpaque()
    let status = pthread_create(
      &thread, &attributes,
      { context in
        guard let context else { return nil }
        let box = Unmanaged<Box>.fromOpaque(context).takeRetainedValue()
        box.nameThisThread()
        box.body()
        return nil
      }, box)
    pthread_attr_destroy(&attributes)
    if status != 0 { Unmanaged<Box>.fromOpaque(box).release() }
  }
}
