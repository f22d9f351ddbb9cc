import Canonical
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

  func version(of method: String) throws(LedgerError) -> Digest {
    do throws(Failure) {
      return try kinds.library(of: String(method.prefix { $0 != "." }), host)
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

/// Which methods are transitions and whose libraries they are of, as of the catalog's last revision.
private final class KindTable: Sendable {
  private struct Contents {
    var revision: UInt64?
    var kinds: [String: MethodKind] = [:]
    var libraries: [String: Digest] = [:]
  }

  private struct Catalog: Decodable {
    struct Plugin: Decodable {
      let id: String
      let library: String
      let methods: [Method]

      enum CodingKeys: String, CodingKey {
        case id, methods
        case library = "library_sha256"
      }
    }
    struct Method: Decodable {
      let name: String
      let flags: [String]
    }
    let plugins: [Plugin]
  }

  private let contents = Mutex(Contents())

  func kind(of method: String, _ host: Host) throws(Failure) -> MethodKind {
    try read(host) { $0.kinds[method] ?? .unknown }
  }

  /// The hash of the library that a layer's calls reach.
  func library(of layer: String, _ host: Host) throws(Failure) -> Digest {
    try read(host) { $0.libraries[layer] ?? .zero }
  }

  private func read<Value: Sendable>(
    _ host: Host, _ value: @Sendable (Contents) -> Value
  ) throws(Failure) -> Value {
    let revision = try host.catalogRevision()
    if let known = contents.withLock({ $0.revision == revision ? value($0) : nil }) { return known }
    // Read outside the lock: the host may call back.
    let catalog = try host.catalog().decode(Catalog.self)
    var kinds: [String: MethodKind] = [:]
    var libraries: [String: Digest] = [:]
    for plugin in catalog.plugins {
      libraries[plugin.id] = octets(hexadecimal: plugin.library).flatMap { Digest(bytes: $0) }
      for method in plugin.methods {
        kinds["\(plugin.id).\(method.name)"] = method.flags.contains("transition") ? .transition : .notTransition
      }
    }
    let fresh = Contents(revision: revision, kinds: kinds, libraries: libraries)
    contents.withLock { $0 = fresh }
    return value(fresh)
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
