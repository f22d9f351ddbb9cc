/// The sizes of a model, read from its file and checked against each other: section 9.1 of `docs/arithmetic.md`.
package struct Hyperparameters: Equatable, Sendable {
  package let family: ModelFamily
  package let width: Int
  package let layers: Int
  package let heads: Int
  package let kvHeads: Int
  package let headSize: Int
  /// Dimensions of a head that are rotated.
  package let rotated: Int
  package let feedWidth: Int
  package let contextLength: Int
  package let epsilon: Float
  /// Keys at this distance and beyond are not seen by local layers; nil for none.
  package let window: Int?
  /// Which layers are local.
  package let isLocal: [Bool]

  package init(_ gguf: GGUFFile) throws(InferenceError) {
    let reader = HyperparameterReader(gguf, try ModelFamily(gguf))
    try reader.refuseUnknown()
    family = reader.family
    width = try reader.size("embedding_length", 32...32768)
    layers = try reader.size("block_count", 1...512)
    heads = try reader.size("attention.head_count", 1...512)
    kvHeads = try reader.size("attention.head_count_kv", 1...512, otherwise: heads)
    feedWidth = try reader.size("feed_forward_length", 32...262_144)
    let context = try reader.size("context_length", 16...1_048_576)
    contextLength = context
    headSize = try reader.size("attention.key_length", 2...512, otherwise: width / heads)
    rotated = try reader.size("rope.dimension_count", 2...512, otherwise: headSize)
    epsilon = Float(try reader.number("attention.layer_norm_rms_epsilon", otherwise: 1e-5))
    guard width % 32 == 0, feedWidth % 32 == 0, heads * headSize % 32 == 0, heads % kvHeads == 0 else {
      throw reader.wrong(
        "has sizes this engine does not run (width \(width), feed-forward \(feedWidth), heads \(heads)/\(kvHeads) of "
          + "\(headSize)): widths must be multiples of 32, and heads of key heads. Choose another model.")
    }
    guard headSize % 2 == 0, rotated % 2 == 0, rotated <= headSize else {
      throw reader.wrong(
        "rotates \(rotated) of \(headSize) dimensions of a head, which this engine does not run: both must be even. "
          + "Choose another model.")
    }
    guard epsilon > 0, epsilon < 1 else {
      throw reader.wrong("adds \(epsilon) in its norms; a number between 0 and 1 is expected. Fetch it again.")
    }
    let size = try reader.size("attention.sliding_window", 0...1 << 24, otherwise: 0)
    guard family.hasWindows || size == 0 || size >= context else {
      throw reader.wrong(
        "sees a window of \(size) tokens, which this engine does not run for \(family.rawValue). "
          + "Choose another model.")
    }
    window = family.hasWindows && size > 0 ? size : nil
    isLocal = window == nil ? Array(repeating: false, count: layers) : try reader.localLayers(of: layers)
    try reader.refuseOthers(self)
  }
}

/// Reads keys of the family, and refuses those that ask for what this engine does not compute.
struct HyperparameterReader {
  let gguf: GGUFFile
  let family: ModelFamily

  init(_ gguf: GGUFFile, _ family: ModelFamily) {
    self.gguf = gguf
    self.family = family
  }

  func wrong(_ reason: String) -> InferenceError {
    .model(gguf.file.path, reason, code: "bad_hyperparameters")
  }

  func value(_ key: String) -> GGUFValue? { gguf.keys["\(family.rawValue).\(key)"] }

  /// A key that is a count within bounds.
  func size(_ key: String, _ range: ClosedRange<Int>, otherwise: Int? = nil) throws(InferenceError) -> Int {
    let value = value(key)
    guard let count = value == nil ? otherwise : value?.count, range.contains(count) else {
      let found = value == nil ? "nothing" : value?.count.map(String.init) ?? "something else than a count"
      throw wrong(
        "gives \(found) for \(family.rawValue).\(key); \(range.lowerBound) to \(range.upperBound) is expected. "
          + "Fetch it again.")
    }
    return count
  }

  /// A key that is a finite number.
  func number(_ key: String, otherwise: Double) throws(InferenceError) -> Double {
    guard let value = value(key) else { return otherwise }
    guard let number = value.double, number.isFinite else {
      throw wrong("gives no number for \(family.rawValue).\(key). Fetch it again.")
    }
    return number
  }

  /// A flag for each layer, or a period of which the last layer has no window.
  func localLayers(of layers: Int) throws(InferenceError) -> [Bool] {
    let key = "attention.sliding_window_pattern"
    guard case .array(let flags) = value(key) else {
      let period = try size(key, 1...512, otherwise: 6)
      return (0..<layers).map { $0 % period < period - 1 }
    }
    guard flags.type == .bool, flags.count == layers else {
      throw wrong(
        "gives \(flags.count) values for \(family.rawValue).\(key); a flag for each of \(layers) layers is expected. "
          + "Fetch it again.")
    }
    return flags.elements.map { $0 != 0 }
  }

  /// The keys that section 9 reads, and those that say nothing about the arithmetic.
  private static let known: Set = [
    "embedding_length", "block_count", "attention.head_count", "attention.head_count_kv", "feed_forward_length",
    "context_length", "attention.key_length", "attention.value_length", "attention.layer_norm_rms_epsilon",
    "attention.sliding_window", "attention.sliding_window_pattern", "rope.dimension_count", "rope.freq_base",
    "rope.freq_base_swa", "rope.scale_linear", "rope.scaling.type", "rope.scaling.factor",
    "rope.scaling.attn_factor", "rope.scaling.original_context_length", "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow", "rope.scaling.finetuned", "vocab_size", "tensor_data_layout", "pooling_type",
    "attention.layer_norm_epsilon", "classifier.output_labels",
  ]

  /// Keys that are of no effect with these values.
  private static let neutral: [String: Double] = [
    "expert_count": 0, "expert_used_count": 0, "attention.scale": 0, "attention.max_alibi_bias": 0,
    "attention.clamp_kqv": 0, "attention.shared_kv_layers": 0, "attention.temperature_length": 0,
    "attn_logit_softcapping": 0, "final_logit_softcapping": 0, "logit_scale": 1, "embedding_scale": 1,
    "residual_scale": 1, "rope.scaling.yarn_ext_factor": 1, "rope.scaling.yarn_attn_factor": 1,
    "rope.scaling.yarn_log_multiplier": 0, "leading_dense_block_count": 0, "nextn_predict_layers": 0,
  ]

  /// A key that nothing reads means a model that this engine would run wrongly.
  func refuseUnknown() throws(InferenceError) {
    let prefix = family.rawValue + "."
    for key in gguf.keys.keys.filter({ $0.hasPrefix(prefix) }).sorted() {
      let name = String(key.dropFirst(prefix.count))
      if Self.known.contains(name) { continue }
      if let neutral = Self.neutral[name], value(name)?.double == neutral { continue }
      if name == "attention.causal" || name == "use_parallel_residual", case .bool(let flag) = value(name),
        flag == (name == "attention.causal")
      {
        continue
      }
      throw wrong(
        "carries the key \(key), which asks for something that this engine does not compute. Choose another model.")
    }
  }

  /// What no single key tells.
  func refuseOthers(_ sizes: Hyperparameters) throws(InferenceError) {
    let values = try size("attention.value_length", 1...512, otherwise: sizes.headSize)
    guard values == sizes.headSize else {
      throw wrong(
        "has keys of \(sizes.headSize) and values of \(values) dimensions; this engine runs equal ones. "
          + "Choose another model.")
    }
    // Gemma 3 27B scales its scores by another size than that of its heads, and no key of its file says so.
    guard family != .gemma3 || sizes.layers != 62 else {
      throw wrong(
        "is Gemma 3 27B, whose scores are scaled by 1/sqrt(168): this engine scales by the size of a head. "
          + "Choose another model.")
    }
  }
}
