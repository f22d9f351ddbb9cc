/// Writes fixed big-endian scalars, the layer's stored form of numbers.
package struct ByteWriter {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  package mutating func write<T: FixedWidthInteger>(_ value: T) {
    for shift in stride(from: T.bitWidth - 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  package mutating func write(_ value: some Sequence<UInt8>) { bytes += value }
}

/// Reads what `ByteWriter` wrote; nil when the bytes end too early.
package struct ByteReader {
  private let bytes: ArraySlice<UInt8>
  private var position: Int

  package init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  package init(_ bytes: [UInt8]) { self.init(bytes[...]) }

  package var isAtEnd: Bool { position == bytes.endIndex }

  package mutating func read<T: FixedWidthInteger & UnsignedInteger>(_ type: T.Type) -> T? {
    let size = T.bitWidth / 8
    guard bytes.endIndex - position >= size else { return nil }
    var value: T = 0
    for byte in bytes[position..<position + size] { value = T.bitWidth == 8 ? T(byte) : value << 8 | T(byte) }
    position += size
    return value
  }

  package mutating func read(count: Int) -> [UInt8]? {
    guard bytes.endIndex - position >= count else { return nil }
    defer { position += count }
    return Array(bytes[position..<position + count])
  }
}
