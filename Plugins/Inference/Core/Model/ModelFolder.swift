#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Paths to models as an operator writes them.
package enum ModelFolder {
  /// A path whose leading `~/` is the home folder.
  package static func expanded(_ path: String) -> String {
    guard path.hasPrefix("~/"), let home = getenv("HOME") else { return path }
    return String(cString: home) + path.dropFirst()
  }

  /// The .gguf files of a folder, sorted by name.
  package static func files(in folder: String) throws(InferenceError) -> [String] {
    guard let directory = opendir(folder) else {
      throw InferenceError(
        .badModel, "folder_unreadable",
        "The folder of models \(folder) cannot be read (\(String(cString: strerror(errno)))): correct `folder`.")
    }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name.hasSuffix(".gguf"), !name.hasPrefix(".") { names.append("\(folder)/\(name)") }
    }
    return names.sorted()
  }

  /// What a model is called when nobody gave it a name: the last part of its path, without `.gguf`.
  package static func name(of path: String) -> String {
    let last = path.split(separator: "/").last.map(String.init) ?? path
    return last.hasSuffix(".gguf") ? String(last.dropLast(5)) : last
  }
}
