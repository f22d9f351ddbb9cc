import CLanes
import CSandbox
import Glibc
import Logging
import PluginAPI
import Synchronization

/// A library in a process of its own, confined, supervised and started again when it crashes.
final class WorkerHome: PluginHome, @unchecked Sendable {
  // Proof: constant after init, but for `functions`, written there too, and for what the mutex holds.
  let entry: LibraryStore.Entry
  let description: PluginDescription
  let limits: Configuration.Limits
  private(set) var functions: [@convention(c) () -> Void] = []
  /// What the functions belong to.
  private var methods: [WorkerMethod] = []
  let state: Mutex<State> = Mutex(State())
  let changed = WaitPoint()
  /// How long a step of life may take during a reload, in milliseconds; 0 = as long as at a start.
  let stepLimit = Atomic<UInt64>(0)
  struct State {
    /// The process, from its start to its end.
    var link: WorkerLink?
    /// The process that takes calls.
    var serving: WorkerLink?
    /// Why there is none.
    var absence = HostError.unavailable("worker_not_started", "The worker is not started yet.")
    /// When the next process is to start; 0 = not at all.
    var backAt: UInt64 = 0
    /// The last start failed before there was a process.
    var failure: HostError?
    /// Wakes the keeper from its pause between two starts; -1 when there is no keeper.
    var alarm: Int32 = -1
    var isWanted = false
    var isStarted = false
    var crashes: [UInt64] = []
    var restarts: UInt64 = 0
    var confinement: Confinement?
    var context: HostContext?
    var imports: [HostImport] = []
  }

  /// A home for a library that was described before.
  init(_ entry: LibraryStore.Entry, _ description: PluginDescription, _ limits: Configuration.Limits) throws(HostError)
  {
    self.entry = entry
    self.description = description
    self.limits = limits
    methods = try description.methods.enumerated().map { index, method throws(HostError) in
      try WorkerMethod(self, index, method.signature)
    }
    functions = try methods.map { (method) throws(HostError) in try method.function() }
  }

  /// Learns in a confined process, which ends at once, what a library says of itself.
  convenience init(
    describing entry: LibraryStore.Entry, expecting id: String, _ limits: Configuration.Limits
  ) throws(HostError) {
    let hello = WorkerHello(id: id, library: entry, storage: "", permissions: [], memory: limits.memoryMiB << 20)
    try self.init(entry, try Self.describe(hello), limits)
  }

  private static func describe(_ hello: WorkerHello) throws(HostError) -> PluginDescription {
    let link = try WorkerLink(hello)
    // It lives no longer than this thread, which therefore watches it itself.
    _ = WorkerWatch(link, logger: nil, memoryLimit: hello.memory, threads: .max).run(untilReadyWithin: 10)
    let (description, _) = try link.waitUntilReady(seconds: 1)
    try description.check(expecting: hello.id)
    return description
  }

  var kind: HomeKind { .worker }
  var processID: pid_t? { state.withLock { $0.link?.process } }
  var instance: UnsafeMutableRawPointer? { nil }
  /// What the kernel holds the running process to.
  var confinement: Confinement? { state.withLock { $0.confinement } }
  /// Why no call reaches the process now; nil while calls do.
  var absence: String? { state.withLock { $0.serving == nil ? $0.absence.message : nil } }
  var restarts: UInt64 { state.withLock { $0.restarts } }

  func again() throws(HostError) -> any PluginHome { try WorkerHome(entry, description, limits) }

  /// Private memory that the process may hold, in bytes: the operator's limit, or more when more was granted.
  var memoryLimit: UInt64 {
    let granted = state.withLock { $0.context?.grants.permissions ?? [] }.filter { $0.kind == .memory }
    return max(limits.memoryMiB, granted.compactMap { UInt64($0.value) }.max() ?? 0) << 20
  }

  // MARK: Calls

  /// Calls a method in the worker; `arguments` are those of its native function.
  func call(
    _ index: Int, _ shape: CallShape, _ arguments: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) -> Int32 {
    guard let call = arguments[1]?.load(as: UnsafeMutablePointer<symbolon_call>?.self) else {
      return Int32(SYMBOLON_INVALID_ARGUMENT)
    }
    do throws(HostError) {
      let link = try servingLink()
      let lane = try link.takeLane()
      let id = lane.begin(call)
      let deadline = deadline(of: call.pointee)
      let frame = lane.frame(shape, cells: UnsafePointer(arguments + 2))
      var areWhole = true
      let message = lane.end.draft { writer in
        writer.put(UInt32(index))
        CallHeader(call.pointee, id: id, deadline: deadline).put(into: &writer)
        areWhole = frame.putArguments(into: &writer)
      }
      guard areWhole, let message else {
        lane.finish()
        link.giveBack(lane)
        throw areWhole
          ? .messageTooLarge(shape.name)
          : .invalid("bad_argument", "`\(shape.name)`: a slice has a size and no bytes.")
      }
      return try converse(link, lane, frame, message, call, deadline, shape)
    } catch { return error.write(to: call) }
  }

  private func converse(
    _ link: WorkerLink, _ lane: HostLane, _ frame: CallerFrame, _ message: Range<Int>,
    _ call: UnsafeMutablePointer<symbolon_call>, _ deadline: UInt64, _ shape: CallShape
  ) throws(HostError) -> Int32 {
    lane.conversation.prepare(call, deadline: deadline)
    let status: Int32
    do throws(LaneFailure) {
      status = try frame.perform(.method, message, on: lane.end, lane.conversation, error: call.pointee.error)
    } catch {
      lane.finish()
      switch error {
      case .late:
        link.drain(lane, "did not come back from `\(shape.name)` 2 s after its deadline and was ended")
        throw HostError(
          SYMBOLON_DEADLINE_EXCEEDED, "deadline_exceeded",
          "`\(description.id).\(shape.name)` did not answer within its time.")
      case .malformed: link.failed(error)
      case .dead: break
      }
      throw link.deathError()
    }
    lane.finish()
    let badResult = frame.badResult
    link.giveBack(lane)
    if let index = badResult {
      throw .system(
        "bad_result", "`\(description.id).\(shape.name)` gave a result \(index + 1) that its type does not allow.")
    }
    return status
  }

  private func servingLink() throws(HostError) -> WorkerLink {
    let (link, absence, backAt) = state.withLock { ($0.serving, $0.absence, $0.backAt) }
    if let link { return link }
    guard backAt > 0 else { throw absence }
    let now = MonotonicClock.nanoseconds
    let wait = backAt > now ? "in \((backAt - now) / 1_000_000 + 1) ms" : "in a moment"
    throw HostError(Int(absence.status), absence.code, "\(absence.message) It is started again \(wait).")
  }

  private func deadline(of call: symbolon_call) -> UInt64 {
    if call.deadline_ns != 0 || limits.deadlineMs == 0 { return call.deadline_ns }
    return MonotonicClock.nanoseconds + limits.deadlineMs * 1_000_000
  }

  // MARK: Life

  /// How long a step of the plugin's life may take.
  private enum Seconds {
    static let load = 20
    static let start = 60
    static let stop = 10
    static let state = 60
  }

  func create(_ context: HostContext, imports: [ImportBinding]) throws(HostError) {
    var made: [HostImport] = []
    for (row, binding) in zip(description.imports, imports) { made.append(try HostImport(row, binding)) }
    state.withLock { state in
      state.context = context
      state.imports = made
    }
    try launch()
  }

  /// Starts a process and makes the instance in it.
  private func launch() throws(HostError) {
    let alarm = symbolon_alarm()
    guard alarm >= 0 else { throw .system("no_descriptor", "No descriptor for a worker: \(systemMessage()).") }
    state.withLock { state in
      state.alarm = alarm
      state.failure = nil
      state.isWanted = true
    }
    // The keeper holds the home as long as a process lives; the process lives no longer than this thread.
    Thread.detach(named: "worker") { WorkerKeeper(self).run() }
    while !changed.wait(seconds: 60, until: { state.withLock { $0.link != nil || $0.failure != nil } }) {}
    do throws(HostError) {
      if let failure = state.withLock({ $0.failure }) { throw failure }
      try prepare(try link())
    } catch {
      end()
      throw error
    }
  }

  /// Waits for the library and makes the instance.
  func prepare(_ link: WorkerLink) throws(HostError) {
    let (found, confinement) = try link.waitUntilReady(seconds: Seconds.load)
    guard found == description else {
      link.kill(WorkerDeath(code: "worker_malformed", reason: "describes itself differently each time"))
      throw link.deathError()
    }
    state.withLock { $0.confinement = confinement }
    guard let context = link.context else { return }
    let granted = WorkerServices.known.filter { context.grants.allowsService($0) }
    try live(link, .create, seconds: Seconds.start) { writer in
      writer.put(UInt32(granted.count))
      for id in granted { writer.put(id) }
    }
  }

  func start() throws(HostError) {
    // It may have ended since it was made, or since it was stopped to make room for another that then failed.
    if state.withLock({ $0.link?.isDead ?? true }) {
      _ = changed.wait(seconds: 5) { state.withLock { $0.link == nil && $0.alarm < 0 } }
      try launch()
    }
    try begin(try link())
  }

  /// Starts the instance and lets calls in.
  func begin(_ link: WorkerLink) throws(HostError) {
    try live(link, .start, seconds: Seconds.start)
    state.withLock { state in
      guard !link.isDead else { return }
      state.isStarted = true
      state.serving = link
      state.backAt = 0
    }
    if link.isDead { throw link.deathError() }
  }

  /// Makes ready for as many calls at once as the worker before it had.
  func prepare(like old: WorkerHome) {
    let lanes = old.state.withLock { $0.link }?.lanes ?? 0
    state.withLock { $0.serving }?.open(lanes: min(lanes, 8))
  }

  func stop() {
    let link = state.withLock { state in
      state.isStarted = false
      state.serving = nil
      state.backAt = 0
      state.absence = .unavailable("worker_stopped", "The worker of `\(description.id)` is stopped.")
      return state.link
    }
    guard let link, !link.isDead else { return }
    try? live(link, .stop, seconds: Seconds.stop)
  }

  func destroy() {
    if let link = state.withLock({ $0.link }), !link.isDead {
      try? live(link, .destroy, seconds: Seconds.stop)
    }
    end()
  }

  /// Ends the process, and waits until it is gone.
  private func end() {
    let link = state.withLock { state in
      state.isWanted = false
      state.isStarted = false
      state.serving = nil
      if state.alarm >= 0 { symbolon_ring(state.alarm) }
      return state.link
    }
    link?.kill(WorkerDeath(code: "worker_stopped", reason: "is stopped"))
    _ = changed.wait(seconds: 5) { state.withLock { $0.link == nil } }
  }

  private func link() throws(HostError) -> WorkerLink {
    let (link, absence) = state.withLock { ($0.link, $0.absence) }
    guard let link else { throw absence }
    return link
  }

  func exportState(version: UInt32) throws(HostError) -> [UInt8] {
    guard description.state != nil else { throw .stateless(description.id) }
    let collector = StatePartCollector(description.id)
    try live(try link(), .exportState, version, seconds: Seconds.state, receiver: collector)
    if let failure = collector.failure { throw failure }
    return collector.bytes
  }

  func importState(version: UInt32, _ state: [UInt8]) throws(HostError) {
    guard description.state != nil else { throw .stateless(description.id) }
    let link = try link()
    var start = 0
    while start < state.count {
      let end = min(start + (8 << 20), state.count)
      try live(link, .importPart, version, seconds: Seconds.state) { writer in
        state.withUnsafeBytes { writer.put(UnsafeRawBufferPointer(rebasing: $0[start..<end])) }
      }
      start = end
    }
    try live(link, .importState, version, seconds: Seconds.state)
  }

  /// Asks for a step of life; a worker that does not finish it in time is ended.
  private func live(
    _ link: WorkerLink, _ step: LifeStep, _ version: UInt32 = 0, seconds: Int,
    receiver: any ItemReceiver = NoItems.shared, payload: ((inout MessageWriter) -> Void)? = nil
  ) throws(HostError) {
    let lane = try link.takeLane()
    let bound = stepLimit.load(ordering: .relaxed)
    let limit = bound > 0 ? min(bound, UInt64(seconds) * 1000) : UInt64(seconds) * 1000
    var failure: LaneFailure?
    do throws(HostError) {
      try RootCallFrame.run { call in
        _ = lane.begin(call)
        defer { lane.finish() }
        let body = lane.end.draft { writer in
          writer.put(step.rawValue)
          writer.put(version)
          writer.nest { payload?(&$0) }
        }
        guard let body else { return HostError.messageTooLarge("\(step)").write(to: call) }
        let deadline = MonotonicClock.nanoseconds + limit * 1_000_000
        do throws(LaneFailure) {
          let answer = try lane.end.ask(
            .life, body, receiver: receiver, HostConversation(link, call: call, deadline: deadline))
          defer { answer.free() }
          let reader = AnswerReader(answer)
          reader.write(to: call.pointee.error)
          return reader.status
        } catch {
          failure = error
          return Int32(SYMBOLON_UNAVAILABLE)
        }
      }
    } catch {
      guard let failure else {
        link.giveBack(lane)
        throw error
      }
      if case .late = failure {
        link.kill(WorkerDeath(code: "worker_hung", reason: "did not \(step) within \(limit) ms and was ended"))
      }
      link.failed(failure)
      throw link.deathError()
    }
    link.giveBack(lane)
  }
}

/// Puts together the parts in which a worker sends its state.
private final class StatePartCollector: ItemReceiver {
  private let id: String
  private(set) var bytes: [UInt8] = []
  private(set) var failure: HostError?

  init(_ id: String) { self.id = id }

  func receive(result index: Int, _ part: UnsafeRawBufferPointer) -> Int32 {
    guard part.count <= stateLimit - bytes.count else {
      failure = .stateTooLarge(id)
      return Int32(SYMBOLON_RESOURCE_EXHAUSTED)
    }
    bytes += part
    return 0
  }
}
