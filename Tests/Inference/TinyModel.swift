import InferenceCore
import InferenceKernels

/// Writes small llama models with random weights, so that tests need no download.
struct TinyModel {
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

  /// The file as GGUF.
  func bytes() -> [UInt8] {
    var dice = Dice(seed: seed)
    var gguf = GGUFBuilder()
    gguf.text("general.architecture", architecture)
    let sizes = [
      ("embedding_length", width), ("block_count", layers), ("attention.head_count", heads),
      ("attention.head_count_kv", kvHeads), ("feed_forward_length", feedWidth), ("context_length", context),
      ("attention.key_length", headSize), ("rope.dimension_count", headSize),
    ]
    for (key, value) in sizes { gguf.number("llama.\(key)", UInt32(value)) }
    gguf.text("tokenizer.ggml.model", "gpt2")
    gguf.text("tokenizer.ggml.pre", "smollm")
    gguf.texts("tokenizer.ggml.tokens", TinyModel.tokens(vocabulary, end: ends ? "<|end|>" : "<|none|>"))
    gguf.texts("tokenizer.ggml.merges", ["a b", "ab c"])
    gguf.integers("tokenizer.ggml.token_type", (0..<vocabulary).map { $0 >= vocabulary - 2 ? 3 : 1 })
    if ends { gguf.number("tokenizer.ggml.eos_token_id", UInt32(vocabulary - 1)) }
    gguf.text("tokenizer.chat_template", "{% for m in messages %}{{ m.role + ':' + m.content }}{% endfor %}")
    func matrix(_ name: String, _ columns: Int, _ rows: Int) {
      gguf.tensor(name, type, [columns, rows], TinyModel.random(type, columns * rows, &dice))
    }
    func vector(_ name: String) {
      let values = (0..<width).map { _ in dice.float(0.5...1.5) }
      gguf.tensor(name, .f32, [width], values.flatMap { TinyModel.little($0.bitPattern) })
    }
    matrix("token_embd.weight", width, vocabulary)
    vector("output_norm.weight")
    if !tied { matrix("output.weight", width, vocabulary) }
    for layer in 0..<layers {
      let prefix = "blk.\(layer)."
      vector(prefix + "attn_norm.weight")
      vector(prefix + "ffn_norm.weight")
      matrix(prefix + "attn_q.weight", width, heads * headSize)
      matrix(prefix + "attn_k.weight", width, kvHeads * headSize)
      matrix(prefix + "attn_v.weight", width, kvHeads * headSize)
      matrix(prefix + "attn_output.weight", heads * headSize, width)
      matrix(prefix + "ffn_gate.weight", width, feedWidth)
      matrix(prefix + "ffn_up.weight", width, feedWidth)
      matrix(prefix + "ffn_down.weight", feedWidth, width)
    }
    return gguf.bytes()
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
    case .q4_0, .q4_1, .q8_0:
      for _ in 0..<count / 32 {
        bytes += half(dice.float(0.005...0.02) / (type == .q8_0 ? 8 : 1))
        if type == .q4_1 { bytes += half(dice.float(-0.2 ... -0.05)) }
        for _ in 0..<(type == .q8_0 ? 32 : 16) { bytes.append(UInt8.random(in: 0...255, using: &dice)) }
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
