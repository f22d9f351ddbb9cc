import ArgumentParser
import Glibc

/// `symbolon describe FILE`: opens a library in this process and prints what it says of itself.
///
/// The node runs it as a child before it opens a library itself.
struct DescribeCommand: ParsableCommand {
  static let name = "describe"
  static let configuration = CommandConfiguration(
    commandName: name, abstract: "Print what a library says of itself.", shouldDisplay: false)

  @Argument(help: "The library.")
  var file: String

  @Option(help: "The id that it must have.")
  var id: String?

  func run() {
    // Whoever asked may be gone: a library that hangs ends by itself.
    alarm(UInt32(DescribeChild.seconds) + 5)
    var none = rlimit(rlim_cur: 0, rlim_max: 0)
    setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    // What the library prints is not what it is asked for.
    let output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
    dup2(STDERR_FILENO, STDOUT_FILENO)
    var answer: JSONValue
    do throws(HostError) {
      let path = try AbsolutePath.of(file)
      let entry = LibraryStore.Entry(sha256: "", path: path)
      answer = try Library(opening: entry, expecting: id, liveEntries: []).description.json
    } catch {
      answer = .object(["error": error.json])
    }
    let bytes = Array((answer.text + "\n").utf8)
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { write(output, $0.baseAddress.map { $0 + sent }, bytes.count - sent) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { _exit(1) }
      sent += count
    }
    // The library's own handlers at exit are not run.
    _exit(0)
  }
}
