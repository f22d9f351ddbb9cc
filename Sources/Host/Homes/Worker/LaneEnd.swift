import CLanes
import Glibc
import PluginAPI

/// What a side does while it waits on a lane.
protocol LanePartner: AnyObject {
  /// Called before each wait: gives back the most nanoseconds of it, 0 for no limit.
  func tick(_ end: LaneEnd) throws(LaneFailure) -> UInt64
  /// Answers a question of the other side.
  func serve(_ question: Incoming, level: UInt32, on end: LaneEnd) throws(LaneFailure)
}

/// Takes the messages that the other side writes to the sinks of an open question.
protocol ItemReceiver: AnyObject {
  func receive(result index: Int, _ bytes: UnsafeRawBufferPointer) -> Int32
}

/// One side's end of a lane: a conversation, in which questions may be asked while another is open.
final class LaneEnd: @unchecked Sendable {
  // Proof: used by the one thread that holds the conversation; in a worker, `lock` lets a plugin's threads take turns.
  let index: Int
  let side: LaneSide
  let memory: LaneMemory
  let head: UnsafeMutablePointer<symbolon_lane>
  private let outgoing: UnsafeMutableRawPointer
  private let incoming: UnsafeRawPointer
  /// What the short way of a call uses too (`symbolon/serve.h`); not in this object, because it waits inside of it.
  private let native: UnsafeMutablePointer<(out: symbolon_arena, in: symbolon_arena, spin: symbolon_spin)>
  /// Receivers of this side's open questions, the innermost last.
  private var open: [any ItemReceiver] = []
  /// Bytes of the own arena that are in use.
  private var top: Int {
    get { Int(native.pointee.out.top) }
    set { native.pointee.out.top = UInt64(newValue) }
  }
  /// The most that was ever in use since the lane was last given back.
  private var (highOut, highIn) = (0, 0)
  private let lock: UnsafeMutablePointer<pthread_mutex_t>?
  /// Private memory for results, while none is in use.
  private var scratch: UnsafeMutableRawBufferPointer?
  private static func scratchBytes(for count: Int) -> Int { max(4096, (count + 4095) & ~4095) }
  private static let keptScratchBytes = 1 << 20
  /// A frame for what the other side asks, while none is in use.
  var spareFrame: CalleeFrame?
  /// True when this side has given up on the conversation in the middle: nothing more is said by its thread.
  var isAbandoned = false

  init(_ index: Int, _ side: LaneSide, of memory: LaneMemory) {
    self.index = index
    self.side = side
    self.memory = memory
    head = memory.head(index)
    outgoing = memory.arena(index, of: side)
    incoming = UnsafeRawPointer(memory.arena(index, of: side.other))
    native = .allocate(capacity: 1)
    native.initialize(
      to: (Self.arena(outgoing), Self.arena(memory.arena(index, of: side.other)), symbolon_spin()))
    // The host's end belongs to one thread; the plugin's threads in a worker may share one, and nest.
    lock = side == .host ? nil : Self.makeLock()
  }

  private static func makeLock() -> UnsafeMutablePointer<pthread_mutex_t> {
    let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_RECURSIVE))
    pthread_mutex_init(lock, &attributes)
    return lock
  }

  deinit {
    scratch?.deallocate()
    native.deallocate()
  }

  private static func arena(_ memory: UnsafeMutableRawPointer) -> symbolon_arena {
    symbolon_arena(
      bytes: memory.assumingMemoryBound(to: UInt8.self), size: UInt64(LaneMemory.arenaBytes),
      message_limit: UInt64(LaneMemory.messageLimit), top: 0)
  }

  /// Serves calls the short way until a message comes that goes the long one; `receive` takes it. [worker]
  func serve(_ server: UnsafePointer<symbolon_server>) {
    guard let lock else { return }
    _ = symbolon_lane_serve(server, head, &native.pointee.in, &native.pointee.out, lock, &native.pointee.spin)
  }

  /// Runs `body` while no other thread uses this end; worker's ends live as long as their process.
  func exclusively<R>(_ body: () -> R) -> R {
    if let lock { pthread_mutex_lock(lock) }
    defer { if let lock { pthread_mutex_unlock(lock) } }
    return body()
  }

  // MARK: Writing

  /// Writes a message above those that are still needed; nil when it is too large.
  func draft(_ fill: (inout MessageWriter) -> Void) -> Range<Int>? {
    var writer = MessageWriter(
      outgoing + top, capacity: max(0, min(LaneMemory.messageLimit, LaneMemory.arenaBytes - top)))
    fill(&writer)
    guard !writer.overflowed else { return nil }
    let range = top..<top + writer.count
    raise(to: range.upperBound)
    return range
  }

  /// Copies bytes above what is still needed; nil when there is no room.
  func keep(_ bytes: UnsafeRawBufferPointer) -> Range<Int>? {
    guard bytes.count <= LaneMemory.messageLimit, bytes.count <= LaneMemory.arenaBytes - top else { return nil }
    if let source = bytes.baseAddress { (outgoing + top).copyMemory(from: source, byteCount: bytes.count) }
    let range = top..<top + bytes.count
    raise(to: range.upperBound)
    return range
  }

  /// How far the own arena is in use, to be given to `release` later.
  var mark: Int { top }
  func release(to mark: Int) { top = mark }

  private func raise(to bytes: Int) {
    top = min((bytes + 15) & ~15, LaneMemory.arenaBytes)
    highOut = max(highOut, top)
  }

  private func pass(_ kind: MessageKind, level: UInt32, _ range: Range<Int>) {
    let message = symbolon_lane_message(
      kind: kind.rawValue, level: level, offset: UInt64(range.lowerBound), length: UInt64(range.count))
    symbolon_lane_write(head, side.other.turn, message)
    symbolon_lane_pass(head, side.other.turn)
  }

  // MARK: Reading

  /// Waits for a message; nil when the time is over.
  func receive(_ nanoseconds: UInt64) throws(LaneFailure) -> (Incoming, level: UInt32)? {
    let turn = symbolon_lane_wait(head, side.turn, &native.pointee.spin, nanoseconds)
    if turn == UInt32(SYMBOLON_TURN_DEAD) { throw .dead }
    guard turn == side.turn else { return nil }
    let message = symbolon_lane_read(head, side.turn)
    guard let kind = MessageKind(rawValue: message.kind) else {
      throw .malformed("a message of the unknown kind \(message.kind)")
    }
    let bytes = try view(message.offset, message.length)
    guard side == .host else { return (Incoming(kind: kind, bytes: bytes, copy: nil), message.level) }
    let copy = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 16)
    if let source = bytes.baseAddress { copy.copyMemory(from: source, byteCount: bytes.count) }
    return (
      Incoming(kind: kind, bytes: UnsafeRawBufferPointer(start: copy, count: bytes.count), copy: copy), message.level
    )
  }

  /// Copies what a result names, once, to where its receiver reads it; `takeBack` follows.
  func fetch(_ offset: UInt64, _ length: UInt64) throws(LaneFailure) -> UnsafeRawBufferPointer {
    let bytes = try view(offset, length)
    // The receiver may ask on this lane, so what it reads belongs to it until it gives it back.
    let room = scratch
    scratch = nil
    let copy: UnsafeMutableRawBufferPointer
    if let room, room.count >= bytes.count {
      copy = room
    } else {
      room?.deallocate()
      copy = .allocate(byteCount: Self.scratchBytes(for: bytes.count), alignment: 64)
    }
    copy.copyMemory(from: bytes)
    return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(copy)[..<bytes.count])
  }

  /// Ends a `fetch`; warm memory is kept for the next one.
  func takeBack(_ bytes: UnsafeRawBufferPointer) {
    guard let base = UnsafeMutableRawPointer(mutating: bytes.baseAddress) else { return }
    // At most what was allocated: that was rounded up for as many bytes or more.
    let size = Self.scratchBytes(for: bytes.count)
    if scratch == nil, size <= Self.keptScratchBytes {
      scratch = UnsafeMutableRawBufferPointer(start: base, count: size)
    } else {
      base.deallocate()
    }
  }

  private func view(_ offset: UInt64, _ length: UInt64) throws(LaneFailure) -> UnsafeRawBufferPointer {
    guard length <= UInt64(LaneMemory.messageLimit), offset <= UInt64(LaneMemory.arenaBytes),
      length <= UInt64(LaneMemory.arenaBytes) - offset
    else { throw .malformed("a message outside of its arena") }
    highIn = max(highIn, Int(offset + length))
    return UnsafeRawBufferPointer(start: incoming + Int(offset), count: Int(length))
  }

  // MARK: Conversation

  /// Asks, serves what the other side asks meanwhile, and gives back the result; the caller frees it.
  func ask(
    _ kind: MessageKind, level target: UInt32? = nil, _ message: Range<Int>, receiver: any ItemReceiver,
    _ partner: any LanePartner
  ) throws(LaneFailure) -> Incoming {
    guard !isAbandoned else { throw .late }
    let level = UInt32(open.count)
    open.append(receiver)
    pass(kind, level: target ?? level, message)
    while true {
      guard let (incoming, level) = try receive(try partner.tick(self)) else { continue }
      switch incoming.kind {
      case .result:
        open.removeLast()
        return incoming
      case .item:
        defer { incoming.free() }
        guard Int(level) < open.count else { throw .malformed("an item for a question that nobody asked") }
        var reader = MessageReader(incoming.bytes)
        let index = Int(reader.u32())
        let status = open[Int(level)].receive(result: index, reader.slice())
        guard reader.isComplete else { throw .malformed("an item that ends too early") }
        try answer(status)
      default:
        defer { incoming.free() }
        try partner.serve(incoming, level: level, on: self)
      }
    }
  }

  /// Answers the other side's innermost question; `fill` writes the scalars and `kept` names the slices.
  func answer(
    _ status: Int32, error: UnsafeMutablePointer<symbolon_error>? = nil, scalars: UnsafeBufferPointer<UInt64>? = nil,
    kept: [(index: Int, range: Range<Int>)] = []
  ) throws(LaneFailure) {
    guard !isAbandoned else { throw .late }
    let mark = top
    let message = draft { writer in
      writer.put(status)
      if status != 0, let error, error.pointee.status == status {
        writer.put(UInt32(1))
        withUnsafeBytes(of: &error.pointee.code) { writer.put(UnsafeRawBufferPointer(rebasing: $0.prefix { $0 != 0 })) }
        withUnsafeBytes(of: &error.pointee.message) {
          writer.put(UnsafeRawBufferPointer(rebasing: $0.prefix { $0 != 0 }))
        }
      } else {
        writer.put(UInt32(0))
      }
      writer.put(UInt32(scalars?.count ?? 0))
      for scalar in scalars ?? UnsafeBufferPointer(start: nil, count: 0) { writer.put(scalar) }
      writer.put(UInt32(kept.count))
      for item in kept {
        writer.put(UInt32(item.index))
        writer.put(UInt64(item.range.lowerBound))
        writer.put(UInt64(item.range.count))
      }
    }
    // The room for one answer without slices is part of every arena, so this cannot fail but by a fault of ours.
    guard let message else { throw .malformed("an answer without room") }
    pass(.result, level: 0, message)
    top = mark
  }

  // MARK: Flags

  /// The host's word to the worker that nobody waits for the result any more.
  var cancelledFlag: UnsafeMutablePointer<UInt32> { symbolon_lane_cancelled(head) }
  /// The worker's word to the host that it no longer waits for what it asked.
  var abandonedFlag: UnsafeMutablePointer<UInt32> { symbolon_lane_abandoned(head) }

  // MARK: Between conversations

  /// Whether the own side still waits for an answer.
  var hasOpenQuestions: Bool { !open.isEmpty }

  /// Takes the answer to the innermost open question as read.
  func closeQuestion() { if !open.isEmpty { open.removeLast() } }

  /// Begins afresh, and gives memory that a large message took back to the system.
  func reset(kept: Int) {
    top = 0
    open.removeAll(keepingCapacity: true)
    isAbandoned = false
    if highOut > kept { memory.giveBack(index, of: side, used: highOut, kept: kept) }
    if highIn > kept { memory.giveBack(index, of: side.other, used: highIn, kept: kept) }
    (highOut, highIn) = (0, 0)
  }
}

/// For questions without sinks.
final class NoItems: ItemReceiver, Sendable {
  static let shared = NoItems()
  func receive(result index: Int, _ bytes: UnsafeRawBufferPointer) -> Int32 { Int32(SYMBOLON_INVALID_ARGUMENT) }
}

/// The fixed part of an answer; reads the scalars and slices behind it.
struct AnswerReader {
  private(set) var reader: MessageReader
  let status: Int32
  private(set) var code: UnsafeRawBufferPointer?
  private(set) var message: UnsafeRawBufferPointer?

  init(_ answer: Incoming) {
    reader = MessageReader(answer.bytes)
    status = reader.i32()
    if reader.u32() == 1 {
      code = reader.slice()
      message = reader.slice()
    }
  }

  /// Writes the error that came with the status into a call's slot.
  func write(to error: UnsafeMutablePointer<symbolon_error>?) {
    guard let error, let code, let message else { return }
    error.pointee.status = status
    withUnsafeMutableBytes(of: &error.pointee.code) { Self.copy(code, to: $0) }
    withUnsafeMutableBytes(of: &error.pointee.message) { Self.copy(message, to: $0) }
  }

  mutating func u32() -> UInt32 { reader.u32() }
  mutating func u64() -> UInt64 { reader.u64() }
  var isComplete: Bool { reader.isComplete }

  private static func copy(_ text: UnsafeRawBufferPointer, to slot: UnsafeMutableRawBufferPointer) {
    // Not UTF-8, or cut in the middle of a character: replaced, so that the slot always holds text.
    let whole = Array(String(decoding: text.prefix { $0 != 0 }, as: UTF8.self).utf8)
    var count = min(whole.count, slot.count - 1)
    while count > 0, count < whole.count, whole[count] & 0xc0 == 0x80 { count -= 1 }
    slot.copyBytes(from: whole[..<count])
    slot[count] = 0
  }
}
