import FoundationEssentials
import Glibc

/// Runs one case in a process of its own, so that whatever the plugin does ends with it.
struct CaseProcess {
  struct Report {
    var outcome: Outcome
    var message: String
    var milliseconds: UInt64 = 0
    /// What the kernel held the case to; nil when it was to run with the caller's rights, or did not get so far.
    var confinement: Confinement?
    /// The plugins around it; nil when the case needed none.
    var surroundings: JSONValue?
  }

  /// The descriptor on which the child reports.
  static let reportFile: Int32 = 3
  /// More than this of what a child says is dropped.
  private static let longestText = 1 << 16

  let path: String
  let name: String
  let seed: UInt64
  let timeoutMs: UInt64
  let isConfined: Bool
  let plan: SurroundingsPlan

  func run() throws(HostError) -> Report {
    var (report, errors): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
    guard pipe(&report) == 0, pipe(&errors) == 0 else {
      throw .system("no_pipe", "A case cannot be started: \(systemMessage()).")
    }
    for file in report + errors { _ = fcntl(file, F_SETFD, FD_CLOEXEC) }
    defer { for file in [report[0], errors[0]] { close(file) } }
    // Whatever a case leaves behind goes with its folder, also when it crashed or was ended.
    let folder = try Self.makeFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let spawned = Result { () throws(HostError) in try spawn(report[1], errors[1], folder) }
    for file in [report[1], errors[1]] { close(file) }
    let child = try spawned.get()
    let begin = MonotonicClock.nanoseconds
    let (status, texts) = collect(child, [report[0], errors[0]], begin)
    var result = Self.judge(
      status, String(decoding: texts[0], as: UTF8.self), String(decoding: texts[1], as: UTF8.self))
    if result.outcome == .timedOut { result.message = "It does not end within \(timeoutMs) ms." }
    result.milliseconds = (MonotonicClock.nanoseconds - begin) / 1_000_000
    return result
  }

  private func spawn(_ report: Int32, _ errors: Int32, _ folder: String) throws(HostError) -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO)
    posix_spawn_file_actions_adddup2(&actions, report, Self.reportFile)
    // A group of its own: what a plugin forks is ended with it.
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    posix_spawnattr_setpgroup(&attributes, 0)
    let words =
      ["symbolon", VerifyCase.name, path, "--case", name, "--seed", String(seed), "--surroundings", plan.json.text]
      + (isConfined ? ["--confine"] : [])
    var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] = Self.environment(folder).map { strdup($0) } + [nil]
    defer { for pointer in pointers + environment { free(pointer) } }
    var child: pid_t = 0
    let status = posix_spawn(&child, ExecutablePath.current, &actions, &attributes, &pointers, &environment)
    guard status == 0 else { throw .system("no_child", "A case cannot be started: \(systemMessage(status)).") }
    return child
  }

  /// What a plugin needs to be found and loaded; freed memory is overwritten, so that its use is seen.
  private static func environment(_ folder: String) -> [String] {
    let kept = ["PATH", "HOME", "LD_LIBRARY_PATH", "LANG"]
    let own = ProcessInfo.processInfo.environment
    return kept.compactMap { name in own[name].map { "\(name)=\($0)" } }
      + ["SWIFT_BACKTRACE=enable=no", "MALLOC_PERTURB_=165", "TMPDIR=\(folder)"]
  }

  private static func makeFolder() throws(HostError) -> String {
    let place = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
    var template = Array("\(place)/symbolon-case-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw .system("no_folder", "No folder can be made in \(place): \(systemMessage()).")
    }
    return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Reads both pipes until the child has ended; nil as the status when it had to be ended.
  private func collect(_ child: pid_t, _ files: [Int32], _ begin: UInt64) -> (Int32?, [[UInt8]]) {
    var texts: [[UInt8]] = [[], []]
    var status: Int32 = 0
    var ended = false
    var buffer = [UInt8](repeating: 0, count: 4096)
    for file in files { _ = fcntl(file, F_SETFL, O_NONBLOCK) }
    func drain() {
      for (index, file) in files.enumerated() {
        while case let count = read(file, &buffer, buffer.count), count > 0 {
          texts[index] += buffer[..<min(count, max(0, Self.longestText - texts[index].count))]
        }
      }
    }
    while !ended, MonotonicClock.nanoseconds - begin < timeoutMs * 1_000_000 {
      var polls = files.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      // A pipe whose writers have gone is ready at once; the pause keeps this from spinning.
      if poll(&polls, 2, 5) > 0, polls.contains(where: { $0.revents & Int16(POLLHUP) != 0 }) { usleep(500) }
      drain()
      ended = waitpid(child, &status, WNOHANG) == child
    }
    kill(-child, SIGKILL)
    guard ended else {
      while waitpid(child, &status, 0) < 0, errno == EINTR {}
      return (nil, texts)
    }
    drain()
    return (status, texts)
  }

  private static func judge(_ status: Int32?, _ report: String, _ errors: String) -> Report {
    // The first line tells how the case is confined, the second how it ended.
    let lines = report.split(separator: "\n", maxSplits: 1)
    let confinement = lines.first.flatMap { try? JSONValue(parsing: $0.utf8) }?[key: "confinement"]
    var judgement = judge(status, lines.count > 1 ? lines[1] : "", errors)
    if let confinement, confinement != .null { judgement.confinement = Confinement(json: confinement) }
    return judgement
  }

  private static func judge(_ status: Int32?, _ report: Substring, _ errors: String) -> Report {
    guard let status else { return Report(outcome: .timedOut, message: "") }
    if let object = try? JSONValue(parsing: report.utf8), let word = object[key: "outcome"]?.string,
      let outcome = Outcome(rawValue: word)
    {
      var report = Report(outcome: outcome, message: object[key: "message"]?.string ?? "")
      report.surroundings = object[key: "surroundings"]
      return report
    }
    let last = errors.split(whereSeparator: \.isNewline).filter { !$0.allSatisfy(\.isWhitespace) }.suffix(2)
    let words = last.isEmpty ? "" : " Its last words: \(last.joined(separator: " ").prefix(200))"
    let signal = status & 0x7f
    guard signal != 0 else {
      return Report(outcome: .failed, message: "It ends the process (exit status \(status >> 8 & 0xff)).\(words)")
    }
    return Report(
      outcome: .crashed, message: "It crashes: \(strsignal(signal).map { String(cString: $0) } ?? "?").\(words)")
  }
}

extension CaseProcess.Report {
  init(_ verdict: Verdict) {
    switch verdict {
    case .success: self.init(outcome: .success, message: "")
    case .warning(let text): self.init(outcome: .warning, message: text)
    case .failed(let text): self.init(outcome: .failed, message: text)
    case .skipped(let text): self.init(outcome: .skipped, message: text)
    }
  }

  var json: JSONValue {
    var members: [String: JSONValue] = ["outcome": .string(outcome.rawValue), "message": .string(message)]
    members["surroundings"] = surroundings
    return .object(members)
  }
}
