/// Guesses how a text goes on: as it went on after the last place where the same tokens stood before.
///
/// Answers that quote their prompt (summaries, code edits, lists) repeat long stretches of it, and a guess that is right
/// costs a fraction of a step. Source: prompt lookup decoding (Saxena 2023; "assisted generation" of transformers).
package struct PromptLookup {
  /// How many tokens must agree before a guess is made, longest first.
  private static let lengths = [4, 3, 2]

  /// For each length, where the token after the last occurrence of these tokens stands.
  private var places: [[UInt64: Int32]] = Array(repeating: [:], count: lengths.count)
  /// Tokens already entered: an occurrence is entered only once a token follows it.
  private var entered = 0

  package init() {}

  /// The tokens that followed the last earlier occurrence of the end of `tokens`, at most `most`.
  package mutating func guess(after tokens: [Int32], most: Int) -> ArraySlice<Int32> {
    enter(tokens)
    guard most > 0 else { return [] }
    for (index, length) in Self.lengths.enumerated() where tokens.count > length {
      if let place = places[index][Self.key(tokens, endingAt: tokens.count, length)] {
        return tokens[Int(place)..<min(Int(place) + most, tokens.count)]
      }
    }
    return []
  }

  private mutating func enter(_ tokens: [Int32]) {
    for (index, length) in Self.lengths.enumerated() {
      for end in max(entered, length)..<max(tokens.count, max(entered, length)) {
        places[index][Self.key(tokens, endingAt: end, length)] = Int32(end)
      }
    }
    entered = max(entered, tokens.count)
  }

  /// Mixes the tokens to 64 bits; a collision would only be a wrong guess.
  private static func key(_ tokens: [Int32], endingAt end: Int, _ length: Int) -> UInt64 {
    var key: UInt64 = 0
    for index in end - length..<end {
      key = (key ^ UInt64(UInt32(bitPattern: tokens[index]))) &* 0x9e37_79b9_7f4a_7c15
      key ^= key >> 29
    }
    return key
  }
}
