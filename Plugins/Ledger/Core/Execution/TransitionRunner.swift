import Canonical

/// What a name in a transaction turns out to be on this node.
package enum MethodKind: Hashable, Sendable {
  case transition
  case notTransition
  case unknown
}

/// How a layer's method ended, as far as the ledger is concerned.
package enum Run: Sendable {
  /// The method returned: with success or with a refusal that every node reaches alike.
  case finished(Outcome)
  /// The layer is missing, crashed or hung on this node; that is never a transaction's result.
  case unable(LedgerError)
}

/// Runs transitions of other layers: the host in a node, a table of closures in a test.
package protocol TransitionRunner: Sendable {
  func kind(of method: String) throws(LedgerError) -> MethodKind
  /// The hash of the library that runs a method.
  func version(of method: String) throws(LedgerError) -> Digest
  /// Runs on the calling thread; the method reaches the state through `transaction`.
  func run(_ method: String, arguments: [UInt8], in transaction: TransactionContext) -> Run
}

/// No layers but the ledger itself.
package struct NoTransitions: TransitionRunner {
  package init() {}

  package func kind(of method: String) -> MethodKind { .unknown }

  package func version(of method: String) -> Digest { .zero }

  package func run(_ method: String, arguments: [UInt8], in transaction: TransactionContext) -> Run {
    .unable(LedgerError(.unavailable, "layer_unavailable", "No layer provides \(method) on this node."))
  }
}
