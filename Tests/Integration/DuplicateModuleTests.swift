import Foundation
import Testing

/// Two versions of one Swift module in one process: what a reload makes of every layer, and PluginKit of all of them.
@Suite struct DuplicateModuleTests {
  @Test func eachVersionMeetsItsOwnTypes() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "duplicate-\(UUID())").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let fixtures = "\(RunningNode.root)/Tests/Fixtures"
    var libraries: [String] = []
    for (name, flags) in [("first", []), ("second", ["-DNEXT"])] {
      let path = "\(folder)/\(name)/libduplicate.so"
      try FileManager.default.createDirectory(atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
      let result = try RunningNode.run(
        ["swiftc", "-O", "-emit-library", "-module-name", "duplicate", "\(fixtures)/duplicate.swift", "-o", path]
          + flags)
      try #require(result.status == 0, "\(result.err)")
      libraries.append(path)
    }
    let host = "\(folder)/host"
    let compiled = try RunningNode.run(["cc", "-o", host, "\(fixtures)/duplicate_host.c", "-ldl", "-lpthread"])
    try #require(compiled.status == 0, "\(compiled.err)")
    for order in [libraries, libraries.reversed()] {
      let result = try RunningNode.run([host] + order)
      #expect(result.status == 0, "\(result.out)")
      #expect(result.out.split(separator: "\n").filter { $0.hasSuffix("bad=0") }.count == 4)
    }
  }
}
