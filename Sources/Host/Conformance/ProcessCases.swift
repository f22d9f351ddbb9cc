import FoundationEssentials
import Glibc

/// The process is not the plugin's: what a whole life of it must leave as it was.
enum ProcessCases {
  static let all: [ConformanceCase] = [
    unchanged("process.signals", "Signal handlers stay") { ProcessState.signals },
    unchanged("process.locale", "The locale stays") { setlocale(LC_ALL, nil).map { String(cString: $0) } ?? "" },
    unchanged("process.folder", "The working folder stays") { FileManager.default.currentDirectoryPath },
    unchanged("process.environment", "The environment stays") { ProcessState.environment },
    unchanged("process.umask", "The file mode mask stays") {
      let mask = umask(0)
      umask(mask)
      return String(mask, radix: 8)
    },
    ConformanceCase("process.lives", "It does not end the process", needs: "life.cycle") {
      context throws(CaseEnd) in
      try live(context)
      return .success
    },
    ConformanceCase("process.output", "It writes nothing to standard output", needs: "method.keeps-nothing") {
      context throws(CaseEnd) in
      let library = try context.library()
      // What the other plugins do is none of its faults.
      try context.surround(library)
      let place = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
      var template = Array("\(place)/symbolon-verify-XXXXXX".utf8CString)
      let file = mkstemp(&template)
      unlink(template)
      guard file >= 0, dup2(file, STDOUT_FILENO) >= 0 else { throw .skip("No file can be made in \(place).") }
      try live(context, library)
      fflush(nil)
      let size = lseek(file, 0, SEEK_END)
      return size == 0 ? .success : .failed("It wrote \(size) bytes to standard output: use symbolon.log/1.")
    },
    ConformanceCase("process.threads", "Its threads end with it", needs: "method.keeps-nothing") {
      context throws(CaseEnd) in
      // The runtime of Swift starts threads of its own for whoever is first: they stay.
      let isSwift = try ElfFile(contentsOf: context.path).needed.contains {
        $0.hasPrefix("libswift") || $0.contains("dispatch")
      }
      let library = try context.library()
      try context.surround(library)
      let before = ProcessState.threads
      try live(context, library)
      let limit = MonotonicClock.nanoseconds + 2_000_000_000
      while ProcessState.threads > before, MonotonicClock.nanoseconds < limit { usleep(10_000) }
      let left = ProcessState.threads - before
      guard left > 0 else { return .success }
      let text = "\(left) threads of it still run after stop."
      return isSwift ? .warning(text + " They may be the Swift runtime's.") : .failed(text)
    },
    ConformanceCase("process.descriptors", "Its files are closed with it", needs: "method.keeps-nothing") {
      context throws(CaseEnd) in
      let library = try context.library()
      try context.surround(library)
      let before = ProcessState.descriptors
      try live(context, library)
      let left = ProcessState.descriptors.filter { before[$0.key] == nil }
      guard let one = left.values.sorted().first else { return .success }
      // Epoll and event descriptors of the Swift runtime serve the process.
      return left.values.allSatisfy { $0.hasPrefix("anon_inode:") }
        ? .warning("\(left.count) descriptors stay open, \(one) for one.")
        : .failed("\(left.count) descriptors stay open after destroy, \(one) for one.")
    },
    ConformanceCase("process.children", "It leaves no child processes", needs: "method.keeps-nothing") {
      context throws(CaseEnd) in
      try live(context)
      var status: Int32 = 0
      let child = waitpid(-1, &status, WNOHANG)
      return child < 0 ? .success : .failed("It started a process: plugins do not fork.")
    },
  ]

  /// Made, started, called, stopped, freed.
  private static func live(_ context: CaseContext, _ library: Library? = nil) throws(CaseEnd) {
    let opened: Library
    if let library { opened = library } else { opened = try context.library() }
    let subject = try context.subject(opened)
    do throws(HostError) {
      try subject.create()
      try subject.start()
    } catch {
      return
    }
    _ = try Sweep.run(context, subject, .ordinary, rounds: 2, CallOptions(memory: .plain), rules: [])
    subject.stop()
    subject.destroy()
  }

  private static func unchanged(
    _ name: String, _ summary: String, _ read: @escaping @Sendable () -> String
  ) -> ConformanceCase {
    ConformanceCase(name, summary, needs: "method.keeps-nothing") { context throws(CaseEnd) in
      let fresh = read()
      let library = try context.library()
      if let change = change(fresh, read()) { return .failed(change) }
      // What the other plugins change is none of its faults.
      try context.surround(library)
      let before = read()
      try live(context, library)
      return change(before, read()).map { .failed($0) } ?? .success
    }
  }

  private static func change(_ before: String, _ after: String) -> String? {
    guard before != after else { return nil }
    let (old, new) = (before.split(separator: "\n"), after.split(separator: "\n"))
    let (gone, come) = (old.filter { !new.contains($0) }, new.filter { !old.contains($0) })
    let change = [gone.first.map { "“\($0.prefix(80))” is gone" }, come.first.map { "“\($0.prefix(80))” has come" }]
    return "\(change.compactMap(\.self).joined(separator: ", ")): the process is the host's."
  }
}

/// What can be asked about this process.
enum ProcessState {
  /// The handler of every signal that has another than the usual one.
  static var signals: String {
    var found: [String] = []
    for number in 1..<65 {
      var action = sigaction()
      guard sigaction(Int32(number), nil, &action) == 0 else { continue }
      let handler = unsafeBitCast(action.__sigaction_handler.sa_handler, to: UInt.self)
      if handler != 0 { found.append("signal \(number) handled at \(String(handler, radix: 16))") }
    }
    return found.joined(separator: "\n")
  }

  static var environment: String {
    var texts: [String] = []
    var next = environ
    while let entry = next.pointee {
      texts.append(String(cString: entry))
      next += 1
    }
    return texts.sorted().joined(separator: "\n")
  }

  static var threads: Int { names("/proc/self/task").count }

  /// Open descriptors and what they are.
  static var descriptors: [Int32: String] {
    var found: [Int32: String] = [:]
    for name in names("/proc/self/fd") {
      guard let number = Int32(name),
        let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
      else { continue }
      if !target.hasPrefix("/proc/") { found[number] = target }
    }
    return found
  }

  private static func names(_ folder: String) -> [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
  }
}
