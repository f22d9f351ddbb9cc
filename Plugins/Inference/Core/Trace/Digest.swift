import CSodium

/// A BLAKE2b-256 hash (RFC 7693, unkeyed, 32 bytes): the hash of all traces.
package struct Digest: Hashable, Sendable, CustomStringConvertible {
  /// Bytes of a digest.
  package static let size = 32

  private let words: SIMD4<UInt64>

  /// Lets libsodium choose the code for this processor, without which it hashes at half the speed.
  package static let isReady = sodium_init() >= 0

  /// The hash of bytes.
  package init(of bytes: [UInt8]) { self = bytes.withUnsafeBytes { Digest(of: $0) } }

  /// The hash of memory.
  package init(of memory: UnsafeRawBufferPointer) {
    precondition(Self.isReady, "libsodium does not start on this machine")
    var words = SIMD4<UInt64>()
    withUnsafeMutableBytes(of: &words) { out in
      guard let target = out.bindMemory(to: UInt8.self).baseAddress else { return }
      // Fails only for sizes that BLAKE2b does not have.
      _ = crypto_generichash(
        target, Self.size, memory.bindMemory(to: UInt8.self).baseAddress, UInt64(memory.count), nil, 0)
    }
    self.words = words
  }

  /// A digest that is known already: 32 bytes, or nil.
  package init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.size else { return nil }
    var words = SIMD4<UInt64>()
    withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
    self.words = words
  }

  /// A digest as 64 hexadecimal digits, of either case; nil for anything else.
  package init?(hex: String) {
    let digits = Array(hex.utf8)
    guard digits.count == 2 * Self.size else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
      guard let high = Self.value(of: digits[index]), let low = Self.value(of: digits[index + 1]) else { return nil }
      bytes.append(high << 4 | low)
    }
    self.init(bytes)
  }

  private static func value(of digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  package var bytes: [UInt8] { withUnsafeBytes(of: words) { Array($0) } }

  /// 64 lowercase hexadecimal digits.
  package var hex: String { bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() }

  package var description: String { hex }
}
