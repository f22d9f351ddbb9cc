import Canonical
import Glibc

/// Compares the real files in a folder with a manifest.
///
/// Only regular files inside the folder are read: where a link leads is asked of the kernel after opening, so that a
/// link which changes meanwhile leads nowhere either.
package struct FolderCheck {
  private let root: String
  private let isCancelled: () -> Bool
  private let progress: (_ done: UInt64, _ total: UInt64, _ path: String) -> Void

  /// Prepares to look into a folder.
  /// - Parameters:
  ///   - isCancelled: asked between pieces of 1 MiB.
  ///   - progress: told after each file and after each 256 MiB; bytes of the whole dataset.
  package init(
    folder: String, isCancelled: @escaping () -> Bool = { false },
    progress: @escaping (_ done: UInt64, _ total: UInt64, _ path: String) -> Void = { _, _, _ in }
  ) throws(DataError) {
    guard let resolved = realpath(folder, nil) else {
      throw DataError(
        .notFound, "unknown_folder",
        "The folder `\(folder)` cannot be found: \(Self.reason(errno)). Give its full path.")
    }
    defer { free(resolved) }
    root = String(cString: resolved)
    var status = stat()
    guard stat(root, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw DataError(
        .invalidArgument, "not_a_folder", "`\(folder)` is not a folder: give the one that holds the files.")
    }
    self.isCancelled = isCancelled
    self.progress = progress
  }

  /// Looks at every file of the manifest.
  package func run(_ manifest: Manifest) throws(DataError) -> Report {
    var findings: [(path: String, finding: Report.Finding)] = []
    var done: UInt64 = 0
    for file in manifest.files {
      findings.append((file.path, try look(at: file, done: done, total: manifest.size)))
      done += file.size
      progress(done, manifest.size, file.path)
    }
    return Report(dataset: manifest.id, findings: findings)
  }

  private func look(at file: Manifest.File, done: UInt64, total: UInt64) throws(DataError) -> Report.Finding {
    // Not blocking: a named pipe without a writer would hold the thread for ever.
    let descriptor = open("\(root)/\(file.path)", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else {
      let code = errno
      return code == ENOENT || code == ENOTDIR ? .missing : .refused("cannot be opened: \(Self.reason(code))")
    }
    defer { close(descriptor) }
    guard isInside(descriptor) else { return .refused("a link leads out of the folder") }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      return .refused("is not a regular file")
    }
    let size = UInt64(max(0, status.st_size))
    guard size == file.size else { return .sizeDiffers(found: size) }
    return try hash(descriptor, file, done: done, total: total)
  }

  /// True when what was opened lies below the folder, whatever links led there.
  private func isInside(_ descriptor: Int32) -> Bool {
    var target = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink("/proc/self/fd/\(descriptor)", &target, target.count)
    guard count > 0, count < target.count else { return false }
    let prefix = root.hasSuffix("/") ? root : root + "/"
    return target[..<count].lazy.map(UInt8.init(bitPattern:)).starts(with: prefix.utf8)
  }

  private func hash(
    _ descriptor: Int32, _ file: Manifest.File, done: UInt64, total: UInt64
  ) throws(DataError) -> Report.Finding {
    var digest = DigestStream()
    var count: UInt64 = 0
    var nextReport: UInt64 = 256 << 20
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      if isCancelled() { throw DataError(.cancelled, "cancelled", "The check was stopped at \(file.path).") }
      let got = read(descriptor, buffer.baseAddress, buffer.count)
      if got < 0 && errno == EINTR { continue }
      guard got >= 0 else { return .refused("cannot be read: \(Self.reason(errno))") }
      if got == 0 { break }
      digest.update(UnsafeRawBufferPointer(rebasing: buffer[..<got]))
      count += UInt64(got)
      // A file that grows while it is read never ends: its size was compared before.
      guard count <= file.size else { return .sizeDiffers(found: count) }
      if count >= nextReport {
        progress(done + count, total, file.path)
        nextReport += 256 << 20
      }
    }
    guard count == file.size else { return .sizeDiffers(found: count) }
    guard let found = Digest(bytes: digest.finish()) else { return .refused("has no hash") }
    return found == file.sha256 ? .ok : .hashDiffers(found: found)
  }

  private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
