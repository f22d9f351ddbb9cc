/// Reads little-endian values one after another and never past the end.
struct ByteCursor {
  /// Why a read failed: how many bytes were missing at which offset.
  struct PastEnd: Error {
    let offset: Int
  }

  let bytes: UnsafeRawBufferPointer
  private(set) var offset = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var remaining: Int { bytes.count - offset }

  mutating func integer<T: FixedWidthInteger>(_ type: T.Type) throws(PastEnd) -> T {
    let size = MemoryLayout<T>.size
    guard remaining >= size else { throw PastEnd(offset: offset) }
    defer { offset += size }
    return T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  mutating func take(_ count: UInt64) throws(PastEnd) -> UnsafeRawBufferPointer {
    guard count <= UInt64(remaining) else { throw PastEnd(offset: offset) }
    defer { offset += Int(count) }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Int(count)])
  }
}
