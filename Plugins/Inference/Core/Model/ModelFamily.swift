import InferenceKernels

/// The architectures that the engine runs, and how they differ: section 9 of `docs/arithmetic.md`.
package enum ModelFamily: String, CaseIterable, Sendable {
  case llama, qwen2, qwen3, gemma3

  /// The family of a file.
  init(_ gguf: GGUFFile) throws(InferenceError) {
    let name = gguf.keys["general.architecture"]?.string ?? "none"
    guard let family = ModelFamily(rawValue: name) else {
      let known = ModelFamily.allCases.map(\.rawValue).joined(separator: ", ")
      throw .model(
        gguf.file.path, "is of architecture \"\(name)\"; this engine runs \(known). Choose another model.",
        code: "unsupported_architecture")
    }
    self = family
  }

  /// Rotated pairs are half of the rotated dimensions apart, not neighbours.
  var rotatesHalves: Bool { self != .llama }
  /// Queries and keys are normed by head.
  var normsHeads: Bool { self == .qwen3 || self == .gemma3 }
  /// What attention and feed-forward give is normed before it is added.
  var normsOutputs: Bool { self == .gemma3 }
  /// The embedding is multiplied by sqrt(width).
  var scalesEmbedding: Bool { self == .gemma3 }
  /// Some layers see only a window.
  var hasWindows: Bool { self == .gemma3 }
  var gate: symbolon_gate { self == .gemma3 ? SYMBOLON_GELU : SYMBOLON_SILU }
}
