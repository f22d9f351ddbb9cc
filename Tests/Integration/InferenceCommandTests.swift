import Foundation
import Testing

/// `symbolon inference generate` and `replay`, by the real binary and without a node.
@Suite struct InferenceCommandTests {
  private static let library = Result { try RunningNode.layer("Inference") }

  private static func model() throws -> String {
    let home = ProcessInfo.processInfo.environment["HOME"] ?? ""
    let path =
      ProcessInfo.processInfo.environment["SYMBOLON_MODEL"]
      ?? "\(home)/.symbolon/models/SmolLM2-135M-Instruct.Q4_1.gguf"
    try #require(FileManager.default.fileExists(atPath: path), "run `make test`, which fetches \(path)")
    return path
  }

  private static func idle() throws -> RunningNode {
    try RunningNode(idle: "[plugin.inference]\nlibrary = \"\(try library.get())\"\n")
  }

  @Test func anAnswerHasAReceiptThatReplays() throws {
    let node = try Self.idle()
    defer { node.stop() }
    let model = try Self.model()
    let file = "\(node.scratch)/receipt.json"
    let made = try node.command(
      "inference", "generate", "--model", model, "--prompt", "The capital of France is", "--max-tokens", "6", "--seed",
      "7", "--threads", "2", "--isa", "scalar", "--json", "--receipt", file)
    #expect(made.status == 0, "\(made.err)")
    let result = try #require(try JSONSerialization.jsonObject(with: Data(made.out.utf8)) as? [String: Any])
    #expect(result["isa"] as? String == "scalar" && (result["output_tokens"] as? [Int])?.count == 6, "\(made.out)")
    let root = try #require(result["trace_root"] as? String)
    let replayed = try node.command("inference", "replay", file, "--model", model, "--json")
    #expect(replayed.status == 0 && replayed.out.contains(root), "\(replayed)")
    let shown = try node.command("inference", "replay", file, "--model", model, "--prompt", "The capital of Spain is")
    #expect(shown.status == 1 && shown.out.contains("NO   template"), "\(shown)")
  }

  @Test func badInputHasASentenceAndItsStatus() throws {
    let node = try Self.idle()
    defer { node.stop() }
    let model = try Self.model()
    let torn = "\(node.scratch)/torn.json"
    try "{\"version\":1,\"model_sha".write(toFile: torn, atomically: true, encoding: .utf8)
    let absent = try node.command("inference", "generate", "--model", "/nowhere.gguf", "--prompt", "a")
    #expect(absent.status == 4 && absent.err.contains("There is no file"), "\(absent)")
    let isa = try node.command("inference", "generate", "--model", model, "--prompt", "a", "--isa", "mmx")
    #expect(isa.status == 2 && isa.err.contains("scalar, avx2, avx512 and neon"), "\(isa)")
    let long = try node.command(
      "inference", "generate", "--model", model, "--prompt", "a", "--max-tokens", "100000")
    #expect(long.status == 2 && long.err.contains("context"), "\(long)")
    let broken = try node.command("inference", "replay", torn)
    #expect(broken.status == 2 && broken.err.contains("not JSON"), "\(broken)")
    let none = try node.command("inference", "replay", "\(node.scratch)/none.json")
    #expect(none.status == 4, "\(none)")
    #expect(try node.command("inference", "generate", "--prompt", "a").status == 2)
  }
}
