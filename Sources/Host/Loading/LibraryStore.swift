import CSodium
import FoundationEssentials
import Glibc

/// Content-addressed copies of libraries: what is opened is never the file that an operator drops in.
///
/// Opening a changed file under the same path gives back the old code without an error, and overwriting a mapped file
/// crashes the process (docs/architecture.md); a path that contains the hash rules both out.
package struct LibraryStore: Sendable {
  /// The folder `<data>/store`.
  let folder: String

  /// A stored library.
  package struct Entry: Equatable, Sendable {
    package var sha256: String
    package var path: String
  }

  package init(folder: String) { self.folder = folder }

  /// Copies the file to `store/<sha256>/` unless it is there already, and checks what was written.
  package func stage(_ source: String) throws(HostError) -> Entry {
    let bytes: Data
    do {
      bytes = try Data(contentsOf: URL(filePath: source), options: .mappedIfSafe)
    } catch {
      throw .notFound("no_library", "The library \(source) cannot be read: build it, or correct `library`.")
    }
    guard bytes.count > 64, bytes.prefix(4).elementsEqual([0x7f, 0x45, 0x4c, 0x46]) else {
      throw .invalid("not_a_library", "\(source) is not a shared library (ELF).")
    }
    let hash = Self.sha256(bytes)
    let name = source.split(separator: "/").last.map(String.init) ?? "library.so"
    let entry = Entry(sha256: hash, path: "\(folder)/\(hash)/\(name)")
    if let present = try? Data(contentsOf: URL(filePath: entry.path), options: .mappedIfSafe) {
      // The bytes were hashed a moment ago: comparing is cheaper than hashing again.
      guard present == bytes else {
        throw .refused("store_changed", "\(entry.path) is not what its name says: remove that folder.")
      }
      return entry
    }
    try write(bytes, to: entry)
    return entry
  }

  /// Writes under another name, syncs and renames, so that a crash leaves no half library behind.
  private func write(_ bytes: Data, to entry: Entry) throws(HostError) {
    let folder = "\(self.folder)/\(entry.sha256)"
    try makeFolder(folder, mode: 0o700)
    let draft = "\(entry.path).\(getpid()).draft"
    let file = open(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o500)
    guard file >= 0 else { throw .system("store_write", "\(draft): \(systemMessage()).") }
    defer { close(file) }
    let written = bytes.withUnsafeBytes { memory in
      var done = 0
      while done < memory.count {
        let count = Glibc.write(file, memory.baseAddress.map { $0 + done }, memory.count - done)
        if count <= 0 { return false }
        done += count
      }
      return true
    }
    guard written, fsync(file) == 0, rename(draft, entry.path) == 0 else {
      let reason = systemMessage()
      unlink(draft)
      throw .system("store_write", "\(entry.path) could not be written: \(reason).")
    }
  }

  static func sha256(_ bytes: some DataProtocol) -> String {
    var digest = [UInt8](repeating: 0, count: Int(crypto_hash_sha256_BYTES))
    var state = crypto_hash_sha256_state()
    crypto_hash_sha256_init(&state)
    for region in bytes.regions {
      region.withUnsafeBytes { memory in
        guard let base = memory.bindMemory(to: UInt8.self).baseAddress else { return }
        crypto_hash_sha256_update(&state, base, UInt64(memory.count))
      }
    }
    crypto_hash_sha256_final(&state, &digest)
    return digest.hexadecimal
  }
}

/// Makes a folder and its parents; those that are there stay as they are.
func makeFolder(_ path: String, mode: mode_t) throws(HostError) {
  var partial = ""
  for part in path.split(separator: "/") {
    partial += "/" + part
    if mkdir(partial, mode) != 0, errno != EEXIST {
      throw .system("no_folder", "The folder \(partial) cannot be made: \(systemMessage()).")
    }
  }
  guard access(path, R_OK | W_OK | X_OK) == 0 else {
    throw .system("no_permission", "The folder \(path) cannot be used: \(systemMessage()). Correct its owner or mode.")
  }
}
