import ArgumentParser
import Glibc

/// `symbolon doctor`: what this machine and this configuration lack.
struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Look at the machine and the configuration, and say what to do.",
    discussion: "Ends with status 1 when something fails; a warning is no failure.")

  @OptionGroup var node: NodeOptions

  func run() {
    let findings = MachineCheck.findings() + NodeCheck(config: node.config, data: node.data).findings()
    let failed = findings.filter { $0.verdict == .fail }.count
    if node.json {
      print(JSONValue.object(["ok": .bool(failed == 0), "findings": .array(findings.map(\.json))]).text)
    } else {
      print(findings.map(\.text).joined(separator: "\n"))
      let warned = findings.filter { $0.verdict == .warn }.count
      print("\n\(findings.count - failed - warned) ok, \(warned) to consider, \(failed) failed.")
    }
    if failed > 0 { Glibc.exit(1) }
  }
}
