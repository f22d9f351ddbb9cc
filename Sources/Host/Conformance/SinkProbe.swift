import Glibc
import PluginAPI
import Synchronization

/// A sink that watches who writes into it, and when.
final class SinkProbe: Sendable {
  struct State {
    var messages = 0
    /// The first messages, as they were written.
    var kept: [[UInt8]] = []
    var refusals = 0
    /// Writes after one was refused.
    var afterRefusal = 0
    var fromOtherThreads = 0
    var afterReturn = 0
    var notWhole = 0
    var isClosed = false
  }

  /// Messages that are kept; a stream may be endless.
  private static let keptMessages = 64
  private static let keptBytes = 4 << 20

  private let owner = pthread_self()
  /// Refuses every message from this one on, as a receiver does that has gone away.
  private let refusesFrom: Int
  private let state = Mutex(State())

  init(refusesFrom: Int) { self.refusesFrom = refusesFrom }

  var seen: State { state.withLock { $0 } }

  /// The call has returned: from now on nobody may write.
  func close() { state.withLock { $0.isClosed = true } }

  /// The sink that a method gets; it holds this object until `release`.
  func makeSink() -> symbolon_sink {
    var sink = symbolon_sink()
    sink.struct_size = UInt32(MemoryLayout<symbolon_sink>.size)
    sink.context = Unmanaged.passRetained(self).toOpaque()
    sink.write = { sink, message in
      guard let context = sink?.pointee.context else { return Int32(SYMBOLON_INTERNAL) }
      return Unmanaged<SinkProbe>.fromOpaque(context).takeUnretainedValue().write(message)
    }
    return sink
  }

  func release() { Unmanaged.passUnretained(self).release() }

  private func write(_ message: symbolon_slice) -> Int32 {
    let isOwner = pthread_equal(pthread_self(), owner) != 0
    return state.withLock { state in
      if state.isClosed {
        state.afterReturn += 1
        return Int32(SYMBOLON_CANCELLED)
      }
      if !isOwner { state.fromOtherThreads += 1 }
      guard message.isWhole else {
        state.notWhole += 1
        return Int32(SYMBOLON_INVALID_ARGUMENT)
      }
      if state.refusals > 0 { state.afterRefusal += 1 }
      guard state.messages < refusesFrom else {
        state.refusals += 1
        return Int32(SYMBOLON_CANCELLED)
      }
      state.messages += 1
      if state.kept.count < Self.keptMessages, message.buffer.count <= Self.keptBytes {
        state.kept.append(Array(message.buffer))
      }
      return 0
    }
  }
}
