/// Cuts text into the words that byte-pair encoding may not cross.
///
/// Two rules of GPT-2's family, as llama.cpp applies them (src/unicode.cpp, `unicode_regex_split_custom_gpt2`):
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, and for the SmolLM family
/// before it every `\p{N}` on its own.
package enum PreTokenizer: Sendable {
  case gpt2
  case smollm

  /// The rule that a file names in `tokenizer.ggml.pre`, or nil if this engine does not know it.
  init?(named name: String) {
    switch name {
    case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b": self = .smollm
    case "gpt-2", "default", "phi-2", "mpt", "olmo", "jais", "gigachat", "roberta-bpe", "jina-es", "jina-de":
      self = .gpt2
    default: return nil
    }
  }

  /// Calls `word` with each range of the scalars, in order; the ranges cover everything.
  func split(_ scalars: [Unicode.Scalar], _ word: (Range<Int>) -> Void) {
    guard self == .smollm else { return Self.words(scalars, 0..<scalars.count, word) }
    var start = 0
    for index in scalars.indices where Kind(scalars[index]) == .number {
      if start < index { Self.words(scalars, start..<index, word) }
      word(index..<index + 1)
      start = index + 1
    }
    if start < scalars.count { Self.words(scalars, start..<scalars.count, word) }
  }

  /// What the rules distinguish.
  enum Kind {
    case letter, number, space, other

    init(_ scalar: Unicode.Scalar) {
      let value = scalar.value
      if value < 128 {
        switch value {
        case 0x41...0x5a, 0x61...0x7a: self = .letter
        case 0x30...0x39: self = .number
        case 0x20, 0x09...0x0d: self = .space
        default: self = .other
        }
        return
      }
      if scalar.properties.isWhitespace {
        self = .space
        return
      }
      switch scalar.properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
      case .decimalNumber, .letterNumber, .otherNumber: self = .number
      default: self = .other
      }
    }
  }

  /// GPT-2's rule within a range.
  private static func words(_ scalars: [Unicode.Scalar], _ range: Range<Int>, _ word: (Range<Int>) -> Void) {
    var position = range.lowerBound
    func kind(_ index: Int) -> Kind? { index < range.upperBound ? Kind(scalars[index]) : nil }
    while position < range.upperBound {
      let start = position
      if let length = contraction(scalars, start, range.upperBound) {
        position += length
        word(start..<position)
        continue
      }
      let afterSpace = scalars[start] == " " ? start + 1 : start
      if let first = kind(afterSpace), first != .space {
        position = afterSpace + 1
        while kind(position) == first { position += 1 }
        word(start..<position)
        continue
      }
      while kind(position) == .space { position += 1 }
      // `\s+(?!\S)`: the last space of a run belongs to the word that follows.
      if position < range.upperBound, position - start > 1 { position -= 1 }
      word(start..<position)
    }
  }

  /// The length of an English contraction that begins here.
  private static func contraction(_ scalars: [Unicode.Scalar], _ start: Int, _ end: Int) -> Int? {
    guard scalars[start] == "'", start + 1 < end else { return nil }
    switch scalars[start + 1] {
    case "s", "t", "m", "d": return 2
    default: break
    }
    guard start + 2 < end else { return nil }
    switch (scalars[start + 1], scalars[start + 2]) {
    case ("r", "e"), ("v", "e"), ("l", "l"): return 3
    default: return nil
    }
  }
}
