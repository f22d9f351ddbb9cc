import Foundation

/// The repository that this test was compiled from: its files, and the programs that look into them.
enum Repository {
  /// The root folder, two above the folder of this file.
  static let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
    .deletingLastPathComponent()
    .deletingLastPathComponent()

  /// A file that belongs to the repository.
  struct File: CustomStringConvertible, Sendable {
    /// The path relative to the root.
    let path: String
    var description: String { path }
    var url: URL { root.appending(path: path) }
    var text: String { (try? String(contentsOf: url, encoding: .utf8)) ?? "" }
    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    var suffix: String { url.pathExtension }
    /// The first line when it names an interpreter: scripts have no suffix.
    var interpreter: Substring? { lines.first.flatMap { $0.hasPrefix("#!") ? $0 : nil } }
    var isSource: Bool { ["swift", "c", "h", "py", "js"].contains(suffix) || interpreter != nil }
  }

  /// All files known to git, new ones included unless ignored; deleted ones left out.
  static func files() throws -> [File] {
    try run("git", "ls-files", "--cached", "--others", "--exclude-standard").split(separator: "\n")
      .map { File(path: String($0)) }
      .filter { FileManager.default.fileExists(atPath: $0.url.path) }
  }

  /// A program that exited with another status than 0.
  struct ProgramFailure: Error, CustomStringConvertible {
    let description: String
  }

  /// Runs a program in the root folder and returns its standard output.
  static func run(_ program: String, _ arguments: String...) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.currentDirectoryURL = root
    process.standardInput = FileHandle.nullDevice
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = try output.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw ProgramFailure(description: "\(program) \(arguments.joined(separator: " ")): \(process.terminationStatus)")
    }
    return String(decoding: data, as: UTF8.self)
  }
}
