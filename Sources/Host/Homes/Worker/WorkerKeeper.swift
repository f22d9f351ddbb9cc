import CLanes
import CSandbox
import Glibc
import Logging
import Synchronization

/// Keeps a worker alive, on a thread of its own: starts the process, watches it, and starts it again when it crashed.
///
/// The kernel ends a worker with the thread that started it, so this thread lives exactly as long as the worker is
/// wanted.
final class WorkerKeeper {
  private let home: WorkerHome
  /// The first pause before a new start; each further crash doubles it.
  private static let firstPause: UInt64 = 100_000_000
  private static let longestPause: UInt64 = 30_000_000_000
  /// So many crashes within `window` take the library out of service.
  private static let patience = 3
  private static let window: UInt64 = 300_000_000_000

  init(_ home: WorkerHome) { self.home = home }

  func run() {
    defer {
      home.state.withLock { state in
        close(state.alarm)
        state.alarm = -1
      }
      home.changed.wake()
    }
    while let link = start() {
      let death = WorkerWatch(
        link, logger: link.context?.logger, memoryLimit: home.memoryLimit,
        threads: Int(home.limits.threads)
      ).run()
      guard let pause = died(link, death), rest(pause) else { return }
    }
  }

  /// Starts a process; nil when it cannot be, or is not wanted any more.
  private func start() -> WorkerLink? {
    guard let context = home.state.withLock({ $0.isWanted ? $0.context : nil }) else { return nil }
    let hello = WorkerHello(
      id: home.description.id, library: home.entry, storage: String(cString: context.storage),
      permissions: context.grants.permissions, memory: home.memoryLimit)
    let link: WorkerLink
    do throws(HostError) { link = try WorkerLink(hello) } catch {
      home.state.withLock { state in
        state.failure = error
        state.absence = error
        state.isWanted = false
      }
      context.logger.error("a worker cannot be started", metadata: ["reason": "\(error.message)"])
      home.changed.wake()
      return nil
    }
    let isRestart = home.state.withLock { state in
      link.context = context
      link.imports = state.imports
      state.link = link
      return state.isStarted
    }
    home.changed.wake()
    if isRestart {
      Thread.detach(named: "worker-start") { [home] in Self.bringBack(link, home) }
    }
    return link
  }

  /// Makes and starts the instance in a new process, as the first time.
  private static func bringBack(_ link: WorkerLink, _ home: WorkerHome) {
    do throws(HostError) {
      try home.prepare(link)
      guard home.state.withLock({ $0.isStarted }) else { return }
      try home.begin(link)
      home.state.withLock { $0.restarts += 1 }
      link.context?.logger.info("worker started again", metadata: ["process": "\(link.process)"])
    } catch {
      link.context?.logger.error("worker cannot start again", metadata: ["reason": "\(error.message)"])
      link.kill(WorkerDeath(code: "worker_crashed", reason: "could not be started again: \(error.message)"))
    }
  }

  /// Notes a death; gives back the pause before the next start, nil when there is none.
  private func died(_ link: WorkerLink, _ death: WorkerDeath) -> UInt64? {
    let now = MonotonicClock.nanoseconds
    let (pause, isFinal) = home.state.withLock { state -> (UInt64?, Bool) in
      state.link = nil
      state.serving = nil
      state.absence = .unavailable(death.code, "The worker of `\(home.description.id)` \(death.reason).")
      guard state.isWanted, state.isStarted else { return (nil, false) }
      state.crashes = state.crashes.filter { now - $0 < Self.window } + [now]
      guard state.crashes.count < Self.patience else {
        state.isStarted = false
        state.isWanted = false
        return (nil, true)
      }
      let pause = min(Self.firstPause << UInt64(state.crashes.count - 1), Self.longestPause)
      state.backAt = now + pause
      return (pause, false)
    }
    home.changed.wake()
    guard let context = link.context, pause != nil || isFinal else { return pause }
    context.events.unsubscribe(context)
    context.logger.error(
      "worker ended", metadata: ["code": "\(death.code)", "reason": "\(death.reason)", "process": "\(link.process)"])
    context.node.noteCrash(in: home, reason: "Its worker \(death.reason).")
    if isFinal { giveUp(context, death) }
    return pause
  }

  /// The library crashes again and again: it is put into quarantine and the last one that was permanent takes its place.
  private func giveUp(_ context: HostContext, _ death: WorkerDeath) {
    let (id, sha256) = (home.description.id, home.entry.sha256)
    let reason =
      "its worker \(death.reason), for the \(Self.patience)rd time in \(Self.window / 60_000_000_000) minutes"
    Thread.detach(named: "worker-fallback") {
      do throws(HostError) { try context.node.history.quarantine(id, sha256: sha256, reason: reason) } catch {
        context.logger.error("quarantine cannot be noted", metadata: ["reason": "\(error.message)"])
      }
      context.node.fallBack(id, reason: reason)
    }
  }

  /// Waits; false when the worker is not wanted any more.
  private func rest(_ nanoseconds: UInt64) -> Bool {
    var waiting = pollfd(fd: home.state.withLock { $0.alarm }, events: Int16(POLLIN), revents: 0)
    _ = poll(&waiting, 1, Int32(nanoseconds / 1_000_000))
    return home.state.withLock { $0.isWanted && $0.isStarted }
  }
}

/// Watches one process until its end: its output, what it says on the control socket, and what it uses.
final class WorkerWatch {
  private let link: WorkerLink
  private let memoryLimit: UInt64
  private let threads: Int
  private var output: WorkerOutput
  private var isReported = false
  private static let period: Int32 = 50
  /// What the kernel counts for a thread from its first moment on, used or not.
  private static let stackBytes = UInt64(8 << 20)
  private static let mostStacks: UInt64 = 48
  private static let lanesAllowance = UInt64(8 * LaneMemory.messageLimit)

  init(_ link: WorkerLink, logger: Logger?, memoryLimit: UInt64, threads: Int) {
    self.link = link
    self.memoryLimit = memoryLimit
    self.threads = threads
    output = WorkerOutput(logger)
  }

  /// Returns when the process has ended and was collected; with a number of seconds it is ended when it is ready.
  func run(untilReadyWithin seconds: UInt64? = nil) -> WorkerDeath {
    let limit = seconds.map { MonotonicClock.nanoseconds + $0 * 1_000_000_000 }
    var descriptors = [link.pidfd, link.control, link.output].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    while true {
      if let limit, isReported || MonotonicClock.nanoseconds > limit { endDescribed() }
      let count = poll(&descriptors, UInt(descriptors.count), Self.period)
      if count <= 0 {
        measure()
        continue
      }
      if descriptors[2].revents != 0, !output.read(from: link.output) { descriptors[2].fd = -1 }
      if descriptors[1].revents != 0, !takeDatagram() { descriptors[1].fd = -1 }
      if descriptors[0].revents != 0 { break }
    }
    while takeDatagram(waiting: false) {}
    _ = output.read(from: link.output)
    output.finish()
    var ending = symbolon_ending()
    _ = symbolon_reap(link.process, &ending)
    return link.bury(ending, memoryLimit: memoryLimit)
  }

  private func endDescribed() {
    link.kill(
      isReported
        ? WorkerDeath(code: "worker_stopped", reason: "was stopped")
        : WorkerDeath(code: "worker_hung", reason: "did not load its library in time and was ended"))
  }

  /// Takes one datagram; false when there will be no more.
  private func takeDatagram(waiting: Bool = true) -> Bool {
    if !waiting {
      var waiting = pollfd(fd: link.control, events: Int16(POLLIN), revents: 0)
      guard poll(&waiting, 1, 0) == 1, waiting.revents & Int16(POLLIN) != 0 else { return false }
    }
    var descriptor: Int32 = -1
    guard let datagram = ControlDatagram.receive(from: link.control, &descriptor) else { return false }
    // No worker of ours sends one.
    if descriptor >= 0 { close(descriptor) }
    switch datagram.kind {
    case .open:
      if !link.serve(lane: Int(datagram.value)) { link.failed(.malformed("a lane that it may not open")) }
    case .ready: takeReport(datagram.number)
    case .descriptor: link.failed(.malformed("what only hosts send"))
    }
    return true
  }

  private func takeReport(_ length: UInt64) {
    isReported = true
    tighten()
    guard length <= UInt64(LaneMemory.messageLimit) else { return link.failed(.malformed("an endless report")) }
    let bytes = Array(UnsafeRawBufferPointer(start: link.memory.arena(0, of: .worker), count: Int(length)))
    do throws(HostError) {
      link.report(try WorkerReport(json: try JSONValue(parsing: bytes)))
    } catch { link.report(.failed(error)) }
  }

  /// Draws the kernel's own limit nearer, now that it shows what the process needs before it does anything: a hog is
  /// then refused memory at once, and not ended when it is next looked at.
  private func tighten() {
    guard let pages = Self.numbers("/proc/\(link.process)/statm"), pages.count > 5 else { return }
    let stacks = min(UInt64(clamping: threads), Self.mostStacks) * Self.stackBytes
    let used = pages[5] * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    _ = symbolon_limit_data(link.process, used + memoryLimit + stacks)
  }

  /// Ends a process that holds more memory or threads than it may.
  private func measure() {
    // What a few large messages take is the host's matter; a worker that fills its lanes is not.
    let lanes = symbolon_lanes_resident(link.memory.descriptor)
    let shared = lanes > Self.lanesAllowance ? lanes - Self.lanesAllowance : 0
    if let pages = Self.numbers("/proc/\(link.process)/statm"), pages.count > 2, pages[1] >= pages[2] {
      let held = (pages[1] - pages[2]) * UInt64(sysconf(Int32(_SC_PAGESIZE))) + shared
      if held > memoryLimit {
        link.kill(
          WorkerDeath(
            code: "worker_out_of_memory",
            reason: "held \(held >> 20) MiB, more than its limit of \(memoryLimit >> 20) MiB, and was ended"))
      }
    }
    if let count = Self.threadCount(link.process), count > threads {
      link.kill(
        WorkerDeath(
          code: "worker_too_many_threads",
          reason: "ran \(count) threads, more than its limit of \(threads), and was ended"))
    }
  }

  private static func numbers(_ path: String) -> [UInt64]? {
    text(path)?.split(separator: " ").compactMap { UInt64($0) }
  }

  /// Field 20 of /proc/…/stat; the second field is a name that may hold spaces, in parentheses.
  private static func threadCount(_ process: pid_t) -> Int? {
    guard let text = text("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return nil }
    let fields = text[end...].split(separator: " ")
    return fields.count > 18 ? Int(fields[18]) : nil
  }

  private static func text(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 1024)
    let count = read(file, &buffer, buffer.count)
    return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
  }
}

/// What a plugin prints, line by line in the host's log; lines that are too long are cut, floods are counted.
struct WorkerOutput {
  private let logger: Logger?
  private var line: [UInt8] = []
  private var isCut = false
  private var second: UInt64 = 0
  private var written = 0
  private var dropped = 0
  static let lineBytes = 4096
  static let linesPerSecond = 200

  init(_ logger: Logger?) { self.logger = logger }

  /// Takes what is there; false at the end.
  mutating func read(from pipe: Int32) -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = Glibc.read(pipe, &buffer, buffer.count)
    if count < 0 { return errno == EAGAIN || errno == EINTR }
    take(buffer[..<max(0, count)], at: MonotonicClock.nanoseconds / 1_000_000_000)
    return count > 0
  }

  mutating func take(_ bytes: ArraySlice<UInt8>, at second: UInt64) {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        emit(at: second)
      } else if line.count < Self.lineBytes {
        line.append(byte)
      } else {
        isCut = true
      }
    }
  }

  /// Writes what has no end of line yet.
  mutating func finish() {
    if !line.isEmpty { emit(at: second) }
    reportDropped()
  }

  private mutating func emit(at now: UInt64) {
    defer {
      line.removeAll(keepingCapacity: true)
      isCut = false
    }
    if now != second {
      reportDropped()
      (second, written) = (now, 0)
    }
    guard written < Self.linesPerSecond else {
      dropped += 1
      return
    }
    written += 1
    logger?.info("\(String(decoding: line, as: UTF8.self))\(isCut ? "…" : "")", metadata: ["from": "output"])
  }

  private mutating func reportDropped() {
    guard dropped > 0 else { return }
    logger?.warning("the plugin prints too much", metadata: ["lines_dropped": "\(dropped)"])
    dropped = 0
  }
}
