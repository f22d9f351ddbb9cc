import CLanes
import Glibc

/// The two sides of a lane.
enum LaneSide {
  case host, worker

  var turn: UInt32 { UInt32(self == .host ? SYMBOLON_TURN_HOST : SYMBOLON_TURN_WORKER) }
  var other: LaneSide { self == .host ? .worker : .host }
}

/// The memory that a host and one worker share: heads of all lanes, then two arenas for each.
///
/// Nearly all of it is never touched and costs nothing.
final class LaneMemory: @unchecked Sendable {  // Proof: constant after init.
  /// Lanes on which the host asks.
  static let hostLanes = 96
  /// Lanes on which the worker's own threads ask.
  static let workerLanes = 32
  static let count = hostLanes + workerLanes
  /// The most bytes of one message.
  static let messageLimit = 32 << 20
  /// A message, and another inside of it.
  static let arenaBytes = 2 * messageLimit + 65_536
  private static let headBytes = 65_536
  static let size = UInt64(headBytes) + UInt64(2 * count) * UInt64(arenaBytes)

  /// The memory's file; -1 in a worker, which needs it no longer.
  let descriptor: Int32
  private let base: UnsafeMutableRawPointer

  /// Makes the memory. [host]
  init() throws(HostError) {
    descriptor = symbolon_lanes_create(Self.size)
    guard descriptor >= 0 else { throw .system("no_memory", "No shared memory for a worker: \(systemMessage()).") }
    guard let base = symbolon_lanes_map(descriptor, Self.size) else {
      let reason = systemMessage()
      close(descriptor)
      throw .system("no_memory", "The shared memory of a worker cannot be mapped: \(reason).")
    }
    self.base = base
  }

  /// Maps the memory that the host made. [worker]
  init(inherited: Int32) throws(HostError) {
    guard let base = symbolon_lanes_map(inherited, Self.size) else {
      throw .system("no_memory", "The shared memory cannot be mapped: \(systemMessage()).")
    }
    close(inherited)
    descriptor = -1
    self.base = base
  }

  deinit {
    munmap(base, Int(Self.size))
    if descriptor >= 0 { close(descriptor) }
  }

  func head(_ lane: Int) -> UnsafeMutablePointer<symbolon_lane> {
    (base + lane * MemoryLayout<symbolon_lane>.stride).assumingMemoryBound(to: symbolon_lane.self)
  }

  /// Where a worker notes the private memory that it holds when a signal ends it.
  var memoryAtDeath: UnsafeMutablePointer<UInt64> {
    (base + Self.headBytes / 2).assumingMemoryBound(to: UInt64.self)
  }

  /// Where `side` writes on a lane.
  func arena(_ lane: Int, of side: LaneSide) -> UnsafeMutableRawPointer {
    base + Self.headBytes + (2 * lane + (side == .host ? 0 : 1)) * Self.arenaBytes
  }

  /// Gives memory above `kept` bytes of an idle lane's arena back to the system.
  func giveBack(_ lane: Int, of side: LaneSide, used: Int, kept: Int) {
    guard used > kept else { return }
    madvise(arena(lane, of: side) + kept, min(Self.arenaBytes, (used + 4095) & ~4095) - kept, MADV_REMOVE)
  }
}
