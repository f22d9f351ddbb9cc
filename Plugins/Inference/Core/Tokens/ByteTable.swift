/// A hash table from byte strings to small integers, for vocabularies: open addressing, the strings stay where they are.
struct ByteTable {
  private var slots: [Int32]
  private var keys: [UnsafeRawBufferPointer] = []
  private let mask: Int

  /// A table for at most `capacity` strings, whose bytes must outlive it.
  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = Array(repeating: -1, count: size)
    mask = size - 1
    keys.reserveCapacity(capacity)
  }

  /// Adds a string under the next number; a string seen before keeps its first number.
  mutating func append(_ key: UnsafeRawBufferPointer) {
    let slot = place(of: key)
    if slots[slot] < 0 { slots[slot] = Int32(keys.count) }
    keys.append(key)
  }

  /// The number of a string.
  func number(of key: UnsafeRawBufferPointer) -> Int32? {
    let number = slots[place(of: key)]
    return number < 0 ? nil : number
  }

  private func place(of key: UnsafeRawBufferPointer) -> Int {
    var slot = Self.hash(key) & mask
    while slots[slot] >= 0 {
      let other = keys[Int(slots[slot])]
      if other.count == key.count, other.elementsEqual(key) { return slot }
      slot = (slot + 1) & mask
    }
    return slot
  }

  /// FNV-1a, folded.
  private static func hash(_ key: UnsafeRawBufferPointer) -> Int {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in key { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return Int(truncatingIfNeeded: (hash ^ (hash >> 32)) & 0x7fff_ffff)
  }
}
