import Canonical
import Foundation
import LedgerCore
import Synchronization

/// Keys, a machine and a node of a network that exists for one test.
struct TestNetwork {
  let authority: KeyPair
  let machine: StateMachine
  let folder: String

  init(
    _ transitions: [String: FakeRunner.Transition] = [:], network: String = "test", supply: UInt64 = 1_000_000,
    limits: Limits = Limits(), folder: String? = nil
  ) throws {
    authority = try Self.key(0)
    machine = StateMachine(
      genesis: Genesis(network: network, authority: authority.account, supply: Amount(supply)), limits: limits,
      runner: FakeRunner(transitions))
    self.folder =
      folder ?? FileManager.default.temporaryDirectory.appendingPathComponent("ledger-test-\(UUID().uuidString)").path
  }

  static func key(_ number: Int) throws -> KeyPair {
    guard let key = KeyPair(seed: Digest(of: Array("test key \(number)".utf8)).bytes) else { throw NoKey() }
    return key
  }

  struct NoKey: Error {}

  func open(blockIntervalMilliseconds: Int = 5, observe: @escaping @Sendable (ExecutedBlock) -> Void = { _ in }) throws
    -> LedgerNode
  {
    var options = LedgerNode.Options()
    options.blockIntervalMilliseconds = blockIntervalMilliseconds
    let node = try LedgerNode(
      store: try Store(folder: folder, machine: machine), machine: machine, signer: authority, options: options,
      clock: { UInt64(Date().timeIntervalSince1970 * 1000) }, observe: observe)
    node.start()
    return node
  }

  /// Opens a node, runs the body, stops the node and removes the folder.
  func run<R>(_ body: (LedgerNode) throws -> R) throws -> R {
    defer { remove() }
    let node = try open()
    defer { node.stop() }
    return try body(node)
  }

  func remove() { try? FileManager.default.removeItem(atPath: folder) }

  func call(
    _ method: String, _ arguments: [UInt8] = [], by signer: KeyPair, sequence: UInt64, lane: UInt32 = 0,
    validUntil: UInt64 = 1000
  ) throws -> SignedTransaction {
    try SignedTransaction(
      TransactionBody(
        chain: machine.chain, sender: signer.account, lane: Lane(lane), sequence: Sequence(sequence),
        validUntil: Height(validUntil), method: method, arguments: arguments), signer: signer)
  }

  func transfer(
    _ amount: UInt64, from signer: KeyPair, to account: AccountID, sequence: UInt64, validUntil: UInt64 = 1000
  ) throws -> SignedTransaction {
    try call(
      BuiltIn.transfer, BuiltIn.transferArguments(to: account, Amount(amount)), by: signer, sequence: sequence,
      validUntil: validUntil)
  }
}

/// Transitions of other layers, as closures; a name that maps to nil is a method that is no transition.
final class FakeRunner: TransitionRunner {
  typealias Transition = @Sendable (TransactionContext, [UInt8]) throws -> [UInt8]
  private let transitions: [String: Transition]

  init(_ transitions: [String: Transition]) { self.transitions = transitions }

  func kind(of method: String) -> MethodKind {
    if method == "layer.read" { return .notTransition }
    return transitions[method] == nil ? .unknown : .transition
  }

  func version(of method: String) -> Digest { Digest(of: Array("library of \(method.prefix { $0 != "." })".utf8)) }

  func run(_ method: String, arguments: [UInt8], in transaction: TransactionContext) -> Run {
    do {
      return .finished(Outcome(result: try transitions[method]?(transaction, arguments) ?? []))
    } catch let error as LedgerError {
      return error.isOfThisNode ? .unable(error) : .finished(Outcome(error))
    } catch {
      return .unable(LedgerError(.internal, "crashed", "\(error)"))
    }
  }
}

/// State in a dictionary, for the machine without a disk.
final class MemoryState: StateReader {
  private struct Contents {
    var values: [Namespace: [[UInt8]: [UInt8]]] = [:]
    var trees: [Namespace: StateTree] = [:]
  }

  private let contents = Mutex(Contents())

  func apply(_ block: ExecutedBlock) {
    contents.withLock { contents in
      for namespace in block.changes {
        for (key, value) in namespace.changes { contents.values[namespace.namespace, default: [:]][key] = value }
      }
      contents.trees.merge(block.trees) { $1 }
    }
  }

  func value(_ namespace: Namespace, _ key: [UInt8]) -> [UInt8]? { contents.withLock { $0.values[namespace]?[key] } }

  func range(_ namespace: Namespace, prefix: [UInt8], after: [UInt8], limit: Int) -> [StateEntry] {
    contents.withLock { contents in
      let entries = (contents.values[namespace] ?? [:]).filter {
        $0.key.starts(with: prefix) && after.lexicographicallyPrecedes($0.key)
      }
      return Array(
        entries.map { StateEntry(key: $0.key, value: $0.value) }
          .sorted { $0.key.lexicographicallyPrecedes($1.key) }.prefix(limit))
    }
  }

  func trees() -> [Namespace: StateTree] { contents.withLock(\.trees) }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// The code of the ledger error that the body throws.
func refusal(_ body: () throws -> Void) -> String? {
  do {
    try body()
    return nil
  } catch let error as LedgerError {
    return error.code
  } catch {
    return "\(error)"
  }
}
