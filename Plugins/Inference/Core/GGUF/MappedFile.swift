#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file in memory, read-only, paged in by the system when touched.
///
/// Whoever shortens the file in place takes the pages away from under whoever reads them here, and the system ends the
/// process for that. So nothing reads the mapping once a model is loaded, and loading tells with `check` when the file
/// was written meanwhile. Files that are replaced by renaming are never affected: the mapping keeps the old one.
///
/// `@unchecked Sendable`: the mapping never moves after `init` and lives as long as self.
package final class MappedFile: @unchecked Sendable {
  package let path: String
  package let bytes: UnsafeRawBufferPointer
  /// Device, inode, size and modification time: changes when the file does.
  package let stamp: String
  /// When the file was written, in Unix seconds.
  package let modified: Int
  /// Kept open to see changes; -1 for bytes that are in memory.
  private let descriptor: Int32
  /// Size and time of writing when it was opened.
  private let state: [Int]

  /// Maps the file; the error names it and says what to do.
  package init(_ path: String) throws(InferenceError) {
    self.path = path
    // Without waiting: a pipe would let nobody through until someone writes into it.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      if errno == ENOENT {
        throw .model(path, "does not exist: fetch it with `make run`, or correct the path.", code: "model_missing")
      }
      let reason = String(cString: strerror(errno))
      throw .model(path, "cannot be opened (\(reason)): check the permissions.", code: "model_unreadable")
    }
    var isMapped = false
    defer { if !isMapped { close(descriptor) } }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw .model(path, "is not a regular file: give the path of a .gguf file.", code: "model_unreadable")
    }
    state = Self.state(status)
    self.descriptor = descriptor
    let size = Int(status.st_size)
    stamp = "\(status.st_dev).\(status.st_ino).\(size).\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
    modified = status.st_mtim.tv_sec
    guard size > 0 else { throw .model(path, "is empty: fetch it again.", code: "model_truncated") }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
      let reason = String(cString: strerror(errno))
      throw .model(path, "cannot be mapped (\(reason)): free some memory.", code: "model_unreadable")
    }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
    isMapped = true
  }

  /// Bytes that are in memory already, which must outlive this.
  package init(inMemory bytes: UnsafeRawBufferPointer, path: String) {
    self.path = path
    self.bytes = bytes
    (stamp, modified, descriptor, state) = ("", 0, -1, [])
  }

  private static func state(_ status: stat) -> [Int] {
    [Int(status.st_size), status.st_mtim.tv_sec, status.st_mtim.tv_nsec]
  }

  /// Throws when the file was written since it was opened, or made longer or shorter.
  package func check() throws(InferenceError) {
    guard descriptor >= 0 else { return }
    var status = stat()
    guard fstat(descriptor, &status) == 0, Self.state(status) == state else {
      throw .model(
        path, "changed while it was read: put new models in place by renaming them, and load this one again.",
        code: "model_changed")
    }
  }

  /// Lets the system take the pages back that were read; whoever reads on gets them from the file again.
  ///
  /// The weights are laid out anew in memory of their own, so that a file kept resident would be held twice.
  package func release() {
    guard descriptor >= 0, let start = bytes.baseAddress else { return }
    madvise(UnsafeMutableRawPointer(mutating: start), bytes.count, Int32(MADV_DONTNEED))
  }

  deinit {
    guard descriptor >= 0 else { return }
    munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    close(descriptor)
  }
}
