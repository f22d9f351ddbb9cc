import Synchronization

/// The libraries that this process has mapped: an image is never unmapped, so the same hash is opened only once.
final class MappedImages: Sendable {
  private let libraries = Mutex<[String: Library]>([:])

  func find(_ sha256: String) -> Library? { libraries.withLock { $0[sha256] } }

  func keep(_ library: Library) { libraries.withLock { $0[library.entry.sha256] = library } }

  /// The entries of all of them: another library that has one of these is code that is here already.
  var addresses: Set<UnsafeRawPointer> { libraries.withLock { Set($0.values.map(\.entryAddress)) } }
}
