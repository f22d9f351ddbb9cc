/// Byte-pair encoding: the words of a text, each from its bytes, joined by the rank of merges.
struct BytePairEncoder: Sendable {
  private var merges: [UInt64: PairMerger.Join]
  /// The token of each byte, -1 if the vocabulary lacks it.
  private let byteTokens: [Int32]
  private let rule: PreTokenizer
  /// The vocabulary, where a word that is a token as a whole is not put together from its bytes.
  private let wholeWords: ByteTable?

  /// The encoder of a vocabulary with its merges, `left right` in GPT-2's alphabet, best first.
  init(_ table: ByteTable, merges texts: [UnsafeRawBufferPointer], _ rule: PreTokenizer) {
    self.rule = rule
    wholeWords = rule.takesWholeWords ? table : nil
    byteTokens = (0..<256).map { byte in
      ByteAlphabet.encode(UInt8(byte)).withUnsafeBytes { table.number(of: $0) ?? -1 }
    }
    merges = Dictionary(minimumCapacity: texts.count)
    var joined: [UInt8] = []
    for (rank, text) in texts.enumerated() {
      // The parts may contain no plain space, so the first one after the first byte separates them.
      guard text.count >= 3, let space = text.dropFirst().firstIndex(of: 0x20) else { continue }
      let left = UnsafeRawBufferPointer(rebasing: text[..<space])
      let right = UnsafeRawBufferPointer(rebasing: text[(space + 1)...])
      joined.removeAll(keepingCapacity: true)
      joined.append(contentsOf: left)
      joined.append(contentsOf: right)
      guard let a = table.number(of: left), let b = table.number(of: right),
        let result = joined.withUnsafeBytes({ table.number(of: $0) })
      else { continue }
      let key = Self.key(a, b)
      if merges[key] == nil { merges[key] = PairMerger.Join(order: UInt32(rank), token: result) }
    }
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// Appends the tokens of a text.
  func encode(_ bytes: ArraySlice<UInt8>, into tokens: inout [Int32]) {
    let scalars = Array(String(decoding: bytes, as: UTF8.self).unicodeScalars)
    var merger = PairMerger()
    var word: [UInt8] = []
    for range in rule.words(scalars) {
      word.removeAll(keepingCapacity: true)
      for scalar in scalars[range] { word.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter) }
      encode(word, &merger, into: &tokens)
    }
  }

  private func encode(_ word: [UInt8], _ merger: inout PairMerger, into tokens: inout [Int32]) {
    if word.count == 1 {
      if byteTokens[Int(word[0])] >= 0 { tokens.append(byteTokens[Int(word[0])]) }
      return
    }
    if let wholeWords, word.count <= wholeWords.longest,
      let token = word.flatMap(ByteAlphabet.encode).withUnsafeBytes({ wholeWords.number(of: $0) })
    {
      tokens.append(token)
      return
    }
    merger.clear()
    for (index, byte) in word.enumerated() {
      merger.append(PairMerger.Symbol(token: byteTokens[Int(byte)], start: index, length: 1))
    }
    merger.merge { left, right in left.token < 0 || right.token < 0 ? nil : merges[Self.key(left.token, right.token)] }
    for symbol in merger.symbols where symbol.length > 0 && symbol.token >= 0 { tokens.append(symbol.token) }
  }
}
