/// Some of the 256 bytes.
package struct ByteSet: Equatable, Sendable {
  private var words: SIMD4<UInt64> = .zero

  package init() {}

  package init(_ ranges: ClosedRange<UInt8>...) { for range in ranges { for byte in range { insert(byte) } } }

  package init(_ bytes: some Sequence<UInt8>) { for byte in bytes { insert(byte) } }

  package mutating func insert(_ byte: UInt8) { words[Int(byte >> 6)] |= 1 << UInt64(byte & 63) }

  package mutating func remove(_ byte: UInt8) { words[Int(byte >> 6)] &= ~(1 << UInt64(byte & 63)) }

  package func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] >> UInt64(byte & 63) & 1 == 1 }

  package var isEmpty: Bool { words == .zero }
}

/// A set of byte strings, put together from smaller ones.
package indirect enum Form: Sendable {
  /// Exactly these bytes.
  case bytes([UInt8])
  /// One byte of a set.
  case set(ByteSet)
  /// One after the other.
  case sequence([Form])
  /// Any of them; none of no forms.
  case choice([Form])
  /// At least, and at most or without a bound, so many of it.
  case repeated(Form, least: Int, most: Int?)
  /// What a rule of the grammar says, which may say it of itself.
  case rule(Int)

  /// The empty string alone.
  package static let nothing = Form.bytes([])

  package static func text(_ text: String) -> Form { .bytes(Array(text.utf8)) }

  package static func optional(_ form: Form) -> Form { .repeated(form, least: 0, most: 1) }

  /// Any of some strings, with common beginnings read once.
  package static func literals(_ strings: [[UInt8]]) -> Form {
    literals(strings.sorted { $0.lexicographicallyPrecedes($1) }[...], from: 0)
  }

  private static func literals(_ sorted: ArraySlice<[UInt8]>, from start: Int) -> Form {
    guard let first = sorted.first, let last = sorted.last else { return .choice([]) }
    // What the first and the last of a sorted list have in common, all have.
    var end = start
    while end < first.count, end < last.count, first[end] == last[end] { end += 1 }
    var forms: [Form] = []
    var rest = sorted
    while let next = rest.first {
      if next.count == end {
        forms.append(.nothing)
        rest = rest.drop { $0.count == end }
      } else {
        let same = rest.prefix { $0[end] == next[end] }
        forms.append(literals(same, from: end))
        rest = rest.dropFirst(same.count)
        if same.count == sorted.count { return .bytes(Array(next[start...])) }
      }
    }
    return .sequence([.bytes(Array(first[start..<end])), forms.count == 1 ? forms[0] : .choice(forms)])
  }
}
