import InferenceCore
import InferenceKernels

/// Writes small models of every family with random weights, so that tests need no download.
struct TinyModel: Sendable {
  var width = 64
  var layers = 2
  var heads = 4
  var kvHeads = 2
  var headSize = 32
  var feedWidth = 96
  var vocabulary = 300
  var context = 1024
  var type = TensorType.q4_1
  var tied = true
  var architecture = "llama"
  /// Whether the model has a token that ends an answer.
  var ends = true
  var seed: UInt64 = 1
  /// How many dimensions of a head are rotated; nil for all.
  var rotated: Int?
  /// Biases for all products of a layer, whatever the family.
  var biases = false
  /// Gemma's window, and the period of its layers; 0 for none.
  var window = 0
  var windowPeriod = 2
  /// `linear` or `yarn`, by a factor of 4 from a quarter of the context.
  var scaling: String?
  /// The divisors of frequencies that Llama 3.1 carries.
  var frequencyDivisors = false

  /// One of each family, with sizes that no vector register divides evenly.
  static let families: [TinyModel] = [
    TinyModel(
      width: 96, layers: 3, heads: 4, kvHeads: 2, headSize: 40, feedWidth: 160, vocabulary: 301, type: .q8_0,
      tied: false, seed: 11, rotated: 24, biases: true, frequencyDivisors: true),
    TinyModel(
      width: 96, layers: 2, heads: 6, kvHeads: 1, headSize: 16, feedWidth: 224, vocabulary: 307, type: .q4_1,
      architecture: "qwen2", seed: 12, scaling: "yarn"),
    TinyModel(
      width: 160, layers: 2, heads: 5, kvHeads: 5, headSize: 32, feedWidth: 96, vocabulary: 299, type: .q5_0,
      architecture: "qwen3", seed: 13),
    TinyModel(
      width: 96, layers: 4, heads: 3, kvHeads: 1, headSize: 64, feedWidth: 160, vocabulary: 333, type: .q5_1,
      architecture: "gemma3", seed: 14, window: 37, windowPeriod: 3, scaling: "linear"),
  ]

  /// The type of a matrix: K-quants only where rows are whole super-blocks, as in files that others make.
  private func fitting(_ columns: Int) -> TensorType {
    [.q4_k, .q5_k, .q6_k].contains(type) && columns % 256 != 0 ? .q8_0 : type
  }

  /// The file as GGUF.
  func bytes() -> [UInt8] {
    var dice = Dice(seed: seed)
    var gguf = GGUFBuilder()
    gguf.text("general.architecture", architecture)
    let sizes = [
      ("embedding_length", width), ("block_count", layers), ("attention.head_count", heads),
      ("attention.head_count_kv", kvHeads), ("feed_forward_length", feedWidth), ("context_length", context),
      ("attention.key_length", headSize), ("rope.dimension_count", rotated ?? headSize),
    ]
    for (key, value) in sizes { gguf.number("\(architecture).\(key)", UInt32(value)) }
    if let scaling {
      gguf.text("\(architecture).rope.scaling.type", scaling)
      gguf.real("\(architecture).rope.scaling.factor", 4)
      gguf.number("\(architecture).rope.scaling.original_context_length", UInt32(context / 4))
    }
    if window > 0 {
      gguf.number("\(architecture).attention.sliding_window", UInt32(window))
      gguf.number("\(architecture).attention.sliding_window_pattern", UInt32(windowPeriod))
      gguf.real("\(architecture).rope.freq_base", 1e6)
    }
    gguf.text("tokenizer.ggml.model", "gpt2")
    gguf.text("tokenizer.ggml.pre", "smollm")
    gguf.texts("tokenizer.ggml.tokens", TinyModel.tokens(vocabulary, end: ends ? "<|end|>" : "<|none|>"))
    gguf.texts("tokenizer.ggml.merges", ["a b", "ab c"])
    gguf.integers("tokenizer.ggml.token_type", (0..<vocabulary).map { $0 >= vocabulary - 2 ? 3 : 1 })
    if ends { gguf.number("tokenizer.ggml.eos_token_id", UInt32(vocabulary - 1)) }
    gguf.text("tokenizer.chat_template", "{% for m in messages %}{{ m.role + ':' + m.content }}{% endfor %}")
    addTensors(&gguf, &dice)
    return gguf.bytes()
  }

  private func addTensors(_ gguf: inout GGUFBuilder, _ dice: inout Dice) {
    func matrix(_ name: String, _ columns: Int, _ rows: Int) {
      let type = fitting(columns)
      gguf.tensor(name, type, [columns, rows], TinyModel.random(type, columns * rows, &dice))
    }
    func vector(_ name: String, _ count: Int, _ range: ClosedRange<Float> = 0.5...1.5) {
      let values = (0..<count).map { _ in dice.float(range) }
      gguf.tensor(name, .f32, [count], values.flatMap { TinyModel.little($0.bitPattern) })
    }
    func linear(_ name: String, _ columns: Int, _ rows: Int, bias: Bool) {
      matrix(name + ".weight", columns, rows)
      if bias { vector(name + ".bias", rows, -0.3...0.3) }
    }
    let normsHeads = architecture == "qwen3" || architecture == "gemma3"
    let projections = biases || architecture == "qwen2"
    matrix("token_embd.weight", width, vocabulary)
    vector("output_norm.weight", width)
    if !tied { matrix("output.weight", width, vocabulary) }
    if frequencyDivisors { vector("rope_freqs.weight", (rotated ?? headSize) / 2, 1...8) }
    for layer in 0..<layers {
      let prefix = "blk.\(layer)."
      vector(prefix + "attn_norm.weight", width)
      vector(prefix + "ffn_norm.weight", width)
      linear(prefix + "attn_q", width, heads * headSize, bias: projections)
      linear(prefix + "attn_k", width, kvHeads * headSize, bias: projections)
      linear(prefix + "attn_v", width, kvHeads * headSize, bias: projections)
      linear(prefix + "attn_output", heads * headSize, width, bias: biases)
      linear(prefix + "ffn_gate", width, feedWidth, bias: biases)
      linear(prefix + "ffn_up", width, feedWidth, bias: biases)
      linear(prefix + "ffn_down", feedWidth, width, bias: biases)
      if normsHeads {
        vector(prefix + "attn_q_norm.weight", headSize)
        vector(prefix + "attn_k_norm.weight", headSize)
      }
      if architecture == "gemma3" {
        vector(prefix + "post_attention_norm.weight", width)
        vector(prefix + "post_ffw_norm.weight", width)
      }
    }
  }

  /// The bytes 0...255 in GPT-2's alphabet, then fillers, then `abc`, `<|start|>` and the end.
  static func tokens(_ count: Int, end: String) -> [String] {
    var tokens: [String] = []
    var next: UInt32 = 256
    for byte in UInt32(0)..<256 {
      let printable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
      tokens.append(String(Unicode.Scalar(printable ? byte : next) ?? "?"))
      if !printable { next += 1 }
    }
    tokens += ["ab", "abc"]
    while tokens.count < count - 2 { tokens.append("w\(tokens.count)") }
    return tokens + ["<|start|>", end]
  }

  static func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  /// Random weights of about 0.1, in the type's own encoding.
  static func random(_ type: TensorType, _ count: Int, _ dice: inout Dice) -> [UInt8] {
    func half(_ value: Float) -> [UInt8] { little(symbolon_float_to_half(value)) }
    var bytes: [UInt8] = []
    switch type {
    case .f32: for _ in 0..<count { bytes += little(dice.float(-0.2...0.2).bitPattern) }
    case .f16: for _ in 0..<count { bytes += half(dice.float(-0.2...0.2)) }
    case .bf16: for _ in 0..<count { bytes += little(UInt16(dice.float(-0.2...0.2).bitPattern >> 16)) }
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0:
      let minimum = type == .q4_1 || type == .q5_1
      let codes = [.q4_0: 16, .q4_1: 16, .q5_0: 20, .q5_1: 20][type] ?? 32
      for _ in 0..<count / 32 {
        bytes += half(dice.float(0.005...0.02) / (type == .q8_0 ? 8 : codes == 20 ? 2 : 1))
        if minimum { bytes += half(dice.float(-0.2 ... -0.05)) }
        for _ in 0..<codes { bytes.append(UInt8.random(in: 0...255, using: &dice)) }
      }
    case .q4_k, .q5_k:
      for _ in 0..<count / 256 {
        let d = dice.float(0.0002...0.0006) / (type == .q5_k ? 2 : 1)
        bytes += half(d) + half(d * (type == .q5_k ? 16 : 8))
        for _ in 0..<(type == .q5_k ? 172 : 140) { bytes.append(UInt8.random(in: 0...255, using: &dice)) }
      }
    case .q6_k:
      for _ in 0..<count / 256 {
        for _ in 0..<208 { bytes.append(UInt8.random(in: 0...255, using: &dice)) }
        bytes += half(dice.float(0.00005...0.0002))
      }
    }
    return bytes
  }
}

/// Writes GGUF version 3.
struct GGUFBuilder {
  private var keys: [UInt8] = []
  private var keyCount: UInt64 = 0
  private var table: [UInt8] = []
  private var tensorCount: UInt64 = 0
  private var data: [UInt8] = []

  private mutating func key(_ name: String, _ type: GGUFValueType) {
    keyCount += 1
    append(name)
    keys += TinyModel.little(type.rawValue)
  }

  private mutating func append(_ text: String) {
    keys += TinyModel.little(UInt64(text.utf8.count)) + Array(text.utf8)
  }

  mutating func text(_ name: String, _ value: String) {
    key(name, .string)
    append(value)
  }

  mutating func number(_ name: String, _ value: UInt32) {
    key(name, .uint32)
    keys += TinyModel.little(value)
  }

  mutating func real(_ name: String, _ value: Float) {
    key(name, .float32)
    keys += TinyModel.little(value.bitPattern)
  }

  mutating func texts(_ name: String, _ values: [String]) {
    key(name, .array)
    keys += TinyModel.little(GGUFValueType.string.rawValue) + TinyModel.little(UInt64(values.count))
    for value in values { append(value) }
  }

  mutating func integers(_ name: String, _ values: [Int32]) {
    key(name, .array)
    keys += TinyModel.little(GGUFValueType.int32.rawValue) + TinyModel.little(UInt64(values.count))
    for value in values { keys += TinyModel.little(value) }
  }

  mutating func reals(_ name: String, _ values: [Float]) {
    key(name, .array)
    keys += TinyModel.little(GGUFValueType.float32.rawValue) + TinyModel.little(UInt64(values.count))
    for value in values { keys += TinyModel.little(value.bitPattern) }
  }

  mutating func flag(_ name: String, _ value: Bool) {
    key(name, .bool)
    keys.append(value ? 1 : 0)
  }

  mutating func tensor(_ name: String, _ type: TensorType, _ shape: [Int], _ bytes: [UInt8]) {
    tensorCount += 1
    table += TinyModel.little(UInt64(name.utf8.count)) + Array(name.utf8) + TinyModel.little(UInt32(shape.count))
    for size in shape { table += TinyModel.little(UInt64(size)) }
    while data.count % 32 != 0 { data.append(0) }
    table += TinyModel.little(type.rawValue) + TinyModel.little(UInt64(data.count))
    data += bytes
  }

  func bytes() -> [UInt8] {
    var file = Array("GGUF".utf8) + TinyModel.little(UInt32(3)) + TinyModel.little(tensorCount)
    file += TinyModel.little(keyCount) + keys + table
    while file.count % 32 != 0 { file.append(0) }
    return file + data
  }
}
