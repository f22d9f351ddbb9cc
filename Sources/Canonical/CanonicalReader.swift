/// Reads what `CanonicalWriter` wrote, and refuses everything else.
///
/// Input may come from anybody: a length never makes the reader allocate more than the input holds, and each value has
/// one accepted encoding (a bool is 0 or 1, text is valid UTF-8, nothing follows `finish()`).
public struct CanonicalReader: Sendable {
  private let input: ArraySlice<UInt8>
  private var position: Int

  /// Reads from the first byte of `input`.
  public init(_ input: [UInt8]) { self.init(input[...]) }

  /// Reads from the first byte of `input`.
  public init(_ input: ArraySlice<UInt8>) {
    self.input = input
    position = input.startIndex
  }

  /// How many bytes have not been read.
  public var remaining: Int { input.endIndex - position }

  /// How many bytes have been read.
  public var offset: Int { position - input.startIndex }

  /// Reads one byte.
  public mutating func u8() throws(CanonicalError) -> UInt8 { try integer() }

  /// Reads 2 bytes, big-endian.
  public mutating func u16() throws(CanonicalError) -> UInt16 { try integer() }

  /// Reads 4 bytes, big-endian.
  public mutating func u32() throws(CanonicalError) -> UInt32 { try integer() }

  /// Reads 8 bytes, big-endian.
  public mutating func u64() throws(CanonicalError) -> UInt64 { try integer() }

  /// Reads 4 bytes, big-endian two's complement.
  public mutating func i32() throws(CanonicalError) -> Int32 { Int32(bitPattern: try integer()) }

  /// Reads 8 bytes, big-endian two's complement.
  public mutating func i64() throws(CanonicalError) -> Int64 { Int64(bitPattern: try integer()) }

  /// Reads a byte that must be 0 or 1.
  public mutating func bool() throws(CanonicalError) -> Bool {
    let start = offset
    switch try u8() {
    case 0: return false
    case 1: return true
    default: throw .notCanonical(offset: start, expected: "a bool, 0 or 1")
    }
  }

  /// Reads a slice of at most `limit` bytes.
  public mutating func bytes(limit: Int = .max) throws(CanonicalError) -> [UInt8] {
    let start = offset
    return Array(try take(Int(try u32()), limit: limit, start: start))
  }

  /// Reads UTF-8 text of at most `limit` bytes.
  public mutating func text(limit: Int = .max) throws(CanonicalError) -> String {
    let start = offset
    return try utf8(try take(Int(try u32()), limit: limit, start: start), start: start)
  }

  /// Reads a name: UTF-8 behind a u16 length.
  public mutating func name(limit: Int = .max) throws(CanonicalError) -> String {
    let start = offset
    return try utf8(try take(Int(try u16()), limit: limit, start: start), start: start)
  }

  /// Reads exactly `count` bytes that have no length in front.
  public mutating func raw(_ count: Int) throws(CanonicalError) -> [UInt8] {
    Array(try take(count, limit: .max, start: offset))
  }

  /// Reads a list of at most `limit` elements; every element takes at least one byte.
  public mutating func list<Element>(
    limit: Int = .max, _ read: (inout CanonicalReader) throws -> Element
  ) throws -> [Element] {
    let start = offset
    let count = Int(try u32())
    guard count <= limit else { throw CanonicalError.tooLong(offset: start, count: count, limit: limit) }
    guard count <= remaining else { throw CanonicalError.truncated(offset: start, wanted: count, remaining: remaining) }
    var elements: [Element] = []
    elements.reserveCapacity(min(count, 1024))
    for _ in 0..<count { elements.append(try read(&self)) }
    return elements
  }

  /// Reads whether a value is there, then the value.
  public mutating func optional<Value>(_ read: (inout CanonicalReader) throws -> Value) throws -> Value? {
    try bool() ? try read(&self) : nil
  }

  /// Fails when something follows the last value.
  public func finish() throws(CanonicalError) {
    guard remaining == 0 else { throw .trailing(offset: offset, count: remaining) }
  }

  private mutating func integer<Value: FixedWidthInteger & UnsignedInteger>() throws(CanonicalError) -> Value {
    let width = Value.bitWidth / 8
    var value: Value = 0
    for byte in try take(width, limit: .max, start: offset) { value = (value << 8 as Value) | Value(byte) }
    return value
  }

  private mutating func take(
    _ count: Int, limit: Int, start: Int
  ) throws(CanonicalError) -> ArraySlice<UInt8> {
    guard count <= limit else { throw .tooLong(offset: start, count: count, limit: limit) }
    guard count >= 0, count <= remaining else {
      throw .truncated(offset: start, wanted: count, remaining: remaining)
    }
    defer { position += count }
    return input[position..<position + count]
  }

  private func utf8(_ slice: ArraySlice<UInt8>, start: Int) throws(CanonicalError) -> String {
    guard let text = String(validating: slice, as: UTF8.self) else {
      throw .notCanonical(offset: start, expected: "UTF-8 text")
    }
    return text
  }
}
