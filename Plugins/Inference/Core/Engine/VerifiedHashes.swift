import CSodium

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// SHA-256 of model files, remembered by device, inode, size and time so that a restart need not read them again.
package struct VerifiedHashes {
  /// Where they are remembered; nil for nowhere.
  let folder: String?

  package init(folder: String?) { self.folder = folder }

  /// The hash of a file if it is remembered.
  package func known(_ file: MappedFile) -> String? { read()[file.stamp] }

  /// The hash of a file in lowercase hex; `progress` hears the share that has been read, 0 to 1.
  package func sha256(of file: MappedFile, progress: (Double) -> Void = { _ in }) throws(InferenceError) -> String {
    if let known = known(file) { return known }
    var digest = [UInt8](repeating: 0, count: 32)
    var state = crypto_hash_sha256_state()
    crypto_hash_sha256_init(&state)
    let piece = 16 << 20
    for start in stride(from: 0, to: file.bytes.count, by: piece) {
      let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[start..<min(start + piece, file.bytes.count)])
      crypto_hash_sha256_update(&state, bytes.bindMemory(to: UInt8.self).baseAddress, UInt64(bytes.count))
      progress(Double(start + bytes.count) / Double(file.bytes.count))
    }
    crypto_hash_sha256_final(&state, &digest)
    let hash = digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    remember(file.stamp, hash)
    return hash
  }

  private var path: String? { folder.map { "\($0)/hashes" } }

  /// Lines of `stamp hash`.
  private func read() -> [String: String] {
    guard let path, let file = fopen(path, "r") else { return [:] }
    defer { fclose(file) }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&buffer, 1, buffer.count, file)
    var known: [String: String] = [:]
    for line in String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 2, words[1].utf8.count == 64 { known[String(words[0])] = String(words[1]) }
    }
    return known
  }

  /// Writes a new file and renames it; a failure only costs time at the next start.
  private func remember(_ stamp: String, _ hash: String) {
    guard let path else { return }
    var known = read()
    if known.count >= 256 { known = [:] }
    known[stamp] = hash
    let text = known.map { "\($0.key) \($0.value)\n" }.sorted().joined()
    let draft = path + ".part"
    guard let file = fopen(draft, "w") else { return }
    let written = fputs(text, file) >= 0
    guard fclose(file) == 0, written else { return }
    rename(draft, path)
  }
}
