import Foundation
import Testing

/// What was released stays as it was: the recorded headers are frozen, and the current ones only grow.
@Suite struct ReleasedContractTests {
  static let root = ContractCompileTests.root
  static let released = "\(root)/Sources/PluginAPI/released"
  /// The hash of each release's list of hashes.
  static let lists = ["1.0": "9d9ba1a629cf82fd7e09f8da7bf4a98f71b4473653d66ed5bf841fc79ea10f8b"]

  @Test func recordedHeadersNeverChange() throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: Self.released)
    #expect(Set(folders) == Set(Self.lists.keys), "a new release belongs into this test, an old one stays")
    for (release, digest) in Self.lists {
      let folder = "\(Self.released)/\(release)"
      #expect(try ContractCompileTests.run(["sha256sum", "\(folder)/SHA256SUMS"]).hasPrefix(digest))
      let check = try ContractCompileTests.run(
        ["sh", "-c", "cd \(folder)/include && sha256sum --quiet --strict --check ../SHA256SUMS"])
      #expect(check == "", "the headers of release \(release) are frozen: change Sources/PluginAPI/include instead")
      let files = try #require(FileManager.default.enumerator(atPath: "\(folder)/include")).compactMap { $0 as? String }
      let listed = try String(contentsOfFile: "\(folder)/SHA256SUMS", encoding: .utf8).split(separator: "\n").count
      #expect(files.filter { $0.hasSuffix(".h") }.count == listed)
    }
  }

  @Test func currentHeadersAreCompatibleWithEveryRelease() throws {
    let output = try ContractCompileTests.run(["\(Self.root)/Scripts/abi-check"])
    #expect(output.hasPrefix("since 1.0:"), "\(output)")
    #expect(output.contains("+ symbolon_method: uint32_t deadline_ms"))
  }

  /// Changes that would break plugins which are out there already, each with a word of what the check says.
  @Test(arguments: [
    ("method.h", "  const char *summary;", "  uint64_t early; const char *summary;", "summary"),
    ("method.h", "  uint32_t flags; ", "  uint64_t flags; ", "flags"),
    ("sink.h", "symbolon_slice message);", "symbolon_slice message, uint32_t more);", "symbolon_sink"),
    ("slice.h", "  uint64_t size;", "  uint32_t size;", "symbolon_slice"),
    ("status.h", "SYMBOLON_NOT_FOUND = 5", "SYMBOLON_NOT_FOUND = 25", "SYMBOLON_NOT_FOUND was 5 and is 25"),
    ("services/log.h", "\"symbolon.log/1\"", "\"symbolon.log/2\"", "SYMBOLON_LOG was symbolon.log/1"),
    (
      "extensions/routes.h", "typedef struct symbolon_routes {", "typedef struct symbolon_paths {", "symbolon_routes"
    ),
  ])
  func aBadChangeIsCaught(_ header: String, _ old: String, _ new: String, _ expected: String) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "headers-\(UUID())").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.copyItem(atPath: "\(Self.root)/Sources/PluginAPI/include", toPath: folder)
    let file = "\(folder)/symbolon/\(header)"
    let text = try String(contentsOfFile: file, encoding: .utf8)
    try #require(text.contains(old))
    try text.replacingOccurrences(of: old, with: new).write(toFile: file, atomically: true, encoding: .utf8)
    let output = try ContractCompileTests.run(["\(Self.root)/Scripts/abi-check", folder])
    #expect(output.hasPrefix("status 1:") && output.contains(expected), "\(output)")
  }

  @Test func aReorderedFieldIsCaughtThoughTheSizeStays() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "headers-\(UUID())").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.copyItem(atPath: "\(Self.root)/Sources/PluginAPI/include", toPath: folder)
    let file = "\(folder)/symbolon/import.h"
    var lines = try String(contentsOfFile: file, encoding: .utf8).split(
      separator: "\n", omittingEmptySubsequences: false)
    let place = try #require(lines.firstIndex { $0.hasPrefix("  const char *plugin;") })
    lines.swapAt(place, place + 1)
    try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
    let output = try ContractCompileTests.run(["\(Self.root)/Scripts/abi-check", folder])
    #expect(output.hasPrefix("status 1:") && output.contains("symbolon_import"), "\(output)")
  }

  /// Every field of every struct has a line in abi.c that pins its place.
  @Test func everyFieldIsPinned() throws {
    let dump = try ContractCompileTests.run(
      [
        "clang", "-x", "c", "-std=c11", "-fsyntax-only", "-I\(Self.root)/Sources/PluginAPI/include", "-Xclang",
        "-ast-dump=json", "-",
      ], input: "#include <symbolon/symbolon.h>\n")
    let tree = try #require(try JSONSerialization.jsonObject(with: Data(dump.utf8)) as? [String: Any])
    let pins = try String(contentsOfFile: "\(Self.root)/Sources/PluginAPI/abi.c", encoding: .utf8)
    var fields = 0
    for node in tree["inner"] as? [[String: Any]] ?? [] where node["kind"] as? String == "RecordDecl" {
      guard let name = node["name"] as? String, name.hasPrefix("symbolon_"), node["completeDefinition"] != nil else {
        continue
      }
      #expect(pins.contains("SIZE(\(name), "), "\(name)")
      for field in node["inner"] as? [[String: Any]] ?? [] where field["kind"] as? String == "FieldDecl" {
        let field = try #require(field["name"] as? String)
        #expect(pins.contains("AT(\(name), \(field), "), "\(name).\(field)")
        fields += 1
      }
    }
    #expect(fields > 100)
  }
}
