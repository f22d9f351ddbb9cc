import CLanes
import PluginAPI

/// What is said on a lane.
///
/// Every question is answered by exactly one `result`; questions may be asked meanwhile.
enum MessageKind: UInt32 {
  /// Call a method of the plugin. [host asks]
  case method = 1
  /// A step of the plugin's life. [host asks]
  case life
  /// An event for a subscriber. [host asks]
  case deliver
  /// Call another layer. [worker asks]
  case `import`
  /// Use a service of the host. [worker asks]
  case service
  /// A message for a sink of the side that asked.
  case item
  /// The answer.
  case result
}

/// Steps of a plugin's life.
enum LifeStep: UInt32 {
  case create = 1, start, stop, destroy, exportState, importPart, importState
}

/// What a worker may ask of the host's services.
enum ServiceCall: UInt32 {
  case log = 1, settings, publish, subscribe, publicKey, sign, revision, catalog, invoke, encode, listening, refused
}

/// Writes a message into an arena: fixed-width scalars in the machine's order, slices as u64 length and bytes.
///
/// The two sides are the same program on the same machine.
package struct MessageWriter {
  private let base: UnsafeMutableRawPointer
  private let capacity: Int
  package private(set) var count = 0
  /// True when something did not fit; the message must not be sent.
  package private(set) var overflowed = false

  package init(_ base: UnsafeMutableRawPointer, capacity: Int) {
    self.base = base
    self.capacity = capacity
  }

  package mutating func put(_ value: UInt32) { put(scalar: value) }
  package mutating func put(_ value: UInt64) { put(scalar: value) }
  package mutating func put(_ value: Int32) { put(scalar: UInt32(bitPattern: value)) }

  package mutating func put(_ bytes: UnsafeRawBufferPointer) {
    put(UInt64(bytes.count))
    guard reserve(bytes.count), let source = bytes.baseAddress else { return }
    (base + count).copyMemory(from: source, byteCount: bytes.count)
    count += bytes.count
  }

  package mutating func put(_ text: String) {
    var text = text
    text.withUTF8 { put(UnsafeRawBufferPointer($0)) }
  }

  /// Writes what `fill` writes as one slice.
  package mutating func nest(_ fill: (inout MessageWriter) -> Void) {
    let place = count
    put(UInt64(0))
    let start = count
    fill(&self)
    if !overflowed { (base + place).storeBytes(of: UInt64(count - start), as: UInt64.self) }
  }

  private mutating func put<T: FixedWidthInteger>(scalar value: T) {
    guard reserve(MemoryLayout<T>.size) else { return }
    (base + count).storeBytes(of: value, as: T.self)
    count += MemoryLayout<T>.size
  }

  private mutating func reserve(_ bytes: Int) -> Bool {
    if overflowed || bytes > capacity - count { overflowed = true }
    return !overflowed
  }
}

/// Reads a message from left to right; what is missing reads as zero and is remembered.
package struct MessageReader {
  private let bytes: UnsafeRawBufferPointer
  package private(set) var position = 0
  /// True when the message was shorter than what was asked of it.
  package private(set) var failed = false

  package init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// True when the message was read to its end and nothing was missing.
  package var isComplete: Bool { !failed && position == bytes.count }

  package mutating func u32() -> UInt32 { scalar() }
  package mutating func u64() -> UInt64 { scalar() }
  package mutating func i32() -> Int32 { Int32(bitPattern: scalar()) }

  package mutating func slice() -> UnsafeRawBufferPointer {
    let length = u64()
    guard !failed, length <= UInt64(bytes.count - position) else {
      failed = true
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    let start = position
    position += Int(length)
    return UnsafeRawBufferPointer(rebasing: bytes[start..<position])
  }

  /// A slice as text; false UTF-8 counts as missing.
  package mutating func text() -> String {
    guard let text = String(validating: slice(), as: UTF8.self) else {
      failed = true
      return ""
    }
    return text
  }

  private mutating func scalar<T: FixedWidthInteger>() -> T {
    guard !failed, bytes.count - position >= MemoryLayout<T>.size else {
      failed = true
      return 0
    }
    let value = bytes.loadUnaligned(fromByteOffset: position, as: T.self)
    position += MemoryLayout<T>.size
    return value
  }
}

/// A received message.
struct Incoming {
  let kind: MessageKind
  let bytes: UnsafeRawBufferPointer
  /// The private copy that `bytes` is; nil when it lies in the arena.
  let copy: UnsafeMutableRawPointer?

  func free() { copy?.deallocate() }
}

/// Why a conversation ended before its result.
enum LaneFailure: Error {
  /// The worker has ended.
  case dead
  /// The call's time is over; the worker has not come back yet.
  case late
  /// The other side wrote what no worker of ours writes.
  case malformed(String)
}

extension symbolon_slice {
  init(_ bytes: UnsafeRawBufferPointer) {
    self.init(data: bytes.bindMemory(to: UInt8.self).baseAddress, size: UInt64(bytes.count))
  }
}
