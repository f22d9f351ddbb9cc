/// Text to tokens and back, by the vocabulary in the model's file.
package struct Tokenizer: Sendable {
  /// How the text between special tokens becomes tokens.
  private enum Encoder {
    case bytePairs(BytePairEncoder)
    case sentencePiece(SentencePieceEncoder)
  }

  private let encoder: Encoder
  private let specials: SpecialTokens
  /// The bytes that each token adds to a text, one after another.
  private let pieces: [UInt8]
  /// Where each token's bytes end; the first begin at 0.
  private let pieceEnds: [Int]
  /// A text, and what follows a special token, is encoded with a space before it.
  private let addsSpace: Bool
  /// Tokens that are recognised as a whole.
  private let isSpecial: [Bool]
  package let vocabularySize: Int
  /// The token put before every text, if the model wants one.
  package let begin: Int32?
  /// Tokens that end an answer.
  package let ends: Set<Int32>
  package let beginText: String
  package let endText: String

  /// Reads the tokenizer of a GGUF file.
  package init(_ gguf: GGUFFile) throws(InferenceError) {
    let vocabulary = try Vocabulary(gguf)
    vocabularySize = vocabulary.table.count
    let addsBegin: Bool
    switch vocabulary.model {
    case .bytePairs:
      let (encoder, rule) = try vocabulary.bytePairEncoder()
      self.encoder = .bytePairs(encoder)
      addsSpace = false
      addsBegin = rule.addsBegin
    case .sentencePiece:
      encoder = .sentencePiece(try vocabulary.sentencePieceEncoder())
      addsSpace = vocabulary.flag("add_space_prefix", otherwise: true)
      addsBegin = true
    }
    let specials = vocabulary.specials
    self.specials = SpecialTokens(specials, of: vocabulary.table)
    var isSpecial = [Bool](repeating: false, count: vocabularySize)
    for (token, _) in specials { isSpecial[Int(token)] = true }
    self.isSpecial = isSpecial

    var pieces: [UInt8] = []
    var pieceEnds = [0]
    pieceEnds.reserveCapacity(vocabularySize + 1)
    for number in 0..<vocabularySize {
      pieces.append(contentsOf: vocabulary.piece(number))
      pieceEnds.append(pieces.count)
    }
    self.pieces = pieces
    self.pieceEnds = pieceEnds

    // SentencePiece's own numbers hold where the file does not say.
    let isSentencePiece = vocabulary.model == .sentencePiece
    let bos = vocabulary.token("bos_token_id", otherwise: isSentencePiece ? 1 : nil)
    let eos = vocabulary.token("eos_token_id", otherwise: isSentencePiece ? 2 : nil)
    begin = vocabulary.flag("add_bos_token", otherwise: addsBegin) ? bos : nil
    beginText = vocabulary.text(bos)
    endText = vocabulary.text(eos)
    ends = vocabulary.ends.union([eos].compactMap(\.self))
  }

  /// The tokens of a text, without the begin token.
  ///
  /// Control tokens are recognised only in authored bytes.
  package func encode(_ text: MarkedText) -> [Int32] {
    var tokens: [Int32] = []
    var start = 0
    specials.forEach(in: text) { match in
      encodePlain(text.bytes[start..<match.range.lowerBound], into: &tokens)
      tokens.append(match.token)
      start = match.range.upperBound
    }
    encodePlain(text.bytes[start...], into: &tokens)
    return tokens
  }

  /// The tokens of plain text; `authored` says whether control tokens are recognised.
  package func encode(_ text: String, authored: Bool = false) -> [Int32] {
    encode(MarkedText(text, authored: authored))
  }

  /// The control or user-defined token of a name, such as `<|python_tag|>`.
  package func special(_ name: String) -> Int32? {
    let tokens = encode(name, authored: true)
    return tokens.count == 1 && isSpecial[Int(tokens[0])] ? tokens[0] : nil
  }

  /// The bytes that a token adds to a text.
  package func bytes(of token: Int32) -> [UInt8] {
    guard token >= 0, Int(token) < vocabularySize else { return [] }
    return Array(pieces[pieceEnds[Int(token)]..<pieceEnds[Int(token) + 1]])
  }

  /// The bytes of a whole text: the spaces that `encode` put into it are left out again.
  package func decode(_ tokens: [Int32]) -> [UInt8] {
    var bytes: [UInt8] = []
    var previous: Int32?
    for token in tokens {
      bytes.append(contentsOf: self.bytes(of: token).dropFirst(addedBytes(of: token, after: previous)))
      previous = token
    }
    return bytes
  }

  /// How many of a token's bytes are the space that `encode` puts before a text: 1 or 0.
  ///
  /// `previous` is the token before it, nil at the beginning of a text.
  package func addedBytes(of token: Int32, after previous: Int32?) -> Int {
    func special(_ token: Int32) -> Bool { token >= 0 && Int(token) < vocabularySize && isSpecial[Int(token)] }
    guard addsSpace, !special(token), previous.map(special) ?? true else { return 0 }
    return bytes(of: token).first == 0x20 ? 1 : 0
  }

  /// Text after a special token, or at the beginning.
  private func encodePlain(_ bytes: ArraySlice<UInt8>, into tokens: inout [Int32]) {
    guard !bytes.isEmpty else { return }
    switch encoder {
    case .bytePairs(let encoder): encoder.encode(bytes, into: &tokens)
    case .sentencePiece(let encoder): encoder.encode(bytes, spaceBefore: addsSpace, into: &tokens)
    }
  }
}
