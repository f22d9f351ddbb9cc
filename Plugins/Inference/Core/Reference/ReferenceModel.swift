/// A model as its file describes it, for the second implementation: section 9 of `docs/arithmetic.md`.
///
/// It reads the keys and tensors by itself, so that a wrong reading by the engine shows as a different trace.
///
/// `@unchecked Sendable`: nothing changes after `init`, and the file's mapping lives as long as `gguf`.
package final class ReferenceModel: @unchecked Sendable {
  /// How the families differ.
  struct Family {
    /// Rotated pairs are half a head apart, not neighbours.
    var halves = true
    /// The feed-forward gate is GELU, not SiLU.
    var gelu = false
    /// The embedding is multiplied by sqrt(width).
    var scalesEmbedding = false
    /// Attention and feed-forward outputs are normed before they are added.
    var normsOutputs = false
    /// Queries and keys are normed by head.
    var normsHeads = false

    static func named(_ architecture: String) -> Family? {
      switch architecture {
      case "llama": Family(halves: false)
      case "qwen2": Family()
      case "qwen3": Family(normsHeads: true)
      case "gemma3": Family(gelu: true, scalesEmbedding: true, normsOutputs: true, normsHeads: true)
      default: nil
      }
    }
  }

  /// One layer; what a family does not have is nil.
  struct Layer {
    let attentionNorm: [Float]
    let query, key, value, output: ReferenceMatrix
    let queryBias, keyBias, valueBias, outputBias: [Float]?
    let queryNorm, keyNorm: [Float]?
    let attentionPostNorm: [Float]?
    let feedNorm: [Float]
    let gate, up, down: ReferenceMatrix
    let gateBias, upBias, downBias: [Float]?
    let feedPostNorm: [Float]?
    let rotation: ReferenceRotation
    /// Keys at this distance and beyond are not seen; nil for none.
    let window: Int?
  }

  package let width, heads, kvHeads, headSize: Int
  package let vocabulary: Int
  let family: Family
  let epsilon: Float
  let embedding: ReferenceMatrix
  let layers: [Layer]
  let outputNorm: [Float]
  let head: ReferenceMatrix
  private let gguf: GGUFFile

  /// The model of a file; throws when a tensor or key is missing or has another form than the text says.
  package init(_ gguf: GGUFFile) throws(InferenceError) {
    let reader = Reader(gguf)
    guard let family = Family.named(reader.architecture) else {
      throw reader.wrong("is of architecture \"\(reader.architecture)\"")
    }
    let width = try reader.count("embedding_length")
    let heads = try reader.count("attention.head_count")
    let kvHeads = try reader.count("attention.head_count_kv", otherwise: heads)
    let headSize = try reader.count("attention.key_length", otherwise: heads > 0 ? width / heads : 0)
    let layerCount = try reader.count("block_count")
    guard width > 0, heads > 0, kvHeads > 0, headSize > 0, layerCount > 0, heads % kvHeads == 0 else {
      throw reader.wrong("has sizes of zero, or heads that its key heads do not divide")
    }
    epsilon = Float(try reader.number("attention.layer_norm_rms_epsilon", otherwise: 1e-5))
    self.gguf = gguf
    self.family = family
    (self.width, self.heads, self.kvHeads, self.headSize) = (width, heads, kvHeads, headSize)
    embedding = try reader.matrix("token_embd.weight")
    vocabulary = embedding.rows
    outputNorm = try reader.vector("output_norm.weight")
    head = gguf.tensors["output.weight"] == nil ? embedding : try reader.matrix("output.weight")
    let rotation = try Rotation(reader, headSize: headSize, layers: layerCount)
    layers = try (0..<layerCount).map { layer throws(InferenceError) in
      try Self.layer(layer, reader, family, rotation)
    }
  }

  private static func layer(
    _ index: Int, _ reader: Reader, _ family: Family, _ rotation: Rotation
  ) throws(InferenceError) -> Layer {
    let prefix = "blk.\(index)."
    func matrix(_ name: String) throws(InferenceError) -> ReferenceMatrix {
      try reader.matrix(prefix + name + ".weight")
    }
    func vector(_ name: String, when present: Bool = true) throws(InferenceError) -> [Float]? {
      present ? try reader.vector(prefix + name + ".weight") : nil
    }
    func bias(_ name: String) throws(InferenceError) -> [Float]? {
      reader.has(prefix + name + ".bias") ? try reader.vector(prefix + name + ".bias") : nil
    }
    let isLocal = rotation.isLocal(index)
    return Layer(
      attentionNorm: try reader.vector(prefix + "attn_norm.weight"),
      query: try matrix("attn_q"), key: try matrix("attn_k"), value: try matrix("attn_v"),
      output: try matrix("attn_output"), queryBias: try bias("attn_q"), keyBias: try bias("attn_k"),
      valueBias: try bias("attn_v"), outputBias: try bias("attn_output"),
      queryNorm: try vector("attn_q_norm", when: family.normsHeads),
      keyNorm: try vector("attn_k_norm", when: family.normsHeads),
      attentionPostNorm: try vector("post_attention_norm", when: family.normsOutputs),
      feedNorm: try reader.vector(prefix + "ffn_norm.weight"), gate: try matrix("ffn_gate"),
      up: try matrix("ffn_up"), down: try matrix("ffn_down"), gateBias: try bias("ffn_gate"),
      upBias: try bias("ffn_up"), downBias: try bias("ffn_down"),
      feedPostNorm: try vector("post_ffw_norm", when: family.normsOutputs),
      rotation: isLocal ? rotation.local : rotation.global, window: isLocal ? rotation.window : nil)
  }
}

extension ReferenceModel {
  /// Keys and tensors of a file, by name.
  struct Reader {
    let gguf: GGUFFile
    let architecture: String

    init(_ gguf: GGUFFile) {
      self.gguf = gguf
      architecture = gguf.keys["general.architecture"]?.string ?? "none"
    }

    func wrong(_ reason: String) -> InferenceError {
      .model(gguf.file.path, "\(reason), which the reference implementation does not run.", code: "not_in_reference")
    }

    func has(_ tensor: String) -> Bool { gguf.tensors[tensor] != nil }

    /// A key of the architecture that is a count.
    func count(_ key: String, otherwise: Int? = nil) throws(InferenceError) -> Int {
      guard let value = gguf.keys["\(architecture).\(key)"]?.count ?? otherwise, value <= 1 << 24 else {
        throw wrong("has no usable \(architecture).\(key)")
      }
      return value
    }

    func number(_ key: String, otherwise: Double) throws(InferenceError) -> Double {
      guard let value = gguf.keys["\(architecture).\(key)"] else { return otherwise }
      guard let number = value.double, number.isFinite else { throw wrong("has no number for \(architecture).\(key)") }
      return number
    }

    func text(_ key: String) -> String? { gguf.keys["\(architecture).\(key)"]?.string }

    /// A flag for each layer, or a period of which the last layer has no window.
    func localLayers(of layers: Int) throws(InferenceError) -> [Bool] {
      let key = "attention.sliding_window_pattern"
      guard case .array(let flags) = gguf.keys["\(architecture).\(key)"] else {
        let period = try count(key, otherwise: 6)
        return (0..<layers).map { $0 % period < period - 1 }
      }
      guard flags.type == .bool, flags.count == layers else { throw wrong("has windows for other layers than it has") }
      return flags.elements.map { $0 != 0 }
    }

    func matrix(_ name: String) throws(InferenceError) -> ReferenceMatrix {
      guard let tensor = gguf.tensors[name], tensor.shape.count == 2,
        let storage = ReferenceMatrix.Storage(rawValue: tensor.type),
        let matrix = ReferenceMatrix(
          storage: storage, rows: tensor.shape[1], columns: tensor.shape[0], bytes: tensor.bytes)
      else { throw wrong("has no matrix \(name) of a known form") }
      return matrix
    }

    func vector(_ name: String) throws(InferenceError) -> [Float] {
      guard let tensor = gguf.tensors[name], tensor.shape.count == 1, tensor.type == 0 else {
        throw wrong("has no vector \(name) in binary32")
      }
      return (0..<tensor.shape[0]).map { index in
        let bits = tensor.bytes.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
        return Float(bitPattern: UInt32(littleEndian: bits))
      }
    }
  }

  /// The rotations of a model and which layers see only a window.
  struct Rotation {
    let global: ReferenceRotation
    let local: ReferenceRotation
    let window: Int?
    private let isLocal: [Bool]

    init(_ reader: Reader, headSize: Int, layers: Int) throws(InferenceError) {
      let base = try reader.number("rope.freq_base", otherwise: 1e4)
      let dimension = try reader.count("rope.dimension_count", otherwise: headSize)
      guard dimension > 0, dimension <= headSize, dimension % 2 == 0 else {
        throw reader.wrong("rotates \(dimension) of \(headSize) dimensions")
      }
      var rotation = ReferenceRotation(base: base, dimension: dimension)
      let old = try reader.number("rope.scale_linear", otherwise: 1)
      let factor = try reader.number("rope.scaling.factor", otherwise: old)
      let original = try reader.count(
        "rope.scaling.original_context_length",
        otherwise: reader.gguf.keys["\(reader.architecture).context_length"]?.count)
      switch reader.text("rope.scaling.type") ?? (old == 1 ? "none" : "linear") {
      case "none": break
      case "linear": rotation.scaleLinearly(by: Float(factor))
      case "yarn":
        rotation.scaleByYaRN(
          base: base, factor: factor,
          original: Double(original),
          attention: try reader.number("rope.scaling.attn_factor", otherwise: 1),
          fast: try reader.number("rope.scaling.yarn_beta_fast", otherwise: 32),
          slow: try reader.number("rope.scaling.yarn_beta_slow", otherwise: 1))
      case let other: throw reader.wrong("scales its rotation by \"\(other)\"")
      }
      if reader.has("rope_freqs.weight") {
        rotation.frequencies = zip(rotation.frequencies, try reader.vector("rope_freqs.weight")).map { $0 / $1 }
      }
      global = rotation
      local = ReferenceRotation(base: try reader.number("rope.freq_base_swa", otherwise: 1e4), dimension: dimension)
      let size = reader.architecture == "gemma3" ? try reader.count("attention.sliding_window", otherwise: 0) : 0
      window = size > 0 ? size : nil
      isLocal = size > 0 ? try reader.localLayers(of: layers) : Array(repeating: false, count: layers)
    }

    func isLocal(_ layer: Int) -> Bool { isLocal[layer] }
  }
}
