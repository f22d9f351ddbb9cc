/// The bytes of a model's tokens in order, so that tokens with the same beginning are looked at together.
package struct TokenTable: Sendable {
  /// Tokens that add bytes to a text and end nothing, sorted by these bytes.
  private(set) var tokens: [Int32] = []
  /// How many bytes each has in common with the one before.
  private(set) var common: [Int32] = []
  private var starts: [Int32] = [0]
  private var bytes: [UInt8] = []
  /// All tokens of the model.
  let vocabularySize: Int
  let ends: [Int32]

  package init(_ tokenizer: Tokenizer) {
    vocabularySize = tokenizer.vocabularySize
    ends = tokenizer.ends.sorted()
    var entries: [(bytes: [UInt8], token: Int32)] = []
    entries.reserveCapacity(vocabularySize)
    for token in 0..<Int32(vocabularySize) where !tokenizer.ends.contains(token) {
      let bytes = tokenizer.bytes(of: token)
      if !bytes.isEmpty { entries.append((bytes, token)) }
    }
    entries.sort { left, right in
      left.bytes == right.bytes ? left.token < right.token : left.bytes.lexicographicallyPrecedes(right.bytes)
    }
    var previous: [UInt8] = []
    for (piece, token) in entries {
      var same = 0
      while same < piece.count, same < previous.count, piece[same] == previous[same] { same += 1 }
      tokens.append(token)
      common.append(Int32(same))
      bytes += piece
      starts.append(Int32(bytes.count))
      previous = piece
    }
  }

  /// The bytes of the token at a place of the order.
  func piece(_ place: Int) -> ArraySlice<UInt8> { bytes[Int(starts[place])..<Int(starts[place + 1])] }

  /// 64-bit words of a mask over all tokens.
  var maskWords: Int { (vocabularySize + 63) / 64 }
}
