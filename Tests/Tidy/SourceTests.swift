import Foundation
import Testing

/// What we agreed about the sources: small files and functions, nothing left for later, nothing that ties us to a machine.
@Suite struct SourceTests {
  /// Files that may be longer than 400 lines, each with its reason.
  static let longFiles: [String: String] = [:]

  static let files = (try? Repository.files()) ?? []
  static let sources = files.filter(\.isSource)

  @Test func theRepositoryIsNotEmpty() {
    #expect(Self.sources.count > 20)
  }

  @Test func noSourceHasMoreThan400Lines() {
    for file in Self.sources where Self.longFiles[file.path] == nil {
      // The text ends with a newline, so the last element is empty.
      #expect(file.lines.count - 1 <= 400, "\(file) has \(file.lines.count - 1) lines")
    }
  }

  @Test func noFunctionHasMoreThan60Lines() {
    for file in Self.sources where file.suffix == "swift" && !file.path.hasPrefix("Tests/") {
      for function in functions(in: file) where function.length > 60 {
        Issue.record("\(file) \(function.name) has \(function.length) lines")
      }
    }
  }

  @Test func theReadmeHasAtMost150Lines() throws {
    let readme = try #require(Self.files.first { $0.path == "README.md" })
    #expect(readme.lines.count - 1 <= 150)
  }

  @Test func nothingIsLeftForLater() throws {
    // Written so that this file does not find itself.
    let words = ["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "st" + "ub", "st" + "ubbed", "Place" + "holder"]
    let banned = try Regex("\\b(\(words.joined(separator: "|")))\\b")
    for file in Self.sources {
      for (index, line) in file.lines.enumerated() where line.contains(banned) {
        Issue.record("\(file):\(index + 1): \(line)")
      }
    }
  }

  @Test func noModelIsInTheRepository() {
    #expect(Self.files.filter { $0.suffix == "gguf" }.map(\.path) == [])
  }

  /// A clone must work wherever its package managers are configured to look, so no address of one is written down.
  @Test func noPackageRegistryIsNamed() throws {
    let hosts = try registryHosts()
    #expect(!hosts.isEmpty)
    for file in Self.files {
      let text = file.text
      for host in hosts where text.contains(host) { Issue.record("\(file) names \(host)") }
    }
  }

  @Test func everyDependencyIsExplained() throws {
    let explained = try #require(Self.files.first { $0.path == "docs/dependencies.md" }).text
    let manifest = try #require(Self.files.first { $0.path == "Package.swift" }).text
    let requirements = try #require(Self.files.first { $0.path == "Scripts/requirements.txt" }).text
    let packages = manifest.matches(of: /\.package\(url: ".*\/([^"]+)", from: "([^"]+)"/).map { ($0.1, $0.2) }
    let pinned = requirements.matches(of: /(?m)^([a-z0-9-]+)==(.+)$/).map { ($0.1, $0.2) }
    #expect(packages.count > 5 && pinned.count > 5)
    for (name, version) in packages + pinned where !explained.contains("| \(name) | \(version) |") {
      Issue.record("docs/dependencies.md does not explain \(name) \(version)")
    }
  }

  @Test func everyLinkInTheDocumentsLeadsToAFile() throws {
    let link = /\]\(([^)#\s]+)[^)]*\)|(?:src|href)="([^"#]+)"/
    for file in Self.files where file.suffix == "md" {
      for match in file.text.matches(of: link) {
        let target = String(match.1 ?? match.2 ?? "")
        if target.contains("://") || target.hasPrefix("mailto:") { continue }
        let url = file.url.deletingLastPathComponent().appending(path: target)
        #expect(FileManager.default.fileExists(atPath: url.path), "\(file) links to \(target)")
      }
    }
  }

  /// Host names of this machine's Python and Debian indexes, taken from the package managers' own configuration.
  private func registryHosts() throws -> [String] {
    let program = """
      import glob, re, subprocess, sys
      from pip._internal.models.index import PyPI
      text = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
      for path in glob.glob("/etc/apt/sources.list") + glob.glob("/etc/apt/sources.list.d/*"):
          text += "\\n".join(line for line in open(path) if not line.startswith("#"))
      hosts = set(re.findall(r"https?://([^/:@\\s']+)", text))
      print(PyPI.netloc, PyPI.file_storage_domain, *sorted(host for host in hosts if "." in host))
      """
    return try Repository.run("python3", "-c", program).split(whereSeparator: \.isWhitespace).map(String.init)
      .filter { !$0.hasPrefix("127.") && $0 != "localhost" }
  }

  /// A function and how many lines it spans.
  private struct Function {
    let name: String
    let length: Int
  }

  /// Finds functions by indentation: swift-format closes each at the column where its declaration began.
  private func functions(in file: Repository.File) -> [Function] {
    let declaration = /^( *)(?:[@a-z]+(?:\([^)]*\))? )*(?:func|init)\b[^{]*/
    var found: [Function] = []
    let lines = file.lines
    for (start, line) in lines.enumerated() {
      guard let match = line.prefixMatch(of: declaration) else { continue }
      let close = match.1 + "}"
      guard
        let end = lines[(start + 1)...].firstIndex(where: {
          $0.hasPrefix(match.1) && !$0.hasPrefix(match.1 + " ") && !$0.isEmpty
        })
      else { continue }
      guard lines[end].hasPrefix(close) || lines[end].hasPrefix(match.1 + ")") else { continue }
      var last = end
      if !lines[end].hasPrefix(close), let closing = lines[end...].firstIndex(where: { $0.hasPrefix(close) }) {
        last = closing
      }
      found.append(
        Function(name: String(match.0.trimmingPrefix(while: { $0 == " " }).prefix(60)), length: last - start + 1))
    }
    return found
  }
}
