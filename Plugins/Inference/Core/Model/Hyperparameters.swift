/// The sizes of a llama model, read from its file and checked against each other.
package struct Hyperparameters: Equatable, Sendable {
  package let width: Int
  package let layers: Int
  package let heads: Int
  package let kvHeads: Int
  package let headSize: Int
  package let feedWidth: Int
  package let contextLength: Int
  package let epsilon: Float
  package let ropeBase: Double
  package let ropeFactor: Double

  init(_ gguf: GGUFFile) throws(InferenceError) {
    let path = gguf.file.path
    let architecture = gguf.keys["general.architecture"]?.string ?? "none"
    guard architecture == "llama" else {
      throw .model(
        path, "is of architecture \"\(architecture)\"; this engine runs \"llama\". Choose another model.",
        code: "unsupported_architecture")
    }
    func size(_ key: String, _ range: ClosedRange<Int>, otherwise: Int? = nil) throws(InferenceError) -> Int {
      guard let value = gguf.keys["llama.\(key)"]?.count ?? otherwise, range.contains(value) else {
        let found = gguf.keys["llama.\(key)"]?.count.map(String.init) ?? "nothing"
        throw .model(
          path,
          "gives \(found) for llama.\(key); \(range.lowerBound) to \(range.upperBound) is expected. Fetch it again.",
          code: "bad_hyperparameters")
      }
      return value
    }
    width = try size("embedding_length", 32...32768)
    layers = try size("block_count", 1...512)
    heads = try size("attention.head_count", 1...512)
    kvHeads = try size("attention.head_count_kv", 1...512, otherwise: heads)
    feedWidth = try size("feed_forward_length", 32...262_144)
    contextLength = try size("context_length", 16...1_048_576)
    headSize = try size("attention.key_length", 16...512, otherwise: width / heads)
    let rope = try size("rope.dimension_count", 2...512, otherwise: headSize)
    epsilon = Float(gguf.keys["llama.attention.layer_norm_rms_epsilon"]?.double ?? 1e-5)
    ropeBase = gguf.keys["llama.rope.freq_base"]?.double ?? 10000
    let scaling = gguf.keys["llama.rope.scaling.type"]?.string ?? "none"
    ropeFactor = scaling == "linear" ? gguf.keys["llama.rope.scaling.factor"]?.double ?? 1 : 1
    guard width % 32 == 0, feedWidth % 32 == 0, headSize % 32 == 0, heads % kvHeads == 0, rope == headSize else {
      throw .model(
        path,
        "has sizes this engine does not run (width \(width), feed-forward \(feedWidth), heads \(heads)/\(kvHeads) of "
          + "\(headSize), rotated \(rope)): widths must be multiples of 32. Choose another model.",
        code: "bad_hyperparameters")
    }
    guard epsilon > 0, epsilon < 1, ropeBase > 1, ropeBase < 1e12, ropeFactor > 0, ropeFactor < 1e6,
      scaling == "none" || scaling == "linear"
    else {
      throw .model(
        path,
        "has a rotation or norm this engine does not run (scaling \(scaling), base \(ropeBase), epsilon \(epsilon)).",
        code: "bad_hyperparameters")
    }
  }
}
