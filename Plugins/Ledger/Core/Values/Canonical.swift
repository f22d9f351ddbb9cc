/// Writes the ledger's one binary form: fixed-width big-endian scalars, length-prefixed slices, nothing between.
package struct CanonicalWriter {
  package private(set) var bytes: [UInt8]

  package init(capacity: Int = 256) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  package mutating func raw(_ content: some Collection<UInt8>) { bytes.append(contentsOf: content) }

  package mutating func integer<T: FixedWidthInteger>(_ value: T) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  /// A slice with a 16-bit length; longer content is a programmer's error, because callers hold their limits.
  package mutating func slice16(_ content: some Collection<UInt8>) {
    precondition(content.count <= Int(UInt16.max), "a slice of \(content.count) bytes does not fit a 16-bit length")
    integer(UInt16(content.count))
    raw(content)
  }

  /// A slice with a 32-bit length.
  package mutating func slice32(_ content: some Collection<UInt8>) {
    precondition(content.count <= Int(UInt32.max), "a slice of \(content.count) bytes does not fit a 32-bit length")
    integer(UInt32(content.count))
    raw(content)
  }
}

/// Reads what `CanonicalWriter` wrote; nil means that the bytes end too early.
package struct CanonicalReader {
  private let bytes: [UInt8]
  package private(set) var offset = 0

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package var isAtEnd: Bool { offset == bytes.count }

  package mutating func raw(_ count: Int) -> [UInt8]? {
    guard count >= 0, bytes.count - offset >= count else { return nil }
    defer { offset += count }
    return Array(bytes[offset..<offset + count])
  }

  package mutating func integer<T: FixedWidthInteger>(_ type: T.Type) -> T? {
    let width = T.bitWidth / 8
    guard bytes.count - offset >= width else { return nil }
    defer { offset += width }
    return bytes.withUnsafeBytes { T(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
  }

  package mutating func slice16() -> [UInt8]? { integer(UInt16.self).flatMap { raw(Int($0)) } }

  package mutating func slice32() -> [UInt8]? { integer(UInt32.self).flatMap { raw(Int($0)) } }

  /// Text with a 16-bit length; nil when it is not UTF-8.
  package mutating func text16() -> String? { slice16().flatMap { String(validating: $0, as: UTF8.self) } }
}
