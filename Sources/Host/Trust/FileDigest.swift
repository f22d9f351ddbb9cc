import CSodium
import FoundationEssentials
import Glibc

/// Hashes of open files: what is hashed is what the descriptor refers to, whatever happens to the name.
package enum FileDigest {
  /// The largest library that is read.
  package static let limit = 1 << 30

  /// SHA-256 of a whole open file, read from its beginning.
  package static func sha256(descriptor: Int32) throws(HostError) -> String {
    try sha256(descriptor: descriptor, prefix: nil).whole
  }

  /// SHA-256 of the file, and of its first `prefix` bytes, in one pass.
  static func sha256(descriptor: Int32, prefix: Int?) throws(HostError) -> (whole: String, prefix: String?) {
    var state = crypto_hash_sha256_state()
    crypto_hash_sha256_init(&state)
    var partial: String?
    try read(descriptor) { bytes, offset in
      if let prefix, partial == nil, offset + bytes.count >= prefix {
        let cut = prefix - offset
        crypto_hash_sha256_update(&state, bytes.baseAddress, UInt64(cut))
        var copy = state
        partial = finish(&copy)
        let rest = UnsafeBufferPointer(rebasing: bytes[cut...])
        crypto_hash_sha256_update(&state, rest.baseAddress, UInt64(rest.count))
      } else {
        crypto_hash_sha256_update(&state, bytes.baseAddress, UInt64(bytes.count))
      }
    }
    return (finish(&state), partial)
  }

  /// BLAKE2b-512, the pre-hash of minisign's signatures.
  package static func blake2b(descriptor: Int32) throws(HostError) -> [UInt8] {
    // The C type is aligned in a way that Swift does not import.
    let memory = UnsafeMutableRawPointer.allocate(byteCount: crypto_generichash_statebytes(), alignment: 64)
    defer { memory.deallocate() }
    let state = OpaquePointer(memory)
    crypto_generichash_init(state, nil, 0, 64)
    try read(descriptor) { bytes, _ in
      crypto_generichash_update(state, bytes.baseAddress, UInt64(bytes.count))
    }
    var digest = [UInt8](repeating: 0, count: 64)
    crypto_generichash_final(state, &digest, 64)
    return digest
  }

  private static func finish(_ state: inout crypto_hash_sha256_state) -> String {
    var digest = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
    crypto_hash_sha256_final(&state, &digest)
    return digest.hexadecimal
  }

  private static func read(
    _ descriptor: Int32, _ body: (UnsafeBufferPointer<UInt8>, _ offset: Int) -> Void
  ) throws(HostError) {
    let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 1 << 18)
    defer { buffer.deallocate() }
    var offset = 0
    while true {
      let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw .system("not_readable", "A library cannot be read: \(systemMessage()).") }
      if count == 0 { return }
      body(UnsafeBufferPointer(rebasing: buffer[..<count]), offset)
      offset += count
      guard offset <= limit else { throw .invalid("library_too_large", "A library has at most 1 GiB.") }
    }
  }
}

/// A regular file that is open for reading; closed when it is let go.
final class OpenedFile {
  private let descriptor: Int32
  let path: String
  let status: stat

  /// Opens a file by its own name: a symbolic link is refused, with the path that it leads to.
  init(_ path: String, what: String) throws(HostError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    if descriptor < 0, errno == ELOOP {
      throw .refused(
        "symbolic_link",
        "\(path) is a symbolic link\(Self.target(of: path)): name the \(what) itself, so that nobody can exchange it.")
    }
    guard descriptor >= 0 else {
      throw .notFound("no_\(what)", "The \(what) \(path) cannot be read: \(systemMessage()).")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .invalid("not_a_file", "\(path) is not a file.")
    }
    guard status.st_size <= FileDigest.limit else {
      close(descriptor)
      throw .invalid("library_too_large", "\(path) has \(status.st_size) bytes; at most 1 GiB is read.")
    }
    (self.descriptor, self.path, self.status) = (descriptor, path, status)
  }

  deinit { close(descriptor) }

  /// Lends the descriptor, which stays open until `body` has returned.
  func withDescriptor<R>(_ body: (Int32) throws(HostError) -> R) throws(HostError) -> R {
    defer { withExtendedLifetime(self) {} }
    return try body(descriptor)
  }

  func sha256() throws(HostError) -> String {
    try withDescriptor { file throws(HostError) in try FileDigest.sha256(descriptor: file) }
  }

  /// The hash of the file, and of its first `prefix` bytes.
  func sha256(prefix: Int?) throws(HostError) -> (whole: String, prefix: String?) {
    try withDescriptor { file throws(HostError) in try FileDigest.sha256(descriptor: file, prefix: prefix) }
  }

  func contents(limit: Int) throws(HostError) -> [UInt8] {
    try withDescriptor { file throws(HostError) in try FileContents.read(file, limit: limit) }
  }

  /// Calls `body` with the mapped bytes.
  func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws(HostError) -> R) throws(HostError) -> R {
    let size = Int(status.st_size)
    guard size > 0 else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    guard let memory = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), memory != MAP_FAILED else {
      throw .system("not_readable", "\(path) cannot be mapped: \(systemMessage()).")
    }
    defer { munmap(memory, size) }
    return try body(UnsafeRawBufferPointer(start: memory, count: size))
  }

  private static func target(of path: String) -> String {
    guard let resolved = realpath(path, nil) else { return " that leads nowhere" }
    defer { free(resolved) }
    return " to \(String(cString: resolved))"
  }
}
