import FoundationEssentials
import Glibc

/// The author's build step: writes the manifest behind the library.
enum Sealing {
  /// Seals `file` into `output` (the same name replaces it in one step); gives back what was written.
  ///
  /// Another process opens the library: one that crashes or hangs there is an error here.
  static func seal(
    _ file: String, output: String, files names: [String], toolchain: String?
  ) throws(HostError) -> Manifest {
    let library = try OpenedFile(file, what: "library")
    var bytes = try library.contents(limit: FileDigest.limit)
    let parts = try Seal.find(in: bytes)
    if let parts { bytes.removeSubrange(parts.library...) }
    guard bytes.count > Seal.headerSize, bytes.starts(with: [0x7f, 0x45, 0x4c, 0x46]) else {
      throw .invalid("not_a_library", "\(file) is not a shared library (ELF).")
    }
    let folder = file.lastIndex(of: "/").map { String(file[..<$0]) } ?? "."
    var files: [String: String] = [:]
    for name in names {
      guard Manifest.isFileName(name) else {
        throw .invalid(
          "bad_file_name", "`\(name)` cannot belong to a bundle: letters, digits and ._- in at most one folder.")
      }
      let opened = try OpenedFile("\(folder)/\(name)", what: "file")
      files[name] = try opened.sha256()
    }
    let manifest = Manifest(
      description: try DescribeChild.run(try AbsolutePath.of(file), expecting: nil),
      toolchain: toolchain ?? ElfComment.text(in: bytes) ?? "unknown",
      librarySHA256: LibraryStore.sha256(Data(bytes)), files: files)
    let sealed = bytes + (try Seal.footer(manifest))
    // Read back as a host will read it, before anything is replaced.
    guard let written = try Seal.find(in: sealed) else { throw .system("bad_seal", "The seal cannot be read back.") }
    try Manifest(parsing: Array(sealed[written.manifest])).match(manifest.description)
    try NewFile.write(sealed, to: output, mode: library.status.st_mode & 0o777)
    return manifest
  }
}

/// Writing a file that others read: under another name first, synced, then moved.
enum NewFile {
  static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(HostError) {
    let done = bytes.withUnsafeBytes { memory in
      Result { () throws(HostError) in try write(memory, to: path, mode: mode) }
    }
    try done.get()
  }

  static func write(_ memory: UnsafeRawBufferPointer, to path: String, mode: mode_t) throws(HostError) {
    let draft = "\(path).\(getpid()).draft"
    unlink(draft)
    let file = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
    guard file >= 0 else { throw .system("not_written", "\(path) cannot be written: \(systemMessage()).") }
    defer { close(file) }
    let written = writeAll(memory, to: file)
    guard written, fsync(file) == 0, rename(draft, path) == 0 else {
      let reason = systemMessage()
      unlink(draft)
      throw .system("not_written", "\(path) cannot be written: \(reason).")
    }
  }
}

/// Writes all of the memory; false when the system refuses.
private func writeAll(_ memory: UnsafeRawBufferPointer, to file: Int32) -> Bool {
  var done = 0
  while done < memory.count {
    let count = write(file, memory.baseAddress.map { $0 + done }, memory.count - done)
    if count < 0, errno == EINTR { continue }
    if count <= 0 { return false }
    done += count
  }
  return true
}

/// The `.comment` section of an ELF file, in which compilers leave their name.
package enum ElfComment {
  /// The compilers' names, or nil; any bytes may be given.
  package static func text(in file: [UInt8]) -> String? {
    guard file.count >= 64, file[4] == 2, file[5] == 1 else { return nil }
    func number(_ offset: Int, _ width: Int) -> Int? {
      guard offset >= 0, offset <= file.count - width else { return nil }
      let value = file[offset..<(offset + width)].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      return Int(exactly: value).flatMap { $0 <= file.count ? $0 : nil }
    }
    guard let table = number(0x28, 8), let size = number(0x3a, 2), let count = number(0x3c, 2),
      let names = number(0x3e, 2), size >= 64, names < count,
      let strings = number(table + names * size + 0x18, 8)
    else { return nil }
    for index in 0..<count {
      let header = table + index * size
      guard let name = number(header, 4), let start = number(header + 0x18, 8), let length = number(header + 0x20, 8),
        strings + name + 9 <= file.count, start + length <= file.count
      else { continue }
      guard file[(strings + name)..<(strings + name + 9)].elementsEqual(Array(".comment\0".utf8)) else { continue }
      var seen: Set<String> = []
      let texts = file[start..<(start + length)].prefix(4096).split(separator: 0)
        .map { String(decoding: $0, as: UTF8.self) }.filter { seen.insert($0).inserted }
      return String(
        texts.joined(separator: "; ").unicodeScalars.filter { $0.value >= 0x20 }.prefix(240).map(Character.init))
    }
    return nil
  }
}
