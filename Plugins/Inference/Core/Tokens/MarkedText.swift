/// Text that remembers which of its bytes the model's author wrote.
///
/// Only authored bytes can form control tokens: a message that contains `<|im_end|>` stays ordinary text.
package struct MarkedText: Equatable, Sendable {
  package private(set) var bytes: [UInt8] = []
  /// For each byte: written by the author of the template, not by a user.
  package private(set) var authored: [Bool] = []

  package init() {}

  package init(_ text: String, authored: Bool) {
    bytes = Array(text.utf8)
    self.authored = Array(repeating: authored, count: bytes.count)
  }

  package var string: String { String(decoding: bytes, as: UTF8.self) }
  package var isEmpty: Bool { bytes.isEmpty }

  package static func + (left: MarkedText, right: MarkedText) -> MarkedText {
    var sum = left
    sum.append(right)
    return sum
  }

  package mutating func append(_ other: MarkedText) {
    bytes.append(contentsOf: other.bytes)
    authored.append(contentsOf: other.authored)
  }

  /// The part in a range of bytes.
  package subscript(range: Range<Int>) -> MarkedText {
    var part = MarkedText()
    part.bytes = Array(bytes[range])
    part.authored = Array(authored[range])
    return part
  }

  /// Without ASCII whitespace at the ends.
  package func trimmed() -> MarkedText {
    func blank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
    guard let first = bytes.firstIndex(where: { !blank($0) }), let last = bytes.lastIndex(where: { !blank($0) }) else {
      return MarkedText()
    }
    return self[first..<last + 1]
  }
}
