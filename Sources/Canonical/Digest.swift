import CSodium

/// A SHA-256 value: 32 bytes, held in place, in the order of the bytes.
public struct Digest: Hashable, Comparable, Sendable, CustomStringConvertible {
  // In memory the bytes as they are; as numbers these words mean nothing.
  private var first: UInt64 = 0
  private var second: UInt64 = 0
  private var third: UInt64 = 0
  private var fourth: UInt64 = 0

  private init() {}

  /// The digest of a message.
  public init(of message: [UInt8]) { self = message.withUnsafeBytes(Self.hash) }

  /// The digest of a tag and two digests, 65 bytes: how trees join their halves.
  public init(tag: UInt8, _ left: Digest, _ right: Digest) {
    self = withUnsafeTemporaryAllocation(byteCount: 65, alignment: 1) { buffer in
      buffer[0] = tag
      withUnsafeBytes(of: left) { UnsafeMutableRawBufferPointer(rebasing: buffer[1..<33]).copyMemory(from: $0) }
      withUnsafeBytes(of: right) { UnsafeMutableRawBufferPointer(rebasing: buffer[33...]).copyMemory(from: $0) }
      return Self.hash(UnsafeRawBufferPointer(buffer))
    }
  }

  private static func hash(_ message: UnsafeRawBufferPointer) -> Digest {
    var digest = Digest()
    withUnsafeMutableBytes(of: &digest) { bytes in
      guard let target = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
      _ = crypto_hash_sha256(
        target, message.baseAddress?.assumingMemoryBound(to: UInt8.self), UInt64(message.count))
    }
    return digest
  }

  /// A digest that is known; nil unless it has 32 bytes.
  public init?(bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    withUnsafeMutableBytes(of: &self) { $0.copyBytes(from: bytes) }
  }

  /// 32 zero bytes: the predecessor of the first block, the root of nothing yet.
  public static let zero = Digest()

  /// The 32 bytes.
  public var bytes: [UInt8] { withUnsafeBytes(of: self) { Array($0) } }

  /// The bit at a place of 0 to 255, counted from the first byte's highest.
  public func bit(_ place: Int) -> Bool {
    withUnsafeBytes(of: self) { $0[place >> 3] >> UInt8(7 - place & 7) & 1 == 1 }
  }

  /// In the order of the bytes.
  public static func < (left: Digest, right: Digest) -> Bool {
    (left.first.bigEndian, left.second.bigEndian, left.third.bigEndian, left.fourth.bigEndian)
      < (right.first.bigEndian, right.second.bigEndian, right.third.bigEndian, right.fourth.bigEndian)
  }

  /// 64 hexadecimal digits.
  public var description: String { hexadecimal(bytes) }
}

/// SHA-256 of bytes that come in pieces.
public struct DigestStream {
  private var state = crypto_hash_sha256_state()

  /// Begins with nothing.
  public init() { crypto_hash_sha256_init(&state) }

  /// Takes the next piece.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    crypto_hash_sha256_update(&state, start.assumingMemoryBound(to: UInt8.self), UInt64(bytes.count))
  }

  /// The 32 bytes, once; the stream is used up.
  public mutating func finish() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_hash_sha256_final(&state, &digest)
    return digest
  }
}
