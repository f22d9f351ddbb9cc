import Foundation
import InferenceKernels
import Testing

/// The kernels as another machine's processor runs them: built by clang for aarch64, run by qemu, the same bits.
@Suite struct CrossTests {
  private static let compiler = find("clang")
  private static let linker = find("aarch64-linux-gnu-gcc")
  private static let emulator = find("qemu-aarch64")
  private static var isPossible: Bool { compiler != nil && linker != nil && emulator != nil }

  private static func find(_ program: String) -> String? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(program)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// What the program prints; its errors go where those of the test go.
  private func run(_ program: String?, _ arguments: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(program))
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let printed = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0, "\(program ?? "") \(arguments.joined(separator: " "))")
    return String(decoding: printed, as: UTF8.self)
  }

  @Test(
    .enabled(
      if: isPossible,
      "needs clang, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user: Scripts/setup --tests installs them"))
  func neonGivesTheSameBits() throws {
    let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    let kernels = here.appendingPathComponent("../../Plugins/Inference/Kernels").standardized
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let sources =
      try FileManager.default.contentsOfDirectory(at: kernels, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "c" } + [here.appendingPathComponent("Fixtures/digests.c")]
    let objects = try sources.map { source in
      let object = folder.appendingPathComponent(source.lastPathComponent + ".o").path
      _ = try run(
        Self.compiler,
        [
          "--target=aarch64-linux-gnu", "-isystem", "/usr/aarch64-linux-gnu/include", "-std=c11", "-O2", "-Wall",
          "-Wextra", "-Werror", "-I\(kernels.path)/include", "-c", source.path, "-o", object,
        ])
      return object
    }
    let program = folder.appendingPathComponent("digests").path
    _ = try run(Self.linker, ["-static", "-o", program] + objects + ["-pthread", "-lm"])

    let seed = UInt64.random(in: 0...UInt64.max)
    let rounds: Int32 = 60
    let lines = try run(Self.emulator, [program, String(seed), String(rounds)]).split(separator: "\n")
    let expected = ["scalar", "neon"].flatMap { path in
      (0..<symbolon_checks()).map { check in
        let digest = String(symbolon_check_digest(0, check, seed, rounds), radix: 16)
        let zeros = String(repeating: "0", count: 16 - digest.count)
        return "\(path) \(String(cString: symbolon_check_name(check))) \(zeros)\(digest)"
      }
    }
    #expect(lines.map(String.init) == expected, "seed \(seed)")
  }
}
