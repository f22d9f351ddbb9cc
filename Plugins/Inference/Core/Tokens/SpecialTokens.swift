/// Finds the tokens that are recognised as a whole before anything else looks at a text.
///
/// llama.cpp takes the longest such token first, wherever in the text it stands, and the leftmost among its
/// occurrences. This finds the same ones in one pass.
struct SpecialTokens: Sendable {
  /// A token and where it stands.
  struct Match {
    let range: Range<Int>
    let token: Int32
  }

  /// How a token is recognised.
  enum Kind: UInt8 {
    /// In every text.
    case anywhere
    /// Only where the author of the template wrote it.
    case authored
  }

  private let table: ByteTable
  /// For each number in the table.
  private let tokens: [(token: Int32, kind: Kind)]
  /// The lengths of the tokens that begin with a byte, longest first.
  private var lengths = [[Int]](repeating: [], count: 256)
  /// Whether tokens begin with these two bytes, or with the first alone.
  private var begins = [Bool](repeating: false, count: 65536)

  init(_ specials: [(token: Int32, kind: Kind)], of vocabulary: ByteTable) {
    var table = ByteTable(capacity: specials.count)
    tokens = specials
    for (token, _) in specials {
      let text = Array(vocabulary[Int(token)])
      text.withUnsafeBytes { table.append($0) }
      guard let first = text.first else { continue }
      if !lengths[Int(first)].contains(text.count) { lengths[Int(first)].append(text.count) }
      if text.count > 1 {
        begins[Int(first) << 8 | Int(text[1])] = true
      } else {
        for second in 0..<256 { begins[Int(first) << 8 | second] = true }
      }
    }
    self.table = table
    for first in lengths.indices { lengths[first].sort(by: >) }
  }

  /// What is left to do with a text, the last first.
  private enum Task {
    case search(Range<Int>)
    case give(Match)
  }

  /// Calls `found` with each token in order; they do not overlap.
  func forEach(in text: MarkedText, _ found: (Match) -> Void) {
    text.bytes.withUnsafeBytes { bytes in
      var tasks = [Task.search(0..<bytes.count)]
      while let task = tasks.popLast() {
        switch task {
        case .give(let match): found(match)
        case .search(let range):
          guard let first = first(in: range, bytes, text.authored) else { continue }
          let taken = winner(over: first, in: range, bytes, text.authored)
          tasks.append(.search(taken.range.upperBound..<range.upperBound))
          tasks.append(.give(taken))
          if taken.range.lowerBound > first.range.lowerBound {
            tasks.append(.search(range.lowerBound..<taken.range.lowerBound))
          }
        }
      }
    }
  }

  /// The leftmost token within a range, and the longest there.
  private func first(in range: Range<Int>, _ bytes: UnsafeRawBufferPointer, _ authored: [Bool]) -> Match? {
    for start in range {
      if let match = longest(at: start, in: range, bytes, authored) { return match }
    }
    return nil
  }

  /// The token that is taken where several overlap: the first, unless one that begins within it is longer, and so on.
  private func winner(
    over first: Match, in range: Range<Int>, _ bytes: UnsafeRawBufferPointer, _ authored: [Bool]
  ) -> Match {
    var best = first
    while true {
      var longer = best
      for start in best.range.dropFirst() {
        if let other = longest(at: start, in: range, over: longer.range.count, bytes, authored) { longer = other }
      }
      if longer.range == best.range { return best }
      best = longer
    }
  }

  /// The longest token that begins here and is longer than `over`.
  private func longest(
    at start: Int, in range: Range<Int>, over: Int = 0, _ bytes: UnsafeRawBufferPointer, _ authored: [Bool]
  ) -> Match? {
    let first = Int(bytes[start])
    guard let greatest = lengths[first].first, greatest > over,
      begins[first << 8 | (start + 1 < range.upperBound ? Int(bytes[start + 1]) : 0)] || start + 1 == range.upperBound
    else { return nil }
    for length in lengths[first] where start + length <= range.upperBound {
      if length <= over { return nil }
      guard let number = table.number(of: UnsafeRawBufferPointer(rebasing: bytes[start..<start + length])) else {
        continue
      }
      let (token, kind) = tokens[Int(number)]
      if kind == .anywhere || authored[start..<start + length].allSatisfy(\.self) {
        return Match(range: start..<start + length, token: token)
      }
    }
    return nil
  }
}
