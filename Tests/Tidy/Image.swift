import Foundation

/// An executable or a library that shares the host's process.
struct Image: CustomStringConvertible, Sendable {
  let url: URL
  var description: String { url.lastPathComponent }

  /// The folder with what was built together with this test.
  static let folder: URL = {
    let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let built = Repository.root.appending(path: ".build/release")
    return FileManager.default.fileExists(atPath: own.appending(path: "symbolon").path) ? own : built
  }()

  static let host = Image(url: folder.appending(path: "symbolon"))
  static let plugins = ["Edge", "Ledger", "Application", "Governance", "Data", "Inference"]
    .map { Image(url: folder.appending(path: "lib\($0).so")) }

  /// Names of the dynamic symbols that others could bind to.
  func exports() throws -> [String] {
    try Repository.run("nm", "--dynamic", "--defined-only", "--extern-only", "--format=posix", url.path).split(
      separator: "\n"
    )
    .compactMap { $0.split(separator: " ").first.map(String.init) }
    .filter { !["_init", "_fini", "__bss_start", "_edata", "_end"].contains($0) }
  }

  /// Swift modules whose code is in this image: those that have a nominal type descriptor (`…Mn`) here.
  func modules() throws -> Set<String> {
    var modules = Set<String>()
    for line in try Repository.run("nm", "--defined-only", "--format=posix", url.path).split(separator: "\n") {
      guard let symbol = line.split(separator: " ").first, symbol.hasPrefix("$s"), symbol.hasSuffix("Mn") else {
        continue
      }
      // After the prefix comes the module as a length and a name; `So` (C) and `s` (the standard library) have none.
      let rest = symbol.dropFirst(2)
      let digits = rest.prefix(while: \.isNumber)
      guard let length = Int(digits), length > 0 else { continue }
      modules.insert(String(rest.dropFirst(digits.count).prefix(length)))
    }
    return modules
  }

  /// Shared libraries that the loader must find.
  func needed() throws -> Set<String> {
    let lines = try Repository.run("readelf", "--dynamic", "--wide", url.path).split(separator: "\n")
    return Set(
      lines.filter { $0.contains("(NEEDED)") }.compactMap { line in
        line.split(separator: "[").last.map { String($0.prefix { $0 != "]" }) }
      })
  }
}
