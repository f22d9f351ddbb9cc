/// Turns the bytes of tokens into text as they come: whole characters only, and nothing that may become a stop string.
package struct TextStream: Sendable {
  private let stops: [[UInt8]]
  /// Bytes not yet given out: an unfinished character, or the possible beginning of a stop string.
  private var pending: [UInt8] = []
  /// A stop string was seen; nothing more comes.
  package private(set) var stopped = false
  /// How many of the tokens' bytes were given out as text.
  package private(set) var givenBytes = 0

  package init(stops: [String]) { self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty } }

  /// Adds a token's bytes but the first `skipped`, which are no text; returns the text that is now certain.
  package mutating func add(_ bytes: [UInt8], skipping skipped: Int = 0) -> String {
    guard !stopped else { return "" }
    givenBytes += skipped
    pending.append(contentsOf: bytes.dropFirst(skipped))
    if let end = firstStop() {
      stopped = true
      givenBytes += end
      defer { pending = [] }
      return String(decoding: pending[..<end], as: UTF8.self)
    }
    let certain = min(pending.count - possibleStop(), Self.wholeCharacters(pending))
    givenBytes += certain
    defer { pending.removeFirst(certain) }
    return String(decoding: pending[..<certain], as: UTF8.self)
  }

  /// The rest, once no more tokens come; an unfinished character becomes U+FFFD.
  package mutating func finish() -> String {
    givenBytes += pending.count
    defer { pending = [] }
    return String(decoding: pending, as: UTF8.self)
  }

  private func firstStop() -> Int? {
    pending.indices.first { start in stops.contains { pending[start...].starts(with: $0) } }
  }

  /// The length of the longest end that begins a stop string.
  private func possibleStop() -> Int {
    let longest = min(pending.count, (stops.map(\.count).max() ?? 1) - 1)
    return (0...longest).reversed().first { length in
      length == 0 || stops.contains { $0.starts(with: pending.suffix(length)) }
    } ?? 0
  }

  /// How many bytes there are before an unfinished character at the end.
  private static func wholeCharacters(_ bytes: [UInt8]) -> Int {
    for back in 1...3 where back <= bytes.count {
      let byte = bytes[bytes.count - back]
      if byte & 0xc0 == 0x80 { continue }
      let length = byte >= 0xf0 && byte < 0xf8 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1
      return byte < 0xf8 && length > back ? bytes.count - back : bytes.count
    }
    return bytes.count
  }
}
