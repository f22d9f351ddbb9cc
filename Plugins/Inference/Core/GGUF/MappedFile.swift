#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// A file in memory, read-only, paged in by the system when touched.
///
/// `@unchecked Sendable`: the mapping never changes after `init`, is private to this process, and lives as long as self.
package final class MappedFile: @unchecked Sendable {
  package let path: String
  package let bytes: UnsafeRawBufferPointer
  /// Device, inode, size and modification time: changes when the file does.
  package let stamp: String
  /// When the file was written, in Unix seconds.
  package let modified: Int

  /// Maps the file; the error names it and says what to do.
  package init(_ path: String) throws(InferenceError) {
    self.path = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT {
        throw .model(path, "does not exist: fetch it with `make run`, or correct the path.", code: "model_missing")
      }
      let reason = String(cString: strerror(errno))
      throw .model(path, "cannot be opened (\(reason)): check the permissions.", code: "model_unreadable")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw .model(path, "is not a regular file: give the path of a .gguf file.", code: "model_unreadable")
    }
    let size = Int(status.st_size)
    stamp = "\(status.st_dev).\(status.st_ino).\(size).\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
    modified = status.st_mtim.tv_sec
    guard size > 0 else { throw .model(path, "is empty: fetch it again.", code: "model_truncated") }
    guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
      let reason = String(cString: strerror(errno))
      throw .model(path, "cannot be mapped (\(reason)): free some memory.", code: "model_unreadable")
    }
    bytes = UnsafeRawBufferPointer(start: start, count: size)
  }

  /// Lets the system take the pages back that were read; whoever reads on gets them from the file again.
  ///
  /// The weights are laid out anew in memory of their own, so that a file kept resident would be held twice.
  package func release() {
    guard let start = bytes.baseAddress else { return }
    madvise(UnsafeMutableRawPointer(mutating: start), bytes.count, Int32(MADV_DONTNEED))
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }
}
