/// The tokens that a GGUF file lists: their texts, what each is, and the named ones.
struct Vocabulary {
  /// What a token is, numbered as in GGUF.
  enum Kind: Int32 {
    case normal = 1, unknown, control, userDefined, unused, byte
  }

  /// How the file's tokenizer puts tokens together.
  enum Model: String {
    case bytePairs = "gpt2"
    case sentencePiece = "llama"
  }

  let model: Model
  let table: ByteTable
  private(set) var kinds: [Kind]
  private let gguf: GGUFFile

  /// Names that llama.cpp takes for the end of an answer, and for control tokens, in whatever file they are.
  private static let endNames = [
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>",
    "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>",
    "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~[",
  ]

  init(_ gguf: GGUFFile) throws(InferenceError) {
    self.gguf = gguf
    func fail(_ reason: String) -> InferenceError { .model(gguf.file.path, reason, code: "unsupported_tokenizer") }
    let name = gguf.keys["tokenizer.ggml.model"]?.string ?? "none"
    guard let model = Model(rawValue: name) else {
      throw fail(
        "has a tokenizer of kind \"\(name)\"; this engine runs byte-pair encoding (gpt2) and SentencePiece (llama). "
          + "Choose another model.")
    }
    self.model = model
    guard case .array(let array) = gguf.keys["tokenizer.ggml.tokens"], let tokens = array.texts(), !tokens.isEmpty
    else {
      throw fail("carries no vocabulary (tokenizer.ggml.tokens): convert it again.")
    }
    guard tokens.count <= 1 << 24 else {
      throw fail("lists \(tokens.count) tokens; this engine reads up to \(1 << 24). Choose another model.")
    }
    var table = ByteTable(capacity: tokens.count)
    for token in tokens { table.append(token) }
    self.table = table
    kinds = [Kind](repeating: .normal, count: tokens.count)
    if case .array(let array) = gguf.keys["tokenizer.ggml.token_type"], let given = array.integers(),
      given.count == tokens.count
    {
      kinds = given.map { Kind(rawValue: $0) ?? .normal }
    }
    for name in Self.endNames {
      if let token = table.number(of: name) { kinds[Int(token)] = .control }
    }
  }

  /// The token that a key names, if it is one.
  func token(_ key: String, otherwise: Int? = nil) -> Int32? {
    guard let id = gguf.keys["tokenizer.ggml.\(key)"]?.count ?? otherwise, id < table.count else { return nil }
    return Int32(id)
  }

  func flag(_ key: String, otherwise: Bool) -> Bool {
    if case .bool(let flag) = gguf.keys["tokenizer.ggml.\(key)"] { flag } else { otherwise }
  }

  func text(_ token: Int32?) -> String { token.map { String(decoding: table[Int($0)], as: UTF8.self) } ?? "" }

  /// The tokens that end an answer: those that the file declares, and as llama.cpp those known by their names.
  var ends: Set<Int32> {
    let declared = ["eos_token_id", "eot_token_id", "eom_token_id"].compactMap { token($0) }
    return Set(declared + Self.endNames.compactMap { table.number(of: $0) })
  }

  /// The tokens that are recognised before a text is cut.
  var specials: [(token: Int32, kind: SpecialTokens.Kind)] {
    kinds.enumerated().compactMap { number, kind in
      switch kind {
      case .control, .unknown: (Int32(number), .authored)
      case .userDefined: (Int32(number), .anywhere)
      case .normal, .unused, .byte: nil
      }
    }
  }

  /// The bytes that a token adds to a text; none for control tokens.
  func piece(_ number: Int) -> [UInt8] {
    let text = table[number]
    switch (kinds[number], model) {
    case (.control, _), (.unknown, _): return []
    case (.userDefined, _): return Array(text)
    case (.byte, .sentencePiece): return Self.byte(text).map { [$0] } ?? Array(text)
    case (_, .bytePairs): return ByteAlphabet.decode(text)
    case (_, .sentencePiece): return Self.unescaped(text)
    }
  }

  /// The byte of `<0x41>`.
  private static func byte(_ text: ArraySlice<UInt8>) -> UInt8? {
    let name = String(decoding: text, as: UTF8.self)
    guard name.utf8.count == 6, name.hasPrefix("<0x"), name.hasSuffix(">") else { return nil }
    return UInt8(name.dropFirst(3).dropLast(), radix: 16)
  }

  /// With spaces for what stands for them.
  private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
    let blank = SentencePieceEncoder.blank
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var index = text.startIndex
    while index < text.endIndex {
      if text[index] == blank[0], text[index...].starts(with: blank) {
        bytes.append(0x20)
        index += blank.count
      } else {
        bytes.append(text[index])
        index += 1
      }
    }
    return bytes
  }

  /// The encoder of byte pairs, with the rule that the file names.
  func bytePairEncoder() throws(InferenceError) -> (encoder: BytePairEncoder, rule: PreTokenizer) {
    func fail(_ reason: String) -> InferenceError { .model(gguf.file.path, reason, code: "unsupported_tokenizer") }
    let name = gguf.keys["tokenizer.ggml.pre"]?.string ?? "default"
    guard let rule = PreTokenizer(named: name) else {
      throw fail("cuts words by the rule \"\(name)\", which this engine does not know. Choose another model.")
    }
    guard case .array(let array) = gguf.keys["tokenizer.ggml.merges"], let merges = array.texts() else {
      throw fail("carries no merges of its vocabulary (tokenizer.ggml.merges): convert it again.")
    }
    return (BytePairEncoder(table, merges: merges, rule), rule)
  }

  func sentencePieceEncoder() throws(InferenceError) -> SentencePieceEncoder {
    var scores = [Float](repeating: 0, count: table.count)
    if case .array(let array) = gguf.keys["tokenizer.ggml.scores"] {
      guard let given = array.floats(), given.count == table.count, given.allSatisfy({ !$0.isNaN }) else {
        throw .model(
          gguf.file.path,
          "has scores of its vocabulary that are no numbers, or not one for each token: convert it again.",
          code: "unsupported_tokenizer")
      }
      scores = given
    }
    let controls = kinds.map { $0 == .control || $0 == .unknown }
    return SentencePieceEncoder(
      table, scores: scores, controls: controls, unknown: token("unknown_token_id", otherwise: 0))
  }
}
