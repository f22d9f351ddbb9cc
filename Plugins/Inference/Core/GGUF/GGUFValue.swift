/// The value of a key in a GGUF file.
package enum GGUFValue {
  case unsigned(UInt64)
  case signed(Int64)
  case float(Double)
  case bool(Bool)
  case text(UnsafeRawBufferPointer)
  case array(GGUFArray)

  /// The value as a count, if it is a non-negative integer.
  package var count: Int? {
    switch self {
    case .unsigned(let value): Int(exactly: value)
    case .signed(let value): value >= 0 ? Int(exactly: value) : nil
    default: nil
    }
  }

  package var double: Double? {
    switch self {
    case .float(let value): value
    case .unsigned(let value): Double(value)
    case .signed(let value): Double(value)
    default: nil
    }
  }

  package var string: String? {
    if case .text(let bytes) = self { String(decoding: bytes, as: UTF8.self) } else { nil }
  }
}

/// An array in a GGUF file: `elements` of one type, left where they lie until someone reads them.
package struct GGUFArray {
  package let type: GGUFValueType
  package let count: Int
  /// The encoded elements, checked to be complete.
  package let elements: UnsafeRawBufferPointer

  /// The elements as byte strings, or nil if they are not strings.
  package func texts() -> [UnsafeRawBufferPointer]? {
    guard type == .string else { return nil }
    var cursor = ByteCursor(elements)
    var texts: [UnsafeRawBufferPointer] = []
    texts.reserveCapacity(count)
    for _ in 0..<count {
      guard let length = try? cursor.integer(UInt64.self), let text = try? cursor.take(length) else { return nil }
      texts.append(text)
    }
    return texts
  }

  /// The elements as 32-bit integers, or nil if they are not.
  package func integers() -> [Int32]? {
    guard type == .int32 || type == .uint32 else { return nil }
    return (0..<count).map { Int32(littleEndian: elements.loadUnaligned(fromByteOffset: $0 * 4, as: Int32.self)) }
  }

  /// The elements as binary32, or nil if they are no numbers of 32 bits.
  package func floats() -> [Float]? {
    if type == .int32 { return integers()?.map { Float($0) } }
    guard type == .float32 else { return nil }
    return (0..<count).map {
      Float(bitPattern: UInt32(littleEndian: elements.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self)))
    }
  }
}

/// The types of values, numbered as in the format.
package enum GGUFValueType: UInt32 {
  case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

  /// The size of one value, nil for strings and arrays.
  var size: Int? {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    case .string, .array: nil
    }
  }
}
