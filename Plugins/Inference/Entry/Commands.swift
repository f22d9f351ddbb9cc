import InferenceCore
import PluginKit

/// The commands of this layer that need no node, and what they take.
extension InferenceLayer {
  private static let machine: [OfflineMethod.Member] = [
    .init("threads", .integer, "Threads that compute, 1 to 64; one a processor if not given"),
    .init("isa", .text, "scalar, avx2, avx512 or neon; the best of this machine if not given"),
  ]

  static let offline = [
    OfflineMethod(
      "generate_file",
      members: [
        .init("model", .path, "The model's .gguf file", required: true),
        .init("prompt", .text, "What the model goes on from"),
        .init("chat", .flag, "Makes a user's message of the prompt, in the model's template"),
        .init("messages", .document, "A JSON file of messages, in place of a prompt"),
        .init("max_tokens", .integer, "The most tokens of the answer"),
        .init("seed", .integer, "Same seed, same answer; one is drawn if not given"),
        .init("temperature", .number, "0 to 2; 0 takes the likeliest token always"),
        .init("top_k", .integer, "Only so many of the likeliest tokens; 0 for all"),
        .init("top_p", .number, "Only the likeliest tokens that reach this share together"),
        .init("min_p", .number, "Only tokens at least this share as likely as the likeliest"),
        .init("typical_p", .number, "Only the most typical tokens that reach this share together"),
        .init("repetition_penalty", .number, "0.01 to 2; 1 for none"),
        .init("frequency_penalty", .number, "-2 to 2"),
        .init("presence_penalty", .number, "-2 to 2"),
        .init("stop", .texts, "A text at which the answer ends"),
      ] + machine + [
        .init("receipt", .flag, "Makes a signed receipt; into the file, if one is named behind it"),
        .init("receipt_file", .path, "Where the receipt goes", positional: true),
        .init("digests", .flag, "The receipt tells the digests of every layer"),
      ]),
    OfflineMethod(
      "replay",
      members: [
        .init("receipt", .document, "The receipt's file", required: true, positional: true),
        .init("model", .path, "The model's .gguf file; looked for in ~/.symbolon/models if not given"),
        .init("messages", .document, "What is said to have been asked, as a JSON file of messages"),
        .init("prompt", .text, "The same, as a text without a template"),
        .init("operators", .document, "The other side's trace of the first position that differs, a JSON file"),
      ] + machine),
    OfflineMethod(
      "trace",
      members: [
        .init("model", .path, "The model's .gguf file", required: true),
        .init("prompt", .text, "The text whose tokens are computed"),
        .init("chat", .flag, "Makes a user's message of the prompt, in the model's template"),
        .init("messages", .document, "A JSON file of messages, in place of a prompt"),
        .init("receipt", .document, "A receipt's file, in place of a prompt: its prompt and its answer"),
        .init("position", .integer, "Which token, from 0; the last if not given"),
        .init("layer", .integer, "This layer alone; the head comes after the last"),
        .init("reference", .flag, "By the second implementation, which is slow"),
        .init("compare", .document, "What this command printed elsewhere with --json: where do they differ?"),
      ] + machine),
  ]

  /// Answers from a model's file.
  func generateFile(_ call: Call, _ out: Output, _ request: JSON) throws {
    try failing { try GenerateCommand.run(request.text, setting(call, out)) }
  }

  /// Computes an answer again.
  func replay(_ call: Call, _ out: Output, _ request: JSON) throws {
    try failing { try ReplayCommand.run(request.text, setting(call, out)) }
  }

  /// Shows what every operator gave at one position.
  func trace(_ call: Call, _ out: Output, _ request: JSON) throws {
    try failing { try TraceCommand.run(request.text, setting(call, out)) }
  }

  private func setting(_ call: Call, _ out: Output) -> CommandSetting {
    CommandSetting(
      provider: { try self.host.publicKey() }, sign: { try self.host.sign($0) },
      seed: { try self.host.random(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } },
      isCancelled: { call.isCancelled }, emit: { try out.write($0.text) })
  }
}
