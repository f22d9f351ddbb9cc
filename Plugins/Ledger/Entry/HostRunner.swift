import LedgerCore
import PluginKit
import Synchronization

/// Runs other layers' transitions through the host.
struct HostRunner: TransitionRunner {
  private let host: Host
  private let kinds = KindTable()

  init(_ host: Host) { self.host = host }

  func kind(of method: String) throws(LedgerError) -> MethodKind {
    do throws(Failure) {
      return try kinds.kind(of: method, host)
    } catch {
      throw LedgerError(.unavailable, "no_catalog", "The host does not say what runs here: \(error.message)")
    }
  }

  func run(_ method: String, arguments: [UInt8], in transaction: TransactionContext) -> Run {
    do {
      let sender = try transaction.sender().bytes
      let result = try host.withRootCall(origin: .account) { call in
        try host.invoke(
          call,
          Invocation(
            method, encoding: .canonical, arguments: arguments, transaction: (transaction.handle, sender)))
      }
      return .finished(Outcome(result: result))
    } catch let failure as Failure {
      return Self.end(method, failure)
    } catch {
      return .unable(LedgerError(.internal, "layer_failed", "\(method) failed on this node: \(error)"))
    }
  }

  /// A refusal that every node reaches alike is a result; whatever may be this node's own trouble is not.
  private static func end(_ method: String, _ failure: Failure) -> Run {
    switch failure.status {
    case .invalidArgument, .notFound, .alreadyExists, .permissionDenied, .resourceExhausted, .failedPrecondition,
      .aborted, .outOfRange, .unauthenticated:
      .finished(
        Outcome(status: UInt32(failure.status.rawValue), code: failure.code, message: failure.message))
    case .ok, .cancelled, .unknown, .deadlineExceeded, .unimplemented, .internal, .unavailable, .dataLoss:
      .unable(
        LedgerError(
          .unavailable, "layer_unavailable",
          "\(method) could not run on this node, so the transaction was not taken: \(failure.message) (\(failure.code))"
        ))
    }
  }
}

/// Which methods are transitions, as of the catalog's last revision.
private final class KindTable: Sendable {
  private struct Contents {
    var revision: UInt64?
    var kinds: [String: MethodKind] = [:]
  }

  private struct Catalog: Decodable {
    struct Plugin: Decodable {
      let id: String
      let methods: [Method]
    }
    struct Method: Decodable {
      let name: String
      let flags: [String]
    }
    let plugins: [Plugin]
  }

  private let contents = Mutex(Contents())

  func kind(of method: String, _ host: Host) throws(Failure) -> MethodKind {
    let revision = try host.catalogRevision()
    if let known = contents.withLock({ $0.revision == revision ? $0.kinds[method] ?? .unknown : nil }) { return known }
    // Read outside the lock: the host may call back.
    let catalog = try host.catalog().decode(Catalog.self)
    var kinds: [String: MethodKind] = [:]
    for plugin in catalog.plugins {
      for method in plugin.methods {
        kinds["\(plugin.id).\(method.name)"] = method.flags.contains("transition") ? .transition : .notTransition
      }
    }
    contents.withLock { $0 = Contents(revision: revision, kinds: kinds) }
    return kinds[method] ?? .unknown
  }
}

/// The node's identity as a signer.
struct HostSigner: Signer {
  let account: AccountID
  private let host: Host

  init(_ host: Host) throws {
    let key = try host.publicKey()
    guard let account = AccountID(key) else {
      throw Failure(.internal, "invalid_identity", "The host's identity is not an Ed25519 key of 32 bytes.")
    }
    self.account = account
    self.host = host
  }

  func sign(_ message: [UInt8]) throws -> [UInt8] { try host.sign(message) }
}
