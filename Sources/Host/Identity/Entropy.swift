import CSodium

/// Unpredictable bytes from the system.
enum Entropy {
  static func fill(_ memory: UnsafeMutableRawBufferPointer) {
    if let base = memory.baseAddress { randombytes_buf(base, memory.count) }
  }

  static func bytes(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    bytes.withUnsafeMutableBytes { fill($0) }
    return bytes
  }
}
