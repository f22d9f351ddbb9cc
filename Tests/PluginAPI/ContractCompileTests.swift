import Foundation
import PluginAPI
import Testing

/// The contract is read by C and C++ compilers of strangers: strictly, and without warnings.
@Suite struct ContractCompileTests {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

  @Test(arguments: [
    ["cc", "-x", "c", "-std=c11"], ["c++", "-x", "c++", "-std=c++17"], ["c++", "-x", "c++", "-std=c++20"],
    ["clang", "-x", "c", "-std=c11"], ["clang", "-x", "c++", "-std=c++17"], ["clang", "-x", "c++", "-std=c++20"],
  ])
  func headersCompileWithoutWarnings(_ compiler: [String]) throws {
    let source = "\(Self.root)/Sources/PluginAPI/abi.c"
    let flags = [
      "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I\(Self.root)/Sources/PluginAPI/include",
    ]
    #expect(try Self.run(compiler + flags + [source]) == "")
  }

  @Test func everyHeaderStandsAlone() throws {
    let include = "\(Self.root)/Sources/PluginAPI/include"
    let files = try #require(FileManager.default.enumerator(atPath: include)).compactMap { $0 as? String }
    let headers = files.filter { $0.hasSuffix(".h") }
    #expect(headers.count >= 20)
    for header in headers {
      let output = try Self.run(
        ["cc", "-x", "c", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I\(include)", "-"],
        input: "#include \"\(header)\"\nint symbolon_nothing;\n")
      #expect(output == "", "\(header)")
    }
  }

  @Test func theExampleIsShortAndBuildsWithOneLine() throws {
    let source = "\(Self.root)/Examples/hello-c/hello.c"
    #expect(try String(contentsOfFile: source, encoding: .utf8).split(separator: "\n").count < 60)
    let library = FileManager.default.temporaryDirectory.appending(path: "libhello-\(UUID()).so").path
    defer { try? FileManager.default.removeItem(atPath: library) }
    let output = try Self.run([
      "cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden",
      "-I\(Self.root)/Sources/PluginAPI/include", "-o", library, source,
    ])
    #expect(output == "")
    #expect(FileManager.default.fileExists(atPath: library))
  }

  @Test func failCutsLongTextsAndTerminatesThem() {
    var error = symbolon_error()
    var call = symbolon_call()
    let status = withUnsafeMutablePointer(to: &error) { slot in
      call.error = slot
      return symbolon_fail(
        &call, Int32(SYMBOLON_NOT_FOUND), String(repeating: "c", count: 200), String(repeating: "m", count: 5000))
    }
    #expect(status == SYMBOLON_NOT_FOUND && error.status == SYMBOLON_NOT_FOUND)
    #expect(withUnsafeBytes(of: error.code) { $0.firstIndex(of: 0) } == Int(SYMBOLON_ERROR_CODE_MAX) - 1)
    #expect(withUnsafeBytes(of: error.message) { $0.firstIndex(of: 0) } == Int(SYMBOLON_ERROR_MESSAGE_MAX) - 1)
  }

  /// Runs a compiler and gives back everything it said.
  static func run(_ command: [String], input: String? = nil) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = command
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    let source = Pipe()
    process.standardInput = source
    try process.run()
    if let input { source.fileHandleForWriting.write(Data(input.utf8)) }
    try source.fileHandleForWriting.close()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return process.terminationStatus == 0 ? text : "status \(process.terminationStatus): \(text)"
  }
}
