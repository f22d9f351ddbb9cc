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
  private let checked = CheckedFiles()

  /// A stored library.
  package struct Entry: Equatable, Sendable {
    package var sha256: String
    package var path: String

    /// The folder of this library alone.
    package var folder: String { path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "." }
  }

  package init(folder: String) { self.folder = folder }

  /// Copies a library, its signature and the files of its bundle to `store/<sha256>/`, unless they are there already.
  package func stage(_ source: String) throws(HostError) -> Entry {
    let package = try PluginPackage(at: source)
    let name = package.library.path.split(separator: "/").last.map(String.init) ?? "library.so"
    let entry = Entry(sha256: package.sha256, path: "\(folder)/\(package.sha256)/\(name)")
    if package.library.path == entry.path { return entry }
    try makeFolder("\(folder)/\(entry.sha256)", mode: 0o700)
    try copy(package.library, to: entry.path, mode: 0o500, sha256: entry.sha256)
    for (name, file) in package.files.sorted(by: { $0.key < $1.key }) {
      let target = "\(entry.folder)/\(name)"
      if let slash = target.lastIndex(of: "/") { try makeFolder(String(target[..<slash]), mode: 0o700) }
      try copy(file, to: target, mode: 0o400)
    }
    if let signature = package.signature {
      try NewFile.write(signature, to: "\(entry.path).minisig", mode: 0o400)
    }
    return entry
  }

  /// Copies under another name, syncs and renames, so that a crash leaves no half library behind.
  private func copy(
    _ source: OpenedFile, to path: String, mode: mode_t, sha256: String? = nil
  ) throws(HostError) {
    var status = stat()
    if lstat(path, &status) == 0 {
      let present = try OpenedFile(path, what: "library")
      let isSame = try source.withBytes { wanted throws(HostError) in
        try present.withBytes { found in Self.areEqual(wanted, found) }
      }
      guard isSame else { throw Self.changed(path) }
      if let sha256 { checked.note(path, sha256, present.status) }
      return
    }
    try source.withBytes { bytes throws(HostError) in try NewFile.write(bytes, to: path, mode: mode) }
  }

  private static func areEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count else { return false }
    guard let a = a.baseAddress, let other = b.baseAddress else { return true }
    return memcmp(a, other, b.count) == 0
  }

  /// Removes all stored libraries but these; gives back the hashes of those that went.
  func prune(keeping needed: Set<String>) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { name in
      name.utf8.count == 64 && name.utf8.allSatisfy(isHexadecimal) && !needed.contains(name)
        && remove(name)
    }
  }

  private func remove(_ name: String) -> Bool {
    checked.forget("\(folder)/\(name)/")
    return (try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")) != nil
  }

  private func isHexadecimal(_ byte: UInt8) -> Bool {
    UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte
  }

  /// Checks a stored library right before it is opened: ours, written by nobody else, and what its name says.
  ///
  /// The file in the store is the one that the loader opens, so nothing lies between check and use but
  /// the owner of the node.
  package func verify(_ entry: Entry) throws(HostError) {
    var status = stat()
    for folder in [folder, entry.folder] {
      guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, Self.isPrivate(status) else {
        throw .refused(
          "store_open",
          "The folder \(folder) is not this user's alone: `chmod 700 \(folder)` after a look at who wrote to it."
        )
      }
    }
    let file = try OpenedFile(entry.path, what: "library")
    guard Self.isPrivate(file.status) else { throw Self.changed(entry.path) }
    if !checked.isUnchanged(entry.path, entry.sha256, file.status) {
      guard try file.sha256() == entry.sha256 else { throw Self.changed(entry.path) }
      checked.note(entry.path, entry.sha256, file.status)
    }
    guard let manifest = try PluginPackage.manifest(of: file).0 else { return }
    for (name, hash) in manifest.files {
      let path = "\(entry.folder)/\(name)"
      guard try OpenedFile(path, what: "file").sha256() == hash else {
        throw Self.changed(path)
      }
    }
  }

  /// Belongs to this user, and others cannot write it.
  private static func isPrivate(_ status: stat) -> Bool {
    status.st_uid == geteuid() && status.st_mode & (S_IWGRP | S_IWOTH) == 0
  }

  private static func changed(_ path: String) -> HostError {
    .refused(
      "store_changed",
      "\(path) is not what was stored: something changed it. Remove that folder and load the library again.")
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
