import Glibc

/// The journal as a file that one process holds locked.
///
/// Unchecked: `state` changes only under the meter's lock, and `sync` runs on a descriptor that the meter does not let
/// `replace` close meanwhile.
package final class PosixJournalStore: JournalStore, @unchecked Sendable {
  private let path: String
  private let lockDescriptor: Int32
  private var descriptor: Int32

  /// Opens or creates `metering.journal` in the folder; refuses when another process (or another generation of this
  /// plugin) has it open.
  package init(folder: String) throws {
    path = folder + "/metering.journal"
    let lock = open(folder + "/metering.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard lock >= 0 else { throw Self.refusal("open", folder + "/metering.lock") }
    var attempts = 0
    while flock(lock, LOCK_EX | LOCK_NB) != 0 {
      attempts += 1
      guard errno == EWOULDBLOCK || errno == EINTR, attempts < 200 else {
        close(lock)
        throw Refusal(
          .conflict, "journal_in_use",
          "The metering journal in \(folder) is in use by another running node or generation: stop that one first.")
      }
      usleep(10_000)
    }
    let file = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else {
      let refusal = Self.refusal("open", path)
      close(lock)
      throw refusal
    }
    (lockDescriptor, descriptor) = (lock, file)
  }

  deinit {
    close(descriptor)
    close(lockDescriptor)
  }

  private static func refusal(_ action: String, _ path: String) -> Refusal {
    let cause = errno
    let reason = String(cString: strerror(cause))
    return cause == ENOSPC || cause == EDQUOT
      ? Refusal(.unavailable, "disk_full", "The disk that holds \(path) is full: free some space on it.")
      : Refusal(.unavailable, "journal_unwritable", "Could not \(action) \(path): \(reason).")
  }

  package func load() throws -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = pread(descriptor, &buffer, buffer.count, off_t(bytes.count))
      if count == 0 { return bytes }
      if count < 0 {
        if errno == EINTR { continue }
        throw Self.refusal("read", path)
      }
      bytes += buffer[..<count]
    }
  }

  package func append(_ bytes: [UInt8]) throws { try write(bytes, to: descriptor, path) }

  private func write(_ bytes: [UInt8], to file: Int32, _ path: String) throws {
    var offset = 0
    while offset < bytes.count {
      let count = bytes[offset...].withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        throw Self.refusal("write", path)
      }
      offset += count
    }
  }

  package func sync() throws {
    guard fdatasync(descriptor) == 0 else { throw Self.refusal("sync", path) }
  }

  package func replace(with bytes: [UInt8]) throws {
    let newPath = path + ".new"
    let file = open(newPath, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw Self.refusal("open", newPath) }
    do {
      try write(bytes, to: file, newPath)
      guard fsync(file) == 0 else { throw Self.refusal("sync", newPath) }
      guard rename(newPath, path) == 0 else { throw Self.refusal("rename", newPath) }
    } catch {
      close(file)
      unlink(newPath)
      throw error
    }
    // The new file is in place from here on, whether or not the folder can be synced.
    close(descriptor)
    descriptor = file
    let folder = open(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw Self.refusal("open the folder of", path) }
    defer { close(folder) }
    guard fsync(folder) == 0 else { throw Self.refusal("sync the folder of", path) }
  }
}
