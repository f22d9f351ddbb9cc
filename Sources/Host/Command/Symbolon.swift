import ArgumentParser
import FoundationEssentials
import Glibc

/// The command line: built-in commands, and one command for every method of every running layer.
@main
struct Symbolon: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "symbolon", abstract: "A node for generative AI that its community owns.",
    discussion: """
      Besides these commands there is `symbolon <layer> <method> [--argument value …]` for every method of every
      running layer; `symbolon <layer>` lists them.
      """,
    version: Version.current,
    subcommands: [
      Run.self, Stop.self, Status.self, Top.self, Check.self, Doctor.self, Reload.self, PluginCommand.self,
      VerifyFile.self,
      WalletCommand.self, Completion.self, CompleteWords.self,
      BenchCalls.self, BenchWorkers.self, ParseTOML.self, WorkerCommand.self, DescribeCommand.self,
      VerifyCase.self,
    ])

  /// Runs the built-in command, or the method of a layer when the first word is none of the built-in ones.
  static func main() {
    signal(SIGPIPE, SIG_IGN)
    let words = Array(CommandLine.arguments.dropFirst())
    let json = words.contains("--json")
    do throws(HostError) {
      if let layer = try LayerCommand(words, builtIn: builtInNames) {
        try layer.run()
      } else if let error = CommandWords.unknownSubcommand(words, of: Symbolon.self) {
        throw error
      } else {
        runBuiltIn(words, json: json)
      }
    } catch {
      Terminal.exit(with: error, json: json)
    }
  }

  /// The parser's own sentences, with our exit statuses and in JSON when that was asked for.
  private static func runBuiltIn(_ words: [String], json: Bool) {
    do {
      var command = try parseAsRoot(words)
      try command.run()
    } catch {
      guard exitCode(for: error) != .success else { exit(withError: error) }
      let text = fullMessage(for: error).split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      let sentence = text[0].hasPrefix("Error: ") ? String(text[0].dropFirst(7)) : text[0]
      let rest = json ? "" : text.dropFirst().map { "\n" + $0 }.joined()
      Terminal.exit(with: .invalid("usage", sentence + rest), json: json)
    }
  }

  static var builtInNames: Set<String> {
    Set(configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"])
  }
}

/// Where the node is, for every command.
struct NodeOptions: ParsableArguments {
  @Option(help: "The configuration of the node.")
  var config = NodeOptions.defaultConfiguration

  @Option(help: "The data folder of the node, when there is no configuration file.")
  var data: String?

  @Flag(help: "Print JSON.")
  var json = false

  /// `$SYMBOLON_CONFIG`, or plugins.conf here.
  static var defaultConfiguration: String {
    ProcessInfo.processInfo.environment["SYMBOLON_CONFIG"] ?? "plugins.conf"
  }

  /// The data folder: as given, from the configuration, or ~/.symbolon.
  func dataFolder() throws(HostError) -> String { try Self.dataFolder(config: config, data: data) }

  static func dataFolder(config: String, data: String?) throws(HostError) -> String {
    if let data { return ConfigurationReader.expand(data) }
    if access(config, R_OK) == 0 || config != "plugins.conf" { return try Configuration.dataFolder(of: config) }
    return ConfigurationReader.expand("~/.symbolon")
  }

  func client() throws(HostError) -> ControlClient { try ControlClient(data: try dataFolder()) }
}

/// What is piped into a command.
enum StandardInput {
  /// Everything up to the end, at most 64 MiB.
  static func readAll() -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while bytes.count < 64 << 20 {
      let count = read(STDIN_FILENO, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    return bytes
  }
}

/// What commands print and how they end.
enum Terminal {
  /// Stable exit statuses: 1 refused, 2 wrong usage, 3 no node, 4 not found (docs/operating.md).
  static func exit(with error: HostError, json: Bool) -> Never {
    let text = json ? JSONValue.object(["error": error.json]).text : "symbolon: \(error.message)"
    StandardError.write(text + "\n")
    switch error.status {
    case 3: Glibc.exit(2)
    case 14: Glibc.exit(3)
    case 5: Glibc.exit(4)
    default: Glibc.exit(1)
    }
  }

  /// Runs a command's body and ends the process with a sentence when it fails.
  static func run(json: Bool, _ body: () throws(HostError) -> Void) {
    do throws(HostError) { try body() } catch { exit(with: error, json: json) }
  }

  /// A table that fits 80 columns.
  static func table(_ header: [String], _ rows: [[String]]) -> String { Table(header, rows).text() }

  /// A sentence in lines of at most 80 characters; those after the first begin with `indent` spaces.
  static func wrapped(_ text: String) -> String { wrapped(text, indent: 2) }

  static func wrapped(_ text: String, indent: Int) -> String {
    let margin = String(repeating: " ", count: indent)
    var lines: [String] = []
    var line = String(text.prefix { $0 == " " })
    var isEmpty = true
    for word in text.dropFirst(line.count).split(separator: " ", omittingEmptySubsequences: false) {
      if !isEmpty, line.count + 1 + word.count > 80 {
        while line.hasSuffix(" ") { line.removeLast() }
        lines.append(line)
        line = margin
        isEmpty = true
        if word.isEmpty { continue }
      }
      line += (isEmpty ? "" : " ") + word
      isEmpty = false
    }
    return (lines + [line]).joined(separator: "\n")
  }

  /// How large the terminal is that standard output goes to.
  static var size: (columns: Int, rows: Int) {
    var size = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else { return (80, 24) }
    return (Int(size.ws_col), Int(size.ws_row))
  }

  /// An indented view of JSON for people.
  static func pretty(_ value: JSONValue, indent: String = "") -> String {
    switch value {
    case .object(let members):
      let width = members.keys.map(\.count).max() ?? 0
      return members.sorted { $0.key < $1.key }.map { key, value in
        let name = "\(indent)\(key)" + String(repeating: " ", count: width - key.count)
        return isNested(value)
          ? "\(indent)\(key)\n\(pretty(value, indent: indent + "  "))" : "\(name)  \(scalar(value))"
      }.joined(separator: "\n")
    case .array(let items):
      if items.isEmpty { return "\(indent)none" }
      return items.map { isNested($0) ? pretty($0, indent: indent) : "\(indent)\(scalar($0))" }
        .joined(separator: items.contains(where: isNested) ? "\n\n" : "\n")
    default: return indent + scalar(value)
    }
  }

  /// The same in lines of at most 80 characters, but for words that are longer.
  static func wide(_ value: JSONValue) -> String {
    pretty(value).split(separator: "\n", omittingEmptySubsequences: false).map { line in
      let text = String(line)
      return wrapped(text, indent: text.prefix { $0 == " " }.count + 4)
    }.joined(separator: "\n")
  }

  private static func isNested(_ value: JSONValue) -> Bool {
    switch value {
    case .object(let members): !members.isEmpty
    case .array(let items): !items.isEmpty
    default: false
    }
  }

  private static func scalar(_ value: JSONValue) -> String {
    if case .string(let text) = value { return text.isEmpty ? "-" : text }
    if case .array = value { return "none" }
    return value.text
  }
}
