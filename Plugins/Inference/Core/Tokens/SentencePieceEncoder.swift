/// SentencePiece as llama.cpp runs it: characters joined to tokens by score, and what is no token spelt in bytes.
///
/// A token that controls the model never comes out of a text, even where tokens could be joined to its spelling.
struct SentencePieceEncoder: Sendable {
  /// The character that stands for a space in the vocabulary, U+2581.
  static let blank: [UInt8] = [0xe2, 0x96, 0x81]

  private let table: ByteTable
  /// For each token its place by score, the best first; `never` for tokens that no text gives.
  private let orders: [UInt32]
  /// The token of each byte, -1 if there is none.
  private let byteTokens: [Int32]
  private let unknown: Int32?
  private static let never = UInt32.max

  /// The encoder of a vocabulary; a lower score joins later, and equal ones from left to right.
  init(_ table: ByteTable, scores: [Float], controls: [Bool], unknown: Int32?) {
    self.table = table
    self.unknown = unknown
    orders = zip(scores, controls).map { score, isControl in isControl ? Self.never : Self.order(score) }
    let digits = Array("0123456789ABCDEF".utf8)
    byteTokens = (0..<256).map { byte in
      let name = Array("<0x".utf8) + [digits[byte >> 4], digits[byte & 15]] + Array(">".utf8)
      return name.withUnsafeBytes { table.number(of: $0) } ?? [UInt8(byte)].withUnsafeBytes { table.number(of: $0) }
        ?? -1
    }
  }

  /// Numbers that rise as finite scores fall.
  private static func order(_ score: Float) -> UInt32 {
    let bits = (score == 0 ? 0 : score).bitPattern
    return bits & 0x8000_0000 == 0 ? 0x7fff_ffff - bits : bits & 0x7fff_ffff | 0x8000_0000
  }

  /// Appends the tokens of a text, with a space before it if so wanted.
  func encode(_ bytes: ArraySlice<UInt8>, spaceBefore: Bool, into tokens: inout [Int32]) {
    var text: [UInt8] = spaceBefore ? Self.blank : []
    text.reserveCapacity(bytes.count + bytes.count / 2 + 3)
    for byte in bytes { if byte == 0x20 { text.append(contentsOf: Self.blank) } else { text.append(byte) } }
    text.withUnsafeBytes { text in
      var merger = PairMerger()
      var start = 0
      while start < text.count {
        let length = min(Self.length(text[start]), text.count - start)
        merger.append(PairMerger.Symbol(token: token(text, start, length)?.token ?? -1, start: start, length: length))
        start += length
      }
      merger.merge { left, right in token(text, Int(left.start), Int(left.length + right.length)) }
      for symbol in merger.symbols where symbol.length > 0 {
        if symbol.token >= 0 {
          tokens.append(symbol.token)
        } else {
          spell(text[Int(symbol.start)..<Int(symbol.start + symbol.length)], into: &tokens)
        }
      }
    }
  }

  private func token(_ text: UnsafeRawBufferPointer, _ start: Int, _ length: Int) -> PairMerger.Join? {
    guard length <= table.longest,
      let token = table.number(of: UnsafeRawBufferPointer(rebasing: text[start..<start + length])),
      orders[Int(token)] != Self.never
    else { return nil }
    return PairMerger.Join(order: orders[Int(token)], token: token)
  }

  private func spell(_ bytes: Slice<UnsafeRawBufferPointer>, into tokens: inout [Int32]) {
    for byte in bytes {
      let token = byteTokens[Int(byte)]
      if token >= 0 { tokens.append(token) } else if let unknown { tokens.append(unknown) }
    }
  }

  /// How many bytes a character takes that begins so.
  private static func length(_ first: UInt8) -> Int { first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4 }
}
