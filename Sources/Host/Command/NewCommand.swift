import ArgumentParser
import CTemplates
import FoundationEssentials
import Glibc

/// The command `symbolon plugin new NAME`: a project that builds and passes `plugin verify` as it is written.
struct NewPlugin: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new", abstract: "Write a plugin project that builds and passes `plugin verify`.")

  enum Language: String, CaseIterable, ExpressibleByArgument { case c, swift, rust }

  @Argument(help: "The plugin's id: [a-z][a-z0-9_]*, at most 32 bytes.")
  var name: String

  @Option(help: "The language of the project.")
  var language: Language = .c

  @Option(help: ArgumentHelp("Where to write it; a folder NAME here by default.", valueName: "folder"))
  var output: String?

  @Flag(help: "Print JSON.")
  var json = false

  func run() {
    Terminal.run(json: json) { () throws(HostError) in
      let project = try PluginProject(name: name, language: language.rawValue)
      let folder = try AbsolutePath.of(output ?? name)
      let files = try project.write(to: folder)
      guard !json else {
        let members: [String: JSONValue] = [
          "folder": .string(folder), "library": .string(project.library), "files": .array(files.map { .string($0) }),
        ]
        return print(JSONValue.object(members).text)
      }
      print("Wrote \(files.count) files into \(output ?? name). Next:\n")
      print("  cd \(output ?? name)\n  make\n  symbolon plugin verify \(project.library)")
    }
  }
}

/// The files of a new plugin, made from the ones that this program carries.
struct PluginProject {
  let name: String
  let language: String

  /// Words that the languages keep for themselves, or that the projects use already.
  private static let taken: Set<String> = [
    "symbolon", "host", "abi", "test", "main", "plugin", "greet", "count", "create", "start", "destroy", "methods",
    "include", "src", "self", "super", "crate", "static", "struct", "int", "char", "double", "float", "void", "return",
    "if", "else", "for", "while", "do", "switch", "case", "default", "const", "fn", "let", "mut", "pub", "use", "mod",
    "impl", "trait", "type", "where", "loop", "match", "move", "ref", "dyn", "async", "await", "enum", "union", "auto",
    "break", "continue", "extern", "goto", "inline", "long", "short", "register", "signed", "unsigned", "sizeof",
    "volatile", "typedef", "func", "var", "class", "protocol", "import", "init", "deinit", "swift", "core", "std",
    "alloc", "box", "yield", "true", "false", "null", "in", "as", "is", "try", "catch", "throw", "error", "build",
    "deps", "examples", "incremental", "border", "greeting", "output", "method", "text", "call", "sink", "slice",
  ]

  init(name: String, language: String) throws(HostError) {
    let letters = Set("abcdefghijklmnopqrstuvwxyz".utf8)
    let others = letters.union("0123456789_".utf8)
    guard let first = name.utf8.first, letters.contains(first), name.utf8.count <= 32,
      name.utf8.allSatisfy(others.contains)
    else {
      throw .invalid(
        "bad_name", "`\(name)` is no plugin name: begin with a to z, go on with a to z, 0 to 9 and _, at most 32.")
    }
    guard !Self.taken.contains(name) else {
      throw .invalid(
        "bad_name", "`\(name)` means something else in C, Swift, Rust or these projects: choose another name.")
    }
    (self.name, self.language) = (name, language)
  }

  /// The name of a Swift module: word parts with capitals.
  private var module: String {
    name.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
  }

  /// The library that the project builds, seen from its folder.
  var library: String {
    switch language {
    case "swift": ".build/release/lib\(module).so"
    case "rust": "target/release/lib\(name).so"
    default: "lib\(name).so"
    }
  }

  /// Writes the project into a folder that is not there yet, or is empty; gives the names of the files.
  func write(to folder: String) throws(HostError) -> [String] {
    if let present = try? FileManager.default.contentsOfDirectory(atPath: folder), !present.isEmpty {
      throw .refused("folder_in_use", "\(folder) is not empty: choose another place with --output.")
    }
    var written: [String] = []
    for file in Self.carried where file.project == language || file.project == "headers" {
      let path = place(file)
      let content =
        file.project == "headers" ? file.bytes : Array(named(String(decoding: file.bytes, as: UTF8.self)).utf8)
      try Self.save(content, "\(folder)/\(path)")
      written.append(path)
    }
    try Self.save(Array(ignored.utf8), "\(folder)/.gitignore")
    return (written + [".gitignore"]).sorted()
  }

  private func place(_ file: CarriedFile) -> String {
    guard file.project == "headers" else { return named(file.path) }
    return (language == "swift" ? "Sources/CSymbolon/include/" : "include/") + file.path
  }

  /// The projects are written for a plugin `sample`; this is where it gets its own name.
  private func named(_ text: String) -> String {
    text.replacing("sample", with: name).replacing("Sample", with: module)
  }

  private var ignored: String {
    switch language {
    case "swift": ".build/\n"
    case "rust": "target/\n"
    default: "lib\(name).so\n\(name)_test\n"
    }
  }

  private struct CarriedFile {
    var project: String
    var path: String
    var bytes: [UInt8]
  }

  private static var carried: [CarriedFile] {
    var files: [CarriedFile] = []
    guard var next = symbolon_first_template() else { return [] }
    while let path = next.pointee.path, let project = next.pointee.project {
      files.append(
        CarriedFile(
          project: String(cString: project), path: String(cString: path),
          bytes: Array(UnsafeBufferPointer(start: next.pointee.bytes, count: Int(next.pointee.size)))))
      next += 1
    }
    return files
  }

  private static func save(_ bytes: [UInt8], _ path: String) throws(HostError) {
    let folder = path.split(separator: "/").dropLast().joined(separator: "/")
    try makeFolder("/\(folder)", mode: 0o755)
    do {
      try Data(bytes).write(to: URL(filePath: path), options: .withoutOverwriting)
    } catch {
      throw .system("no_file", "\(path) cannot be written: \(error).")
    }
  }
}
