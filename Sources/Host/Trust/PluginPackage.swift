import FoundationEssentials
import Glibc

/// What `library = "…"` names: a library, or a folder (a bundle) with one library and the files that belong to it.
///
/// Its files are open and checked against each other; who signed them is for `TrustCheck` to say.
struct PluginPackage {
  let library: OpenedFile
  /// SHA-256 of the library file as a whole, its seal included.
  let sha256: String
  /// Nil when the library is not sealed.
  let manifest: Manifest?
  /// The .minisig file beside the library.
  let signature: [UInt8]?
  /// The other files of a bundle by name.
  let files: [String: OpenedFile]

  init(at path: String) throws(HostError) {
    var trimmed = path
    while trimmed.count > 1, trimmed.hasSuffix("/") { trimmed.removeLast() }
    var status = stat()
    if lstat(trimmed, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      try self.init(bundle: trimmed)
    } else {
      let library = try Self.openLibrary(trimmed)
      try self.init(library, files: [:])
    }
  }

  private init(bundle folder: String) throws(HostError) {
    var names = try Self.list(folder)
    let libraries = names.filter { $0.hasSuffix(".so") && !$0.contains("/") }
    guard libraries.count == 1, let name = libraries.first else {
      throw .invalid("bad_bundle", "The folder \(folder) holds \(libraries.count) libraries (.so); a bundle has one.")
    }
    let library = try Self.openLibrary("\(folder)/\(name)")
    names.subtract([name, "\(name).minisig"])
    var files: [String: OpenedFile] = [:]
    for name in names.sorted() {
      guard Manifest.isFileName(name), files.count < Manifest.fileLimit else { throw Self.extraFile(name, folder) }
      files[name] = try OpenedFile("\(folder)/\(name)", what: "file")
    }
    try self.init(library, files: files)
    guard let manifest else {
      throw .invalid(
        "unsealed_bundle",
        "\(folder)/\(name) is not sealed: `symbolon plugin seal \(folder)/\(name) --with FILE …` names its files.")
    }
    for (name, file) in files {
      guard let listed = manifest.files[name] else { throw Self.extraFile(name, folder) }
      guard try file.sha256() == listed else {
        throw .refused("file_changed", "\(folder)/\(name) is not the file that the library's manifest lists.")
      }
    }
    for name in manifest.files.keys.sorted() where files[name] == nil {
      throw .notFound("no_file", "The manifest lists `\(name)`, which is not in \(folder).")
    }
  }

  private init(_ library: OpenedFile, files: [String: OpenedFile]) throws(HostError) {
    self.library = library
    self.files = files
    let (manifest, end) = try Self.manifest(of: library)
    self.manifest = manifest
    let hash = try library.sha256(prefix: end)
    sha256 = hash.whole
    if let manifest, manifest.librarySHA256 != hash.prefix {
      throw .refused(
        "seal_broken", "\(library.path) was changed after it was sealed: its manifest is for another library.")
    }
    signature = try Self.signature(of: library.path)
  }

  private static func openLibrary(_ path: String) throws(HostError) -> OpenedFile {
    let file: OpenedFile
    do throws(HostError) {
      file = try OpenedFile(path, what: "library")
    } catch  where error.code == "no_library" {
      throw .notFound("no_library", "The library \(path) cannot be read: build it, or correct `library`.")
    }
    let isELF = try file.withBytes { $0.count > Seal.headerSize && $0.starts(with: [0x7f, 0x45, 0x4c, 0x46]) }
    guard isELF else { throw .invalid("not_a_library", "\(path) is not a shared library (ELF).") }
    return file
  }

  /// The manifest of an open library and where the library itself ends; nil and nil when it is not sealed.
  static func manifest(of file: OpenedFile) throws(HostError) -> (Manifest?, Int?) {
    try file.withBytes { bytes throws(HostError) in
      guard let parts = try Seal.find(in: bytes) else { return (nil, nil) }
      return (try Manifest(parsing: Array(bytes[parts.manifest])), parts.library)
    }
  }

  /// The detached signature beside a library; nil when there is none.
  static func signature(of library: String) throws(HostError) -> [UInt8]? {
    let path = "\(library).minisig"
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    let file = try OpenedFile(path, what: "signature")
    return try file.contents(limit: MinisignSignature.fileLimit)
  }

  /// Names of files, at most one folder deep.
  private static func list(_ folder: String) throws(HostError) -> Set<String> {
    func entries(_ path: String) throws(HostError) -> [String] {
      guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
        throw .system("not_readable", "The folder \(path) cannot be listed.")
      }
      guard names.count <= Manifest.fileLimit + 2 else {
        throw .invalid("bad_bundle", "The folder \(path) holds more than \(Manifest.fileLimit) files.")
      }
      return names
    }
    func isFolder(_ path: String) -> Bool {
      var status = stat()
      return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
    var names: Set<String> = []
    for name in try entries(folder) {
      if isFolder("\(folder)/\(name)") {
        for inner in try entries("\(folder)/\(name)") { names.insert("\(name)/\(inner)") }
      } else {
        names.insert(name)
      }
    }
    return names
  }

  private static func extraFile(_ name: String, _ folder: String) -> HostError {
    .refused(
      "extra_file", "\(folder)/\(name) is not listed in the library's manifest: remove it, or seal the library again.")
  }
}
