import ArgumentParser
import FoundationEssentials
import Glibc

/// The command `symbolon verify FILE`: checks a file that proves something, with no node running.
///
/// The host knows no formats. A file says whose it is: `"format": "symbolon.<layer>.…"` goes to `<layer>.verify`.
struct VerifyFile: ParsableCommand {
  /// What is read of a file.
  private static let mostBytes = 4 << 20

  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Check the file of a proof, with no node running.",
    discussion: "Exit status 0: it proves what is printed. For the test of a plugin, see `symbolon plugin verify`.")

  @Argument(help: "What `symbolon ledger prove` printed, or the proof of another layer.")
  var file: String

  @OptionGroup var node: NodeOptions

  func run() throws {
    do throws(HostError) {
      let layer = try layer()
      var words = [layer, "verify", file, "--config", node.config]
      if let data = node.data { words += ["--data-folder", data] }
      if node.json { words.append("--json") }
      guard let command = try LayerCommand(words, builtIn: []) else { return }
      try command.run()
    } catch {
      Terminal.exit(with: error, json: node.json)
    }
  }

  /// Whose file it is.
  private func layer() throws(HostError) -> String {
    guard let content = FileManager.default.contents(atPath: file) else {
      throw .notFound("no_file", "\(file) cannot be read: check the name and the rights.")
    }
    guard content.count <= Self.mostBytes, let value = try? JSONValue(parsing: Array(content)),
      let format = value.object?["format"]?.string
    else {
      throw .invalid("not_a_proof", "\(file) is not the JSON of a proof: print one with `symbolon ledger prove`.")
    }
    let parts = format.split(separator: ".")
    guard parts.count >= 3, parts[0] == "symbolon", PluginID.isValid(String(parts[1])) else {
      throw .invalid(
        "not_a_proof", "\(file) has the format \"\(format.prefix(64))\", which names no layer of Symbolon.")
    }
    return String(parts[1])
  }
}
