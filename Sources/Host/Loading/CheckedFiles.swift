import Glibc
import Synchronization

/// Which stored files this process has compared with their hash, and what the system said of them then.
///
/// A file that was written since has another time of change, which nobody can set: it is hashed again.
final class CheckedFiles: Sendable {
  private struct Mark: Equatable, Sendable {
    var device, inode: UInt64
    var size: Int
    var seconds, nanoseconds: Int

    init(_ status: stat) {
      (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino))
      size = Int(status.st_size)
      (seconds, nanoseconds) = (status.st_ctim.tv_sec, status.st_ctim.tv_nsec)
    }

    /// The clock of file systems ticks every few milliseconds: what changed just now may change again unseen.
    var isSettled: Bool {
      var now = timespec()
      clock_gettime(CLOCK_REALTIME, &now)
      return now.tv_sec - seconds > 1
    }
  }

  private let marks = Mutex<[String: (sha256: String, mark: Mark)]>([:])

  /// This file has just been found to have this hash.
  func note(_ path: String, _ sha256: String, _ status: stat) {
    let mark = Mark(status)
    guard mark.isSettled else { return }
    marks.withLock { $0[path] = (sha256, mark) }
  }

  /// True when the file had this hash and has not changed since.
  func isUnchanged(_ path: String, _ sha256: String, _ status: stat) -> Bool {
    marks.withLock { marks in marks[path].map { $0.sha256 == sha256 && $0.mark == Mark(status) } ?? false }
  }

  func forget(_ prefix: String) { marks.withLock { marks in marks = marks.filter { !$0.key.hasPrefix(prefix) } } }
}
