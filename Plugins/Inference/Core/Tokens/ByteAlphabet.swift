/// GPT-2's alphabet: every byte is a printable character, so that a vocabulary is readable text.
///
/// Source: `bytes_to_unicode` in github.com/openai/gpt-2, src/encoder.py.
enum ByteAlphabet {
  /// The character of each byte.
  static let characters: [UInt32] = {
    var characters = [UInt32](repeating: 0, count: 256)
    var next: UInt32 = 256
    for byte in UInt32(0)..<256 {
      let printable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
      characters[Int(byte)] = printable ? byte : next
      if !printable { next += 1 }
    }
    return characters
  }()

  /// The byte of each character below 324, the first beyond the alphabet; -1 for none.
  private static let bytes: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 324)
    for (byte, character) in characters.enumerated() { bytes[Int(character)] = Int16(byte) }
    return bytes
  }()

  /// The bytes that a word in the alphabet stands for; characters outside of it stand for themselves.
  static func decode(_ word: ArraySlice<UInt8>) -> [UInt8] {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(word.count)
    var index = word.startIndex
    while index < word.endIndex {
      var character = Int(word[index])
      var length = 1
      if character >= 0xc2, character <= 0xc5, index + 1 < word.endIndex, word[index + 1] & 0xc0 == 0x80 {
        character = (character & 0x1f) << 6 | Int(word[index + 1] & 0x3f)
        length = 2
      }
      // A lone byte above ASCII is no character.
      if character < bytes.count, bytes[character] >= 0, length == 2 || character < 0x80 {
        decoded.append(UInt8(bytes[character]))
      } else {
        decoded.append(contentsOf: word[index..<index + length])
      }
      index += length
    }
    return decoded
  }

  /// The UTF-8 form of the character of a byte.
  static func encode(_ byte: UInt8) -> [UInt8] {
    guard let scalar = Unicode.Scalar(characters[Int(byte)]) else { return [byte] }
    return Array(String(scalar).utf8)
  }
}
