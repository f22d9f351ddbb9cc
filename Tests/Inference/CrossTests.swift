import Foundation
import InferenceCore
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

  private static let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

  /// Builds the kernels and a program of the fixtures for aarch64 into a folder; the program's path.
  private func build(_ program: String, in folder: URL) throws -> String {
    let kernels = Self.here.appendingPathComponent("../../Plugins/Inference/Kernels").standardized
    let sources =
      try FileManager.default.contentsOfDirectory(at: kernels, includingPropertiesForKeys: nil)
      .filter { $0.pathExtension == "c" } + [Fixture.url(program + ".c")]
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
    let built = folder.appendingPathComponent(program).path
    _ = try run(Self.linker, ["-static", "-o", built] + objects + ["-pthread", "-lm"])
    return built
  }

  private func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }

  private static let need: Comment =
    "needs clang, gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user: Scripts/setup --tests installs them"

  @Test(.enabled(if: isPossible, need)) func neonGivesTheSameBits() throws {
    try withFolder { folder in
      let program = try build("digests", in: folder)
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

  /// A model as `run_model.c` reads it.
  private func blob(_ path: String, _ tiny: TinyModel, _ tokens: [Int32]) throws -> [UInt8] {
    let gguf = try GGUFFile(try MappedFile(path))
    let sizes = [
      tiny.width, tiny.layers, tiny.heads, tiny.kvHeads, tiny.headSize, tiny.feedWidth, tiny.vocabulary,
      Int(tiny.type.rawValue), tokens.count,
    ]
    var bytes = sizes.flatMap { TinyModel.little(Int32($0)) }
    bytes += TinyModel.little(Float(1e-5).bitPattern) + TinyModel.little(Double(10000).bitPattern)
    bytes += tokens.flatMap { TinyModel.little($0) }
    let ofLayer = [
      "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down",
    ]
    let names =
      ["token_embd", "output_norm", "output"]
      + (0..<tiny.layers).flatMap { layer in ofLayer.map { "blk.\(layer).\($0)" } }
    try withExtendedLifetime(gguf) {
      for name in names { bytes += try #require(gguf.tensors[name + ".weight"]).bytes }
    }
    return bytes
  }

  @Test(.enabled(if: isPossible, need)) func aWholeModelHasItsTraceOnNeon() throws {
    try withFolder { folder in
      let program = try build("run_model", in: folder)
      for type in [TensorType.q4_1, .q8_0, .q5_0, .f16] {
        var tiny = InvarianceTests.odd
        tiny.type = type
        let file = try TemporaryFile(tiny.bytes())
        let tokens = InvarianceTests.text(270, below: 301, seed: 5)
        let model = try TemporaryFile(blob(file.path, tiny, tokens), suffix: ".model")
        let sequence = ReferenceSequence(try ReferenceModel(GGUFFile(try MappedFile(file.path))))
        let run = try tokens.indices.flatMap { position in
          let step = try sequence.step(tokens[position])
          let row = step.logits.withUnsafeBufferPointer { InvarianceTests.digest($0) }
          return ["leaf \(position) \(step.digests.digests.map(\.hex).joined())", "logits \(position) \(row.hex)"]
        }
        let expected = ["scalar", "neon"].flatMap { path in
          [1, 3].flatMap { threads in ["path \(path) \(threads)"] + run }
        }
        let lines = try self.run(Self.emulator, [program, model.path]).split(separator: "\n").map(String.init)
        #expect(lines.count == expected.count)
        let first = zip(lines, expected).first { $0 != $1 }
        #expect(first == nil, "\(type)")
      }
    }
  }
}
