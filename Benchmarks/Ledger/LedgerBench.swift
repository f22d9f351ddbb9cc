import Canonical
import Foundation
import LedgerCore

/// Measures the ledger, and serves as the process that the crash test kills.
@main
enum LedgerBench {
  static func main() throws {
    let arguments = Array(CommandLine.arguments.dropFirst())
    switch arguments.first {
    case nil: try TransferBench.run(transfers: 20_000, rounds: 3)
    case "--transfers":
      try TransferBench.run(transfers: arguments.dropFirst().first.flatMap(Int.init) ?? 20_000, rounds: 5)
    case "--crash-child" where arguments.count == 2: try CrashChild.run(folder: arguments[1])
    default:
      FileHandle.standardError.write(
        Data("usage: LedgerBench [--transfers COUNT | --crash-child FOLDER]\n".utf8))
      exit(64)
    }
  }
}

/// The node that benchmark and crash test share: a fixed authority and a network of its own.
enum BenchNode {
  static let supply = Amount(1_000_000_000_000)

  static func key(_ number: Int) throws -> KeyPair {
    guard let key = KeyPair(seed: Digest(of: Array("bench key \(number)".utf8)).bytes) else {
      throw LedgerError(.internal, "no_key", "libsodium made no key pair.")
    }
    return key
  }

  static func open(_ folder: String) throws -> LedgerNode {
    let authority = try key(0)
    let machine = StateMachine(
      genesis: Genesis(network: "symbolon-bench", authority: authority.account, supply: supply))
    let node = try LedgerNode(
      store: try Store(folder: folder, machine: machine), machine: machine, signer: authority,
      clock: { UInt64(Date().timeIntervalSince1970 * 1000) })
    node.start()
    return node
  }
}
