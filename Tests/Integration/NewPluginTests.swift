import Foundation
import Testing

/// What `symbolon plugin new` writes builds as it is, and passes `symbolon plugin verify`.
@Suite struct NewPluginTests {
  private static let symbolon = "\(RunningNode.binaries)/symbolon"

  private func isInstalled(_ program: String) throws -> Bool {
    try RunningNode.run(["sh", "-c", "command -v \(program)"]).status == 0
  }

  @Test(arguments: [("c", "cc"), ("swift", "swift"), ("rust", "cargo")])
  func aNewProjectBuildsAndPasses(_ language: String, _ compiler: String) throws {
    guard try isInstalled(compiler) else { return }
    let folder = FileManager.default.temporaryDirectory.appending(path: "new-\(UUID())").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let new = try RunningNode.run(
      [Self.symbolon, "plugin", "new", "my_guests", "--language", language, "--output", folder])
    try #require(new.status == 0, "\(new.err)")
    let library = try #require(new.out.firstMatch(of: /plugin verify (\S+)/)?.1)
    let made = try RunningNode.run(["make", "-C", folder, "test", "SYMBOLON=\(Self.symbolon)"])
    #expect(made.status == 0, "\(made.out)\n\(made.err)")
    #expect(made.out.contains("success   method.keeps-nothing"), "\(made.out)")
    #expect(!made.out.contains("failed ") && !made.out.contains("warning "), "\(made.out)")
    #expect(FileManager.default.fileExists(atPath: "\(folder)/\(library)"))
    try runs("\(folder)/\(library)")
  }

  /// The plugin answers in a real node.
  private func runs(_ library: String) throws {
    try RunningNode.signer.get().sign(library)
    let node = try RunningNode(plugins: "[plugin.my_guests]\nlibrary = \"\(library)\"\nhome = \"host\"\n")
    defer { node.stop() }
    #expect(try node.command("my_guests", "greet", "--name", "Ada").out.contains("Hello, Ada!"), "\(node.log)")
    #expect(try node.command("my_guests", "count", "--limit", "4", "--json").out.split(separator: "\n").count == 4)
  }

  /// The program carries the headers as they are in this repository.
  @Test func theHeadersAreThoseOfTheContract() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "new-\(UUID())").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let new = try RunningNode.run([Self.symbolon, "plugin", "new", "guests", "--output", folder])
    try #require(new.status == 0, "\(new.err)")
    let difference = try RunningNode.run([
      "diff", "-r", "\(folder)/include/symbolon", "\(RunningNode.root)/Sources/PluginAPI/include/symbolon",
    ])
    #expect(difference.status == 0, "\(difference.out)")
  }

  /// Every file of Sources/CTemplates/projects is carried, and nothing in a project is still called after the pattern.
  @Test(arguments: ["c", "swift", "rust"])
  func everyFileOfAProjectIsWrittenUnderItsName(_ language: String) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "new-\(UUID())").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let new = try RunningNode.run([
      Self.symbolon, "plugin", "new", "guests", "--language", language, "--output", folder, "--json",
    ])
    try #require(new.status == 0, "\(new.err)")
    let pattern = "\(RunningNode.root)/Sources/CTemplates/projects/\(language)"
    let listed = try RunningNode.run(["git", "-C", pattern, "ls-files"]).out.split(separator: "\n").map(String.init)
    #expect(listed.count >= 4)
    for file in listed {
      let name = file.replacingOccurrences(of: "sample", with: "guests").replacingOccurrences(
        of: "Sample", with: "Guests")
      let text = try String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
      #expect(!text.lowercased().contains("sample"), "\(name)")
      let original = try String(contentsOfFile: "\(pattern)/\(file)", encoding: .utf8)
      #expect(text.split(separator: "\n").count == original.split(separator: "\n").count, "\(name) is an older one")
    }
  }

  @Test func aNameOrPlaceThatCannotBeIsRefused() throws {
    for name in ["Big", "1st", "with-dash", "static", String(repeating: "a", count: 33)] {
      let result = try RunningNode.run([Self.symbolon, "plugin", "new", name, "--output", "/nowhere/at/all"])
      #expect(result.status == 2 && result.err.contains("`\(name)`"), "\(result)")
    }
    let used = try RunningNode.run([Self.symbolon, "plugin", "new", "guests", "--output", RunningNode.root])
    #expect(used.status == 1 && used.err.contains("is not empty"))
  }
}
