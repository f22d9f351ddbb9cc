import CLanes
import CSandbox
import Glibc
import PluginAPI
import Synchronization

/// How a worker's process ended, for programs and for people.
struct WorkerDeath: Error, Equatable {
  /// For example `worker_crashed`.
  var code: String
  /// What completes "the worker of `x` …".
  var reason: String
}

/// A lane on which the host asks, with the call that runs on it.
final class HostLane: @unchecked Sendable {
  // Proof: `end`, `conversation` and `spare` belong to whoever took the lane; the rest is locked.
  let end: LaneEnd
  /// `call` is the address of a `symbolon_call`, 0 when none runs here.
  private let live: Mutex<(id: UInt64, call: UInt, uses: Int)> = Mutex((0, 0, 0))
  private let unused = WaitPoint()
  /// Used again by each call, as the frame is: a call allocates nothing.
  let conversation: HostConversation
  private var spare: CallerFrame?

  init(_ index: Int, of link: WorkerLink) {
    end = LaneEnd(index, .host, of: link.memory)
    conversation = HostConversation(link, call: nil, deadline: 0)
  }

  /// The frame of a call on this lane.
  func frame(_ shape: CallShape, cells: UnsafePointer<UnsafeMutableRawPointer?>) -> CallerFrame {
    if let spare {
      spare.prepare(shape, cells: cells)
      return spare
    }
    let made = CallerFrame(shape, cells: cells, isStrict: true)
    spare = made
    return made
  }

  /// Makes `call` the one that the worker may refer to; gives back its id.
  func begin(_ call: UnsafeMutablePointer<symbolon_call>?) -> UInt64 {
    symbolon_lane_store(end.cancelledFlag, 0)
    let address = UInt(bitPattern: call)
    return live.withLock { live in
      live.id = (((live.id >> 8) &+ 1) << 8) | UInt64(end.index)
      live.call = address
      return live.id
    }
  }

  /// Ends that; returns when no question on another lane uses the call any more.
  func finish() {
    let isUsed = live.withLock { live in
      live.call = 0
      return live.uses > 0
    }
    guard isUsed else { return }
    symbolon_lane_store(end.cancelledFlag, 1)
    while !unused.wait(seconds: 60, until: { live.withLock { $0.uses == 0 } }) {}
  }

  /// Borrows the call of an id, if it runs here now; `giveBack` follows.
  func borrow(_ id: UInt64) -> UnsafeMutablePointer<symbolon_call>? {
    let address: UInt = live.withLock { live in
      guard live.id == id, live.call != 0 else { return 0 }
      live.uses += 1
      return live.call
    }
    return UnsafeMutablePointer(bitPattern: address)
  }

  func giveBack() {
    live.withLock { $0.uses -= 1 }
    unused.wake()
  }
}

/// One process of a worker, with the memory and the sockets that lead to it.
final class WorkerLink: @unchecked Sendable {
  // Proof: constant after init, `imports` and `context` before the worker is asked to create; the rest is locked.
  let id: String
  let memory: LaneMemory
  let process: pid_t
  let pidfd: Int32
  let control: Int32
  let output: Int32
  let startedAt = MonotonicClock.nanoseconds
  nonisolated(unsafe) var context: HostContext?
  nonisolated(unsafe) var imports: [HostImport] = []

  private let pool: Mutex<(free: [HostLane], all: [HostLane])> = Mutex(([], []))
  private let laneFreed = WaitPoint()
  private let state: Mutex<State> = Mutex(State())
  private let changed = WaitPoint()
  private let dead = Atomic<Bool>(false)
  private let nextDescriptor = Atomic<UInt32>(1)

  private struct State {
    var ready: WorkerReport?
    /// Why the host ends the process; nil when it ended by itself.
    var sentence: WorkerDeath?
    var death: WorkerDeath?
    var subscriptions = 0
    /// Lanes of the worker's own that the host serves.
    var served: Set<Int> = []
    var watched = false
  }

  /// Starts a worker; it lives no longer than the calling thread.
  init(_ hello: WorkerHello) throws(HostError) {
    id = hello.id
    memory = try LaneMemory()
    let text = Array(hello.json.text.utf8)
    guard text.count <= LaneMemory.messageLimit else { throw .invalid("bad_hello", "Too many permissions.") }
    memory.arena(0, of: .host).copyMemory(from: text, byteCount: text.count)
    let descriptors = try WorkerDescriptors()
    let arguments = ["symbolon", "worker", "--parent", "\(getpid())", "--hello", "\(text.count)"]
    process = Self.spawn(arguments, descriptors, memory)
    let reason = systemMessage()
    close(descriptors.outputEnd)
    close(descriptors.controlEnd)
    (control, output) = (descriptors.control, descriptors.output)
    pidfd = process > 0 ? symbolon_pidfd(process) : -1
    guard pidfd >= 0 else {
      close(control)
      close(output)
      if process > 0 { Glibc.kill(process, SIGKILL) }
      throw .system("no_worker", "A process for `\(id)` cannot be started: \(reason).")
    }
  }

  deinit {
    close(control)
    close(output)
    close(pidfd)
  }

  private static func spawn(_ words: [String], _ descriptors: WorkerDescriptors, _ memory: LaneMemory) -> pid_t {
    // What the Swift runtime and the C library read; nothing of the operator's environment.
    let environment = ["PATH=/usr/bin:/bin", "LANG=C.UTF-8", "SWIFT_BACKTRACE=enable=no"]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = environment.map { strdup($0) } + [nil]
    defer { for text in arguments + variables { free(text) } }
    return symbolon_spawn(
      "/proc/self/exe", &arguments, &variables, descriptors.outputEnd, descriptors.controlEnd, memory.descriptor)
  }

  // MARK: Life and death

  var isDead: Bool { dead.load(ordering: .acquiring) }
  var death: WorkerDeath? { state.withLock { $0.death } }

  /// Ends the process; `sentence` is what callers are told.
  func kill(_ sentence: WorkerDeath) {
    state.withLock { if $0.sentence == nil { $0.sentence = sentence } }
    _ = symbolon_pidfd_kill(pidfd, SIGKILL)
  }

  /// Notes that the process has ended, and wakes everybody who waits for it.
  func bury(_ ending: symbolon_ending, memoryLimit: UInt64) -> WorkerDeath {
    let death = state.withLock { state in
      let death = state.sentence ?? WorkerDeath(ending, held: memory.memoryAtDeath.pointee, memoryLimit: memoryLimit)
      state.death = death
      return death
    }
    dead.store(true, ordering: .releasing)
    for lane in 0..<LaneMemory.count { symbolon_lane_kill(memory.head(lane)) }
    changed.wake()
    laneFreed.wake()
    return death
  }

  /// What callers are told of a worker that has ended.
  func deathError() -> HostError {
    _ = changed.wait(seconds: 5) { self.death != nil }
    let death = self.death ?? WorkerDeath(code: "worker_crashed", reason: "has ended")
    return .unavailable(death.code, "The worker of `\(id)` \(death.reason).")
  }

  func report(_ report: WorkerReport) {
    state.withLock { $0.ready = report }
    changed.wake()
  }

  /// What the worker said when it had loaded its library.
  func waitUntilReady(seconds: Int) throws(HostError) -> (PluginDescription, Confinement) {
    _ = changed.wait(seconds: seconds) { state.withLock { $0.ready != nil || $0.death != nil } }
    switch state.withLock({ $0.ready }) {
    case .ready(let description, let confinement): return (description, confinement)
    case .failed(let error): throw error
    case nil:
      if death == nil {
        kill(WorkerDeath(code: "worker_hung", reason: "did not load its library within \(seconds) s"))
      }
      throw deathError()
    }
  }

  // MARK: Lanes

  /// Takes a lane to ask on.
  func takeLane() throws(HostError) -> HostLane {
    for _ in 0..<2 {
      let (found, isNew) = pool.withLock { pool -> (HostLane?, Bool) in
        if let free = pool.free.popLast() { return (free, false) }
        guard pool.all.count < LaneMemory.hostLanes else { return (nil, false) }
        let lane = HostLane(pool.all.count, of: self)
        pool.all.append(lane)
        return (lane, true)
      }
      if let found {
        if isNew { ControlDatagram(kind: .open, value: UInt32(found.end.index)).send(to: control) }
        return found
      }
      _ = laneFreed.wait(seconds: 2) { isDead || pool.withLock { !$0.free.isEmpty } }
    }
    throw HostError(
      SYMBOLON_RESOURCE_EXHAUSTED, "worker_busy",
      "All \(LaneMemory.hostLanes) calls that the worker of `\(id)` takes at once are running: try again.")
  }

  /// How many lanes have been opened.
  var lanes: Int { pool.withLock { $0.all.count } }

  /// Opens lanes before calls come, so that none of them waits for a thread of the worker.
  func open(lanes count: Int) {
    var taken: [HostLane] = []
    while lanes < count, let lane = try? takeLane() { taken.append(lane) }
    for lane in taken { giveBack(lane) }
  }

  /// Gives a lane back; its memory is kept only where it is soon used again.
  func giveBack(_ lane: HostLane) {
    lane.end.reset(kept: lane.end.index < 8 ? 2 << 20 : 65_536)
    pool.withLock { $0.free.append(lane) }
    laneFreed.wake()
  }

  /// The lane that runs the call of an id.
  func lane(of id: UInt64) -> HostLane? {
    let index = Int(id & 0xff)
    return pool.withLock { $0.all.indices.contains(index) ? $0.all[index] : nil }
  }

  /// Serves a lane of the worker's own threads; false when the worker may not have it.
  func serve(lane index: Int) -> Bool {
    let isNew = state.withLock {
      (LaneMemory.hostLanes..<LaneMemory.count).contains(index) && $0.served.insert(index).inserted
    }
    guard isNew else { return false }
    Thread.detach(named: "worker-lane") { [self] in
      let end = LaneEnd(index, .host, of: memory)
      let conversation = HostConversation(self, call: nil, deadline: 0)
      do throws(LaneFailure) {
        while true {
          guard let (question, level) = try end.receive(1_000_000_000) else {
            if isDead { return }
            continue
          }
          defer { question.free() }
          try conversation.serve(question, level: level, on: end)
          end.reset(kept: 65_536)
        }
      } catch { failed(error) }
    }
    return true
  }

  /// Ends a worker that does not keep to the rules.
  func failed(_ failure: LaneFailure) {
    guard case .malformed(let what) = failure else { return }
    kill(WorkerDeath(code: "worker_malformed", reason: "wrote \(what), which no worker does, and was ended"))
  }

  /// Waits, on a thread of its own, for a call that nobody waits for any more; a worker that keeps it is ended.
  func drain(_ lane: HostLane, _ reason: String) {
    Thread.detach(named: "worker-drain") { [self] in
      lane.end.isAbandoned = false
      let limit = MonotonicClock.nanoseconds + 2_000_000_000
      do throws(LaneFailure) {
        while lane.end.hasOpenQuestions {
          let now = MonotonicClock.nanoseconds
          guard now < limit, !isDead else { break }
          guard let (incoming, _) = try lane.end.receive(min(limit - now, 250_000_000)) else { continue }
          incoming.free()
          if incoming.kind == .result { lane.end.closeQuestion() }
          if lane.end.hasOpenQuestions { try lane.end.answer(Int32(SYMBOLON_CANCELLED)) }
        }
        if !lane.end.hasOpenQuestions { return giveBack(lane) }
        kill(WorkerDeath(code: "worker_hung", reason: reason))
      } catch { failed(error) }
    }
  }

  // MARK: Services

  func mayWatchMore() -> Bool {
    state.withLock { state in
      state.subscriptions += 1
      return state.subscriptions <= 1024
    }
  }

  /// Sends a descriptor; the number is what the worker asks for.
  func send(descriptor: Int32) -> UInt32 {
    let number = nextDescriptor.wrappingAdd(1, ordering: .relaxed).oldValue
    ControlDatagram(kind: .descriptor, value: number).send(to: control, descriptor: descriptor)
    close(descriptor)
    return number
  }
}

/// What a worker says once.
enum WorkerReport {
  case ready(PluginDescription, Confinement)
  case failed(HostError)

  init(json: JSONValue) throws(HostError) {
    if let error = json[key: "error"] {
      self = .failed(HostError(json: error))
    } else {
      guard let description = json[key: "description"], let confinement = json[key: "confinement"] else {
        throw .invalid("bad_report", "The worker's report is incomplete.")
      }
      self = .ready(try PluginDescription(json: description), Confinement(json: confinement))
    }
  }
}

/// The host's and the worker's ends of the control socket and of the output pipe.
struct WorkerDescriptors {
  let control: Int32
  let controlEnd: Int32
  let output: Int32
  let outputEnd: Int32

  init() throws(HostError) {
    var pair: [Int32] = [-1, -1]
    var pipe: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &pair) == 0 else {
      throw .system("no_socket", "No socket for a worker: \(systemMessage()).")
    }
    guard symbolon_pipe(&pipe) == 0 else {
      let reason = systemMessage()
      close(pair[0])
      close(pair[1])
      throw .system("no_pipe", "No pipe for a worker: \(reason).")
    }
    (control, controlEnd) = (pair[0], pair[1])
    (output, outputEnd) = (pipe[0], pipe[1])
  }
}

extension WorkerDeath {
  /// What the kernel says of a process that ended by itself.
  init(_ ending: symbolon_ending, held: UInt64, memoryLimit: UInt64) {
    guard ending.signal != 0 else {
      self.init(code: "worker_crashed", reason: "ended itself with status \(ending.status)")
      return
    }
    let names = [
      SIGSEGV: "SIGSEGV", SIGABRT: "SIGABRT", SIGILL: "SIGILL", SIGBUS: "SIGBUS", SIGFPE: "SIGFPE", SIGTRAP: "SIGTRAP",
      SIGKILL: "SIGKILL", SIGTERM: "SIGTERM", SIGSYS: "SIGSYS",
    ]
    let name = names[ending.signal] ?? "signal \(ending.signal)"
    // Memory is refused to it above the limit; most programs then fail at once in one way or another.
    if held >= memoryLimit - memoryLimit / 8 {
      self.init(
        code: "worker_out_of_memory",
        reason: "held \(held >> 20) MiB with a limit of \(memoryLimit >> 20) MiB, and ended by \(name)")
    } else {
      self.init(code: "worker_crashed", reason: "crashed (\(name))")
    }
  }
}
