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
      Run.self, Stop.self, Status.self, Check.self, Reload.self, PluginCommand.self, WalletCommand.self,
      BenchCalls.self, ParseTOML.self, WorkerCommand.self, VerifyCase.self,
    ])

  /// Runs the built-in command, or the method of a layer when the first word is none of the built-in ones.
  static func main() {
    signal(SIGPIPE, SIG_IGN)
    let words = Array(CommandLine.arguments.dropFirst())
    do throws(HostError) {
      if let layer = try LayerCommand(words, builtIn: builtInNames) {
        try layer.run()
      } else {
        main(words)
      }
    } catch {
      Terminal.exit(with: error, json: words.contains("--json"))
    }
  }

  private static var builtInNames: Set<String> {
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
  /// Stable exit statuses: 1 refused, 2 wrong usage, 3 no node, 4 not found.
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

  /// A table that fits 80 columns: the last column is cut.
  static func table(_ header: [String], _ rows: [[String]]) -> String {
    let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
    return ([header] + rows).map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let isLast = column == row.count - 1
        line +=
          isLast
          ? String(cell.prefix(max(8, 80 - line.count)))
          : cell + String(repeating: " ", count: widths[column] + 2 - cell.count)
      }
      return line
    }.joined(separator: "\n")
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
