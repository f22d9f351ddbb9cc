/// Appends values in the canonical encoding: big-endian scalars and slices behind a big-endian length.
///
/// There is exactly one encoding of a value, so bytes written here may be hashed, signed and compared.
public struct CanonicalWriter: Sendable {
  /// Everything written so far.
  public private(set) var bytes: [UInt8] = []

  /// Creates an empty writer.
  public init() {}

  /// Writes one byte.
  public mutating func u8(_ value: UInt8) { bytes.append(value) }

  /// Writes 2 bytes, big-endian.
  public mutating func u16(_ value: UInt16) { integer(value) }

  /// Writes 4 bytes, big-endian.
  public mutating func u32(_ value: UInt32) { integer(value) }

  /// Writes 8 bytes, big-endian.
  public mutating func u64(_ value: UInt64) { integer(value) }

  /// Writes 4 bytes, big-endian two's complement.
  public mutating func i32(_ value: Int32) { integer(UInt32(bitPattern: value)) }

  /// Writes 8 bytes, big-endian two's complement.
  public mutating func i64(_ value: Int64) { integer(UInt64(bitPattern: value)) }

  /// Writes 1 for true and 0 for false.
  public mutating func bool(_ value: Bool) { bytes.append(value ? 1 : 0) }

  /// Writes a slice: its length as u32, then its bytes.
  ///
  /// A slice of 4 GiB or more is a programming error.
  public mutating func bytes(_ value: some Collection<UInt8>) {
    u32(UInt32(value.count))
    bytes.append(contentsOf: value)
  }

  /// Writes UTF-8 text as a slice.
  public mutating func text(_ value: String) { bytes(value.utf8) }

  /// Writes a name: its length as u16, then its UTF-8 bytes.
  ///
  /// A name of 64 KiB or more is a programming error.
  public mutating func name(_ value: String) {
    u16(UInt16(value.utf8.count))
    bytes.append(contentsOf: value.utf8)
  }

  /// Writes bytes without a length, for fields whose size the format fixes.
  public mutating func raw(_ value: some Collection<UInt8>) { bytes.append(contentsOf: value) }

  /// Writes the number of elements as u32, then each element.
  public mutating func list<Element>(
    _ elements: some Collection<Element>, _ write: (inout CanonicalWriter, Element) throws -> Void
  ) rethrows {
    u32(UInt32(elements.count))
    for element in elements { try write(&self, element) }
  }

  /// Writes whether the value is there, then the value.
  public mutating func optional<Value>(
    _ value: Value?, _ write: (inout CanonicalWriter, Value) throws -> Void
  ) rethrows {
    bool(value != nil)
    if let value { try write(&self, value) }
  }

  private mutating func integer<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value) {
    for shift in stride(from: Value.bitWidth - 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> Value(shift)))
    }
  }
}
