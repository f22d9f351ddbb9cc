#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif
import Synchronization

/// Holds a folder for this process; the kernel lets go when the process ends, however it ends.
final class FolderLock: Sendable {
  private let descriptor: Int32
  private let isHeld = Atomic<Bool>(true)

  /// - Throws: `storage_in_use`, or `storage_permission`.
  init(_ folder: String) throws(LedgerError) {
    let path = folder + "/ledger.lock"
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw LedgerError(
        .unavailable, "storage_permission",
        "The ledger may not write to \(folder) (\(String(cString: strerror(errno)))): give the node's user the rights "
          + "to this folder.")
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      throw LedgerError(
        .unavailable, "storage_in_use",
        "Another node uses the ledger in \(folder): stop it, or give this node another data folder.")
    }
  }

  /// Lets the next one in; more than once does no harm.
  func release() {
    if isHeld.exchange(false, ordering: .relaxed) { close(descriptor) }
  }

  deinit { release() }
}
