#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Zeroed pages straight from the system, given back at the end; physical memory is used only where touched.
///
/// `@unchecked Sendable`: an arena is only an address and a size; who writes where is its owner's rule.
final class Arena: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer

  /// `huge` asks for large pages, for memory that is read from end to end.
  init(byteCount: Int, huge: Bool, what: String) throws(InferenceError) {
    let size = max(byteCount, 1)
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let start = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0), start != MAP_FAILED else {
      throw InferenceError(
        .exhausted, "out_of_memory", "No memory for \(what) (\(size >> 20) MiB): free some, or lower `context`.",
        retryAfterSeconds: 10)
    }
    if huge { madvise(start, size, MADV_HUGEPAGE) }
    bytes = UnsafeMutableRawBufferPointer(start: start, count: size)
  }

  deinit { munmap(bytes.baseAddress, bytes.count) }
}
