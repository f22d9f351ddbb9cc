/// A hash table from byte strings to small integers, for vocabularies: open addressing over bytes of its own.
///
/// The numbers are those of the strings' order; nothing is ever listed in the order of the hashes.
struct ByteTable: Sendable {
  private var slots: [Int32]
  private var bytes: [UInt8] = []
  /// Where each string ends in `bytes`; the first begins at 0.
  private var ends: [Int] = [0]
  private let mask: Int
  /// The length of the longest string.
  private(set) var longest = 0

  /// A table for at most `capacity` strings.
  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = Array(repeating: -1, count: size)
    mask = size - 1
    ends.reserveCapacity(capacity + 1)
  }

  var count: Int { ends.count - 1 }

  /// Adds a string under the next number; a string seen before keeps its first number.
  mutating func append(_ key: UnsafeRawBufferPointer) {
    let slot = place(of: key)
    if slots[slot] < 0 { slots[slot] = Int32(count) }
    bytes.append(contentsOf: key)
    ends.append(bytes.count)
    longest = max(longest, key.count)
  }

  /// The number of a string.
  func number(of key: UnsafeRawBufferPointer) -> Int32? {
    guard key.count <= longest else { return nil }
    let number = slots[place(of: key)]
    return number < 0 ? nil : number
  }

  /// The number of a string.
  func number(of key: String) -> Int32? { Array(key.utf8).withUnsafeBytes { number(of: $0) } }

  /// The string of a number.
  subscript(number: Int) -> ArraySlice<UInt8> { bytes[ends[number]..<ends[number + 1]] }

  private func place(of key: UnsafeRawBufferPointer) -> Int {
    var slot = Self.hash(key) & mask
    bytes.withUnsafeBytes { bytes in
      while slots[slot] >= 0 {
        let other = Int(slots[slot])
        let start = ends[other]
        let length = ends[other + 1] - start
        if length == key.count, bytes[start..<start + length].elementsEqual(key) { return }
        slot = (slot + 1) & mask
      }
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
