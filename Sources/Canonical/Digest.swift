import CSodium

/// A SHA-256 value: 32 bytes.
public struct Digest: Hashable, Sendable, CustomStringConvertible {
  /// The 32 bytes.
  public let bytes: [UInt8]

  /// The digest of a message.
  public init(of message: [UInt8]) {
    var digest = [UInt8](repeating: 0, count: 32)
    crypto_hash_sha256(&digest, message, UInt64(message.count))
    bytes = digest
  }

  /// A digest that is known; nil unless it has 32 bytes.
  public init?(bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    self.bytes = bytes
  }

  private init(unchecked bytes: [UInt8]) { self.bytes = bytes }

  /// 32 zero bytes: the predecessor of the first block, the root of nothing yet.
  public static let zero = Digest(unchecked: [UInt8](repeating: 0, count: 32))

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
