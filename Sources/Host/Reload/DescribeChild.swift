import FoundationEssentials
import Glibc

/// Lets a child process open a library first: what crashes or hangs there never does so in the node.
struct DescribeChild {
  /// How long a library may take to say what it is.
  static let seconds = 5.0
  /// More bytes than any description that passes the checks.
  private static let limit = 16 << 20

  /// A library that ended the child by a signal.
  static let crashCode = "describe_crashed"
  /// The same when the child was a worker.
  static let crashCodes: Set<String> = [crashCode, "worker_crashed"]

  /// Asks a library where it would run: what does not run in the node is not looked at outside of its confinement.
  static func run(
    _ entry: LibraryStore.Entry, _ plugin: Configuration.Plugin, home: HomeKind
  ) throws(HostError) -> PluginDescription {
    switch home {
    case .worker: try WorkerHome(describing: entry, expecting: plugin.id, plugin.limits).description
    case .host: try run(entry.path, expecting: plugin.id)
    }
  }

  /// Runs `symbolon describe FILE --id ID` and checks what it prints; nil takes any id.
  static func run(_ path: String, expecting id: String?) throws(HostError) -> PluginDescription {
    let subject = id.map { "The library of `\($0)`" } ?? "The library \(path)"
    let (pid, output) = try spawn(path, id)
    defer { close(output) }
    let deadline = MonotonicClock.nanoseconds + UInt64(seconds * 1e9)
    let bytes = read(output, until: deadline)
    guard let bytes, let status = wait(pid, until: deadline) else {
      kill(pid, SIGKILL)
      var ignored: Int32 = 0
      while waitpid(pid, &ignored, 0) < 0, errno == EINTR {}
      throw .refused(
        "describe_timed_out",
        "\(subject) did not say what it is within \(Int(seconds)) s: its constructors or its entry hang.")
    }
    guard status & 0x7f == 0 else {
      throw .refused(
        crashCode,
        "\(subject) ended the process that opened it, by signal \(status & 0x7f) "
          + "(\(String(cString: strsignal(status & 0x7f)))): it is not opened in the node.")
    }
    let description = try parse(bytes, exitStatus: (status >> 8) & 0xff, subject)
    try description.check(expecting: id ?? description.id)
    return description
  }

  private static func parse(
    _ bytes: [UInt8], exitStatus: Int32, _ subject: String
  ) throws(HostError) -> PluginDescription {
    guard exitStatus == 0, let answer = try? JSONValue(parsing: bytes) else {
      throw .refused(
        "describe_garbage",
        "\(subject) ended the process that opened it with status \(exitStatus) and no description: it must "
          + "neither exit nor write to the descriptors of its host.")
    }
    if let error = answer[key: "error"] { throw HostError(json: error) }
    return try PluginDescription(json: answer)
  }

  private static func spawn(_ path: String, _ id: String?) throws(HostError) -> (pid_t, Int32) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw failure(errno) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    let command = ["symbolon", DescribeCommand.name] + (id.map { ["--id", $0] } ?? []) + ["--", path]
    let kept: [String] = ["PATH", "LD_LIBRARY_PATH", "HOME"].compactMap { (name: String) in
      getenv(name).map { "\(name)=\(String(cString: $0))" }
    }
    var words: [UnsafeMutablePointer<CChar>?] = command.map { (word: String) in strdup(word) } + [nil]
    var environment: [UnsafeMutablePointer<CChar>?] =
      (kept + ["SWIFT_BACKTRACE=enable=no"] as [String]).map { (word: String) in strdup(word) } + [nil]
    defer { for word in words + environment { free(word) } }
    var child: pid_t = 0
    let status = posix_spawn(&child, ExecutablePath.current, &actions, &attributes, &words, &environment)
    close(ends[1])
    guard status == 0 else {
      close(ends[0])
      throw failure(status)
    }
    return (child, ends[0])
  }

  /// Everything up to the end; nil when the time is over or it is too much.
  private static func read(_ file: Int32, until deadline: UInt64) -> [UInt8]? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let now = MonotonicClock.nanoseconds
      guard now < deadline, bytes.count <= limit else { return nil }
      var event = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
      guard poll(&event, 1, Int32((deadline - now) / 1_000_000) + 1) > 0 else { continue }
      let count = Glibc.read(file, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      if count <= 0 { return bytes }
      bytes += buffer[..<count]
    }
  }

  private static func wait(_ child: pid_t, until deadline: UInt64) -> Int32? {
    var status: Int32 = 0
    while true {
      let found = waitpid(child, &status, WNOHANG)
      if found == child { return status }
      if found < 0, errno != EINTR { return nil }
      guard MonotonicClock.nanoseconds < deadline else { return nil }
      usleep(1000)
    }
  }

  private static func failure(_ number: Int32) -> HostError {
    .system("no_child", "No process could be started to look at a library: \(systemMessage(number)).")
  }
}

/// What children said of libraries, by hash, so that a start need not ask again.
struct DescriptionCache: Sendable {
  let folder: String

  /// Another build of the host may read a description otherwise.
  private static let host: String = {
    var status = stat()
    stat(ExecutablePath.current, &status)
    return "\(Version.current)-\(status.st_size)-\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
  }()

  func find(_ sha256: String) -> PluginDescription? {
    guard let bytes = try? Data(contentsOf: URL(filePath: path(sha256))), let value = try? JSONValue(parsing: bytes),
      value[key: "host"]?.string == Self.host, let json = value[key: "description"]
    else { return nil }
    return try? PluginDescription(json: json)
  }

  /// A cache that cannot be written costs time, nothing else.
  func keep(_ description: PluginDescription, for sha256: String) {
    try? makeFolder(folder, mode: 0o700)
    let value = JSONValue.object(["host": .string(Self.host), "description": description.json])
    unlink(path(sha256))
    try? PrivateFile.write(Array(value.text.utf8), to: path(sha256))
  }

  func forget(_ sha256: String) { unlink(path(sha256)) }

  private func path(_ sha256: String) -> String { "\(folder)/\(sha256).json" }
}
