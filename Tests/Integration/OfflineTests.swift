import Foundation
import Testing

/// Commands of a layer that run in their own process, with and without a node.
@Suite struct OfflineTests {
  private static let library = Result { try RunningNode.fixture([], source: "offline.c") }

  private static func idle(_ more: String = "") throws -> RunningNode {
    try RunningNode(idle: "[plugin.fixture]\nlibrary = \"\(try library.get())\"\n\(more)")
  }

  @Test func optionsBecomeMembersOfTheArgument() throws {
    let node = try Self.idle()
    defer { node.stop() }
    try "{\"a\":[1]}".write(toFile: "\(node.scratch)/a.json", atomically: true, encoding: .utf8)
    let result = try node.command(
      "fixture", "again", "--json", "42", "--max-count", "3", "--share", "0.5", "--more", "x", "--more", "y",
      "--file", "\(node.scratch)/b", "--document", "\(node.scratch)/a.json")
    #expect(result.status == 0, "\(result.err)")
    let expected =
      "{\"ok\":true,\"request\":{\"document\":{\"a\":[1]},\"file\":\"\(node.scratch)/b\",\"max_count\":3,"
      + "\"more\":[\"x\",\"y\"],\"share\":0.5,\"word\":\"42\"}}\n"
    #expect(result.out == expected)
    #expect(!FileManager.default.fileExists(atPath: "\(node.scratch)/data/lock"), "the node's folder is left alone")
  }

  @Test func textIsTheOutputAndTheResultStandsBesideIt() throws {
    let node = try Self.idle()
    defer { node.stop() }
    let result = try node.command("fixture", "again", "word")
    #expect(result.status == 0 && result.out == "one two\n" && result.err.contains("request"), "\(result)")
    #expect(try node.command("fixture", "again", "word", "--fail").status == 1)
    #expect(try node.command("fixture", "add", "2", "3").out == "5\n")
  }

  @Test(arguments: ["host", "worker"]) func whatFailsHasASentenceAndItsStatus(_ home: String) throws {
    let node = try Self.idle("home = \"\(home)\"\n")
    defer { node.stop() }
    let refused = try node.command("fixture", "again", "word", "--refuse")
    #expect(refused.status == 4 && refused.err.contains("look elsewhere"), "\(refused)")
    let missing = try node.command("fixture", "again")
    #expect(missing.status == 2 && missing.err.contains("needs --word"), "\(missing)")
    let unknown = try node.command("fixture", "again", "word", "--max-cuont", "3")
    #expect(unknown.status == 2 && unknown.err.contains("Did you mean --max-count?"), "\(unknown)")
    let other = try node.command("fixture", "nothing")
    #expect(other.status == 3 && other.err.contains("`symbolon fixture again`"), "\(other)")
    #expect(try node.command("ledger", "head").status == 3)
  }

  @Test func helpShowsTheMembers() throws {
    let node = try Self.idle()
    defer { node.stop() }
    let help = try node.command("fixture", "again", "--help")
    #expect(help.status == 0 && help.out.contains("symbolon fixture again <word>"), "\(help)")
    #expect(help.out.contains("--max-count <integer>") && help.out.contains("How often"), "\(help.out)")
    #expect(try node.command("fixture").out.contains("fixture again"))
  }

  @Test func itsWordsAreCompletedWithoutANode() throws {
    let node = try Self.idle()
    defer { node.stop() }
    let names = try node.command("complete-words", "fixture").out.split(separator: "\n")
    #expect(names.contains("again") && names.contains("add"), "\(names)")
    let options = try node.command("complete-words", "fixture", "again", "--share", "0.5").out.split(separator: "\n")
    #expect(options.contains("--max-count") && !options.contains("--share"), "\(options)")
  }

  @Test func aRunningNodeLeavesTheMethodToTheCommand() throws {
    let node = try Self.idle()
    defer { node.stop() }
    try node.start()
    #expect(try node.command("fixture", "again", "word").out == "one two\n")
    #expect(try node.command("fixture", "again", "--help").out.contains("--max-count"))
    let (status, _, words) = try node.command("plugin", "list", "--json")
    #expect(status == 0, "\(words)")
  }

  @Test func controlCIsARequestToEnd() throws {
    let node = try Self.idle()
    defer { node.stop() }
    let folder = "\(node.scratch)/tmp"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let process = Process()
    process.executableURL = URL(filePath: "\(RunningNode.binaries)/symbolon")
    process.arguments = ["fixture", "again", "word", "--wait"]
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["SYMBOLON_CONFIG": node.configuration, "TMPDIR": folder]
    ) { $1 }
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    // The handler is there as soon as the library is loaded, which its place in the scratch folder shows.
    try node.waitUntil {
      let names = try FileManager.default.subpathsOfDirectory(atPath: folder)
      return names.contains { $0.hasSuffix("data/fixture") }
    }
    kill(process.processIdentifier, SIGINT)
    try node.waitUntil { !process.isRunning }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [], "nothing stays behind")
  }
}
