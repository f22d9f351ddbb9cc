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

  private static let bytes: [UInt32: UInt8] = {
    var bytes: [UInt32: UInt8] = [:]
    for (byte, character) in characters.enumerated() { bytes[character] = UInt8(byte) }
    return bytes
  }()

  /// The bytes that a word in the alphabet stands for; characters outside of it stand for themselves.
  static func decode(_ word: UnsafeRawBufferPointer) -> [UInt8] {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(word.count)
    for scalar in String(decoding: word, as: UTF8.self).unicodeScalars {
      if let byte = bytes[scalar.value] {
        decoded.append(byte)
      } else {
        decoded.append(contentsOf: Array(String(scalar).utf8))
      }
    }
    return decoded
  }

  /// The UTF-8 form of the character of a byte.
  static func encode(_ byte: UInt8) -> [UInt8] {
    guard let scalar = Unicode.Scalar(characters[Int(byte)]) else { return [byte] }
    return Array(String(scalar).utf8)
  }
}
