/// Text to tokens and back, by the vocabulary in the model's file.
package struct Tokenizer: Sendable {
  /// What a token is, numbered as in GGUF.
  private enum Kind: Int32 {
    case normal = 1, unknown, control, userDefined, unused, byte
  }

  /// A token that is recognised as a whole before anything is cut into words.
  private struct Special {
    let bytes: [UInt8]
    let token: Int32
    /// Control tokens are recognised only in authored text.
    let needsAuthor: Bool
  }

  private let encoder: BytePairEncoder
  private let preTokenizer: PreTokenizer
  /// Specials by first byte, longest first.
  private let specials: [UInt8: [Special]]
  /// The bytes each token adds to a text; none for control tokens.
  private let pieces: [[UInt8]]
  private let names: [String: Int32]
  package let vocabularySize: Int
  /// The token put before every text, if the model wants one.
  package let begin: Int32?
  /// Tokens that end an answer.
  package let ends: Set<Int32>
  package let beginText: String
  package let endText: String

  /// Reads the tokenizer of a GGUF file.
  package init(_ gguf: GGUFFile) throws(InferenceError) {
    let path = gguf.file.path
    func fail(_ reason: String) -> InferenceError { .model(path, reason, code: "unsupported_tokenizer") }
    let model = gguf.keys["tokenizer.ggml.model"]?.string ?? "none"
    guard model == "gpt2" else {
      throw fail(
        "has a tokenizer of kind \"\(model)\"; this engine runs byte-pair encoding (gpt2). Choose another model.")
    }
    let pre = gguf.keys["tokenizer.ggml.pre"]?.string ?? "default"
    guard let preTokenizer = PreTokenizer(named: pre) else {
      throw fail("cuts words by the rule \"\(pre)\", which this engine does not know. Choose another model.")
    }
    guard case .array(let tokenArray) = gguf.keys["tokenizer.ggml.tokens"], let tokens = tokenArray.texts(),
      case .array(let mergeArray) = gguf.keys["tokenizer.ggml.merges"], let merges = mergeArray.texts(), !tokens.isEmpty
    else { throw fail("carries no vocabulary (tokenizer.ggml.tokens and .merges): convert it again.") }
    var kinds = [Int32](repeating: Kind.normal.rawValue, count: tokens.count)
    if case .array(let array) = gguf.keys["tokenizer.ggml.token_type"], let given = array.integers(),
      given.count == tokens.count
    {
      kinds = given
    }

    var table = ByteTable(capacity: tokens.count)
    for token in tokens { table.append(token) }
    encoder = BytePairEncoder(table, merges: merges)
    self.preTokenizer = preTokenizer
    vocabularySize = tokens.count

    var specials: [UInt8: [Special]] = [:]
    var names: [String: Int32] = [:]
    pieces = tokens.enumerated().map { number, text in
      let kind = Kind(rawValue: kinds[number]) ?? .normal
      guard kind == .control || kind == .userDefined || kind == .unknown else { return ByteAlphabet.decode(text) }
      if let first = text.first {
        specials[first, default: []].append(
          Special(bytes: Array(text), token: Int32(number), needsAuthor: kind != .userDefined))
      }
      names[String(decoding: text, as: UTF8.self)] = Int32(number)
      return kind == .userDefined ? Array(text) : []
    }
    self.specials = specials.mapValues { $0.sorted { $0.bytes.count > $1.bytes.count } }
    self.names = names

    func token(_ key: String) -> Int32? {
      guard let id = gguf.keys[key]?.count, id < tokens.count else { return nil }
      return Int32(id)
    }
    func text(_ id: Int32?) -> String { id.map { String(decoding: tokens[Int($0)], as: UTF8.self) } ?? "" }
    let bos = token("tokenizer.ggml.bos_token_id")
    let eos = token("tokenizer.ggml.eos_token_id")
    var addsBegin = false
    if case .bool(let adds) = gguf.keys["tokenizer.ggml.add_bos_token"] { addsBegin = adds }
    begin = addsBegin ? bos : nil
    beginText = text(bos)
    endText = text(eos)
    // As llama.cpp: besides the declared ends, every known end-of-turn token by its name.
    let known = ["<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<EOT>", "</s>"]
    ends = Set([eos, token("tokenizer.ggml.eot_token_id")].compactMap(\.self) + known.compactMap { names[$0] })
  }

  /// The tokens of a text, without the begin token.
  ///
  /// Control tokens are recognised only in authored bytes.
  package func encode(_ text: MarkedText) -> [Int32] {
    var tokens: [Int32] = []
    var start = 0
    var index = 0
    while index < text.bytes.count {
      guard let special = special(in: text, at: index) else {
        index += 1
        continue
      }
      encodeWords(text.bytes[start..<index], into: &tokens)
      tokens.append(special.token)
      index += special.bytes.count
      start = index
    }
    encodeWords(text.bytes[start...], into: &tokens)
    return tokens
  }

  /// The tokens of plain text; `authored` says whether control tokens are recognised.
  package func encode(_ text: String, authored: Bool = false) -> [Int32] {
    encode(MarkedText(text, authored: authored))
  }

  /// The bytes that a token adds to a text.
  package func bytes(of token: Int32) -> [UInt8] {
    pieces.indices.contains(Int(token)) ? pieces[Int(token)] : []
  }

  private func special(in text: MarkedText, at index: Int) -> Special? {
    guard let candidates = specials[text.bytes[index]] else { return nil }
    return candidates.first { candidate in
      let end = index + candidate.bytes.count
      guard end <= text.bytes.count, text.bytes[index..<end].elementsEqual(candidate.bytes) else { return false }
      return !candidate.needsAuthor || text.authored[index..<end].allSatisfy(\.self)
    }
  }

  private func encodeWords(_ bytes: ArraySlice<UInt8>, into tokens: inout [Int32]) {
    guard !bytes.isEmpty else { return }
    let scalars = Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
    var word: [UInt8] = []
    preTokenizer.split(scalars) { range in
      word.removeAll(keepingCapacity: true)
      for scalar in scalars[range] { word.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter) }
      encoder.encode(word, into: &tokens)
    }
  }
}
