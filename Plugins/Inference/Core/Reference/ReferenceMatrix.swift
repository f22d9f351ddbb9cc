/// A tensor as the file stores it, and products with it: section 4 of `docs/arithmetic.md`.
package struct ReferenceMatrix {
  /// The storage types by their GGUF numbers.
  package enum Storage: UInt32, CaseIterable, Sendable {
    case f32 = 0
    case f16 = 1
    case q4_0 = 2
    case q4_1 = 3
    case q5_0 = 6
    case q5_1 = 7
    case q8_0 = 8
    case q4_k = 12
    case q5_k = 13
    case q6_k = 14
    case bf16 = 30

    /// Values and bytes of one stored block.
    package var block: (values: Int, bytes: Int) {
      switch self {
      case .f32: (1, 4)
      case .f16, .bf16: (1, 2)
      case .q4_0: (32, 18)
      case .q4_1: (32, 20)
      case .q5_0: (32, 22)
      case .q5_1: (32, 24)
      case .q8_0: (32, 34)
      case .q4_k: (256, 144)
      case .q5_k: (256, 176)
      case .q6_k: (256, 210)
      }
    }

    var isFloat: Bool { self == .f32 || self == .f16 || self == .bf16 }
  }

  /// Thirty-two weights: w_k = d * s * n_k + m, where s is 1 but for Q6_K, whose halves have scales of their own.
  struct Block {
    var d: Float
    var m: Float?
    var s: (Int32, Int32) = (1, 1)
  }

  package let storage: Storage
  package let rows: Int
  package let columns: Int
  private let bytes: UnsafeRawBufferPointer

  /// `bytes` must outlive the matrix; nil if they are not `rows` whole rows.
  package init?(storage: Storage, rows: Int, columns: Int, bytes: UnsafeRawBufferPointer) {
    guard columns > 0, columns % storage.block.values == 0,
      bytes.count == rows * (columns / storage.block.values) * storage.block.bytes
    else { return nil }
    self.storage = storage
    self.rows = rows
    self.columns = columns
    self.bytes = bytes
  }

  private func row(_ r: Int) -> UnsafeRawBufferPointer {
    let size = columns / storage.block.values * storage.block.bytes
    return UnsafeRawBufferPointer(rebasing: bytes[r * size..<(r + 1) * size])
  }

  /// Every row times a vector.
  package func times(_ v: ReferenceArithmetic.Activation) -> [Float] {
    var n = [Int32](repeating: 0, count: 32)
    return (0..<rows).map { r in
      let row = row(r)
      var acc: Float = 0
      if storage.isFloat {
        for k in 0..<columns { acc = ReferenceArithmetic.fma(float(row, k), v.x[k], acc) }
        return acc
      }
      for b in 0..<columns / 32 {
        let block = block(row, b, &n)
        var first: Int32 = 0
        var second: Int32 = 0
        for k in 0..<16 {
          first &+= n[k] &* v.q[32 &* b &+ k]
          second &+= n[16 &+ k] &* v.q[32 &* b &+ 16 &+ k]
        }
        let dot = Float(block.s.0 * first + block.s.1 * second)
        let t: Float
        if let m = block.m {
          t = ReferenceArithmetic.fma(block.d, dot, m * Float(v.a[b]))
        } else {
          t = block.d * dot
        }
        acc = ReferenceArithmetic.fma(v.e[b], t, acc)
      }
      return acc
    }
  }

  /// The values of one row.
  package func values(ofRow r: Int) -> [Float] {
    let row = row(r)
    if storage.isFloat { return (0..<columns).map { float(row, $0) } }
    var n = [Int32](repeating: 0, count: 32)
    var values: [Float] = []
    for b in 0..<columns / 32 {
      let block = block(row, b, &n)
      for k in 0..<32 {
        let code = Float(n[k])
        let scale = block.d * Float(k < 16 ? block.s.0 : block.s.1)
        values.append(block.m.map { ReferenceArithmetic.fma(scale, code, $0) } ?? scale * code)
      }
    }
    return values
  }

  private func float(_ row: UnsafeRawBufferPointer, _ k: Int) -> Float {
    switch storage {
    case .f32: Float(bitPattern: UInt32(littleEndian: row.loadUnaligned(fromByteOffset: 4 * k, as: UInt32.self)))
    case .bf16: Float(bitPattern: UInt32(short(row, 2 * k)) << 16)
    default: half(row, 2 * k)
    }
  }

  private func short(_ row: UnsafeRawBufferPointer, _ offset: Int) -> UInt16 {
    UInt16(littleEndian: row.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  }

  private func half(_ row: UnsafeRawBufferPointer, _ offset: Int) -> Float {
    Float(Float16(bitPattern: short(row, offset)))
  }

  /// Reads the b-th thirty-two weights of a row: their integers into `n`, what scales them as the result.
  private func block(_ row: UnsafeRawBufferPointer, _ b: Int, _ n: inout [Int32]) -> Block {
    let size = storage.block.bytes
    switch storage {
    case .q4_0:
      for i in 0..<16 { nibbles(row[b * size + 2 + i], i, &n, minus: 8) }
      return Block(d: half(row, b * size))
    case .q4_1:
      for i in 0..<16 { nibbles(row[b * size + 4 + i], i, &n, minus: 0) }
      return Block(d: half(row, b * size), m: half(row, b * size + 2))
    case .q5_0:
      fifths(row, b * size + 2, &n, minus: 16)
      return Block(d: half(row, b * size))
    case .q5_1:
      fifths(row, b * size + 4, &n, minus: 0)
      return Block(d: half(row, b * size), m: half(row, b * size + 2))
    case .q8_0:
      for k in 0..<32 { n[k] = Int32(Int8(bitPattern: row[b * size + 2 + k])) }
      return Block(d: half(row, b * size))
    case .q4_k, .q5_k: return fourthOrFifth(row, b, &n)
    case .q6_k: return sixth(row, b, &n)
    case .f32, .f16, .bf16: preconditionFailure("floats have no blocks")
    }
  }

  private func nibbles(_ byte: UInt8, _ i: Int, _ n: inout [Int32], minus offset: Int32) {
    n[i] = Int32(byte & 15) - offset
    n[16 + i] = Int32(byte >> 4) - offset
  }

  /// Four bytes with the fifth bits, then sixteen with the nibbles.
  private func fifths(_ row: UnsafeRawBufferPointer, _ offset: Int, _ n: inout [Int32], minus: Int32) {
    let high = UInt32(littleEndian: row.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    for i in 0..<16 {
      nibbles(row[offset + 4 + i], i, &n, minus: minus)
      n[i] += Int32(high >> UInt32(i) & 1) * 16
      n[16 + i] += Int32(high >> UInt32(16 + i) & 1) * 16
    }
  }

  /// Q4_K and Q5_K: eight blocks of 32 share d and dmin; each has a scale and a minimum of six bits.
  private func fourthOrFifth(_ row: UnsafeRawBufferPointer, _ b: Int, _ n: inout [Int32]) -> Block {
    let start = b / 8 * storage.block.bytes
    let s = b % 8
    let packed = start + 4
    let scale: UInt8
    let minimum: UInt8
    if s < 4 {
      scale = row[packed + s] & 63
      minimum = row[packed + s + 4] & 63
    } else {
      scale = row[packed + s + 4] & 15 | (row[packed + s - 4] >> 6) << 4
      minimum = row[packed + s + 4] >> 4 | (row[packed + s] >> 6) << 4
    }
    let fifth = packed + 12
    let codes = storage == .q5_k ? fifth + 32 : fifth
    for k in 0..<32 {
      let byte = row[codes + s / 2 * 32 + k]
      n[k] = Int32(s % 2 == 0 ? byte & 15 : byte >> 4)
      if storage == .q5_k { n[k] += Int32(row[fifth + k] >> UInt8(s) & 1) * 16 }
    }
    return Block(d: half(row, start) * Float(scale), m: -(half(row, start + 2) * Float(minimum)))
  }

  /// Q6_K: two halves of 128, each with 64 bytes of low and 32 bytes of high bits; a scale for every 16 weights.
  private func sixth(_ row: UnsafeRawBufferPointer, _ b: Int, _ n: inout [Int32]) -> Block {
    let start = b / 8 * storage.block.bytes
    let upper = b % 8 / 4
    let quarter = b % 4
    for k in 0..<32 {
      let low = row[start + upper * 64 + quarter % 2 * 32 + k]
      let high = row[start + 128 + upper * 32 + k] >> UInt8(2 * quarter) & 3
      n[k] = Int32(quarter < 2 ? low & 15 : low >> 4) + Int32(high) * 16 - 32
    }
    let scales = start + 192 + 2 * (b % 8)
    return Block(
      d: half(row, start + 208), m: nil,
      s: (Int32(Int8(bitPattern: row[scales])), Int32(Int8(bitPattern: row[scales + 1]))))
  }
}
