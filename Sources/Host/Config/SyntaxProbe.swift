import ArgumentParser
import Glibc
import TOMLKit

/// Lets a child process read a TOML text first.
///
/// toml++ ends its process by an assertion on some malformed texts (`[.` is the shortest). A file that an operator
/// edits must never do that to a node, so the child takes the risk, and a text that ends it is refused.
struct SyntaxProbe {
  private let lines: [Substring]

  init(_ text: String) { lines = text.split(separator: "\n", omittingEmptySubsequences: false) }

  /// The line (from 1) on which the parser gives up; nil when it survives the text.
  func fatalLine() throws(HostError) -> Int? {
    guard try isFatal(lines.count) else { return nil }
    // The parser reads from the front, so the shortest fatal beginning ends with the line that is looked for.
    var (harmless, fatal) = (0, lines.count)
    while fatal - harmless > 1 {
      let middle = (harmless + fatal) / 2
      if try isFatal(middle) { fatal = middle } else { harmless = middle }
    }
    return fatal
  }

  /// True when the parser does not survive the first `count` lines.
  private func isFatal(_ count: Int) throws(HostError) -> Bool {
    let text = Array(lines.prefix(count).joined(separator: "\n").utf8)
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0, fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0 else {
      throw .system("no_probe", "The configuration cannot be checked: \(systemMessage()).")
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
    posix_spawn_file_actions_addclose(&actions, ends[0])
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    var words: [UnsafeMutablePointer<CChar>?] = [strdup("symbolon"), strdup(ParseTOML.name), nil]
    var environment: [UnsafeMutablePointer<CChar>?] = [strdup("SWIFT_BACKTRACE=enable=no"), nil]
    defer { for word in words + environment { free(word) } }
    var child: pid_t = 0
    let spawned = posix_spawn(&child, ExecutablePath.current, &actions, nil, &words, &environment)
    close(ends[0])
    var sent = 0
    while spawned == 0, sent < text.count {
      let count = text.withUnsafeBytes { write(ends[1], $0.baseAddress.map { $0 + sent }, text.count - sent) }
      guard count > 0 else { break }
      sent += count
    }
    close(ends[1])
    guard spawned == 0 else {
      throw .system("no_probe", "The configuration cannot be checked: \(systemMessage(spawned)).")
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    return status & 0x7f != 0
  }
}

/// `symbolon parse-toml`: the child of a probe; reads standard input and lives, or does not.
struct ParseTOML: ParsableCommand {
  static let name = "parse-toml"
  static let configuration = CommandConfiguration(
    commandName: name, abstract: "Read TOML from standard input.", shouldDisplay: false)

  func run() {
    _ = try? TOMLTable(string: String(decoding: StandardInput.readAll(), as: UTF8.self))
  }
}
