import GovernanceCore
import PluginKit
import Synchronization

/// Checks and makes the calls of proposals on this node.
struct NodeActions: ActionHost {
  let host: Host
  let call: Call
  let transitions: TransitionTable

  func check(_ action: Action) throws {
    let name = action.method
    switch try transitions.isTransition(name, host) {
    case true?: break
    case false?:
      throw Failure(
        .invalidArgument, "not_a_transition",
        "\(name) changes nothing on the ledger, so no proposal can do it: "
          + "`symbolon \(name.prefix { $0 != "." }) --help` lists what that layer does.")
    case nil:
      throw Failure(
        .invalidArgument, "unknown_method", "There is no method \(name) here: `symbolon --help` lists what there is.")
    }
    do throws(Failure) {
      _ = try host.encode(call, name, JSON(text: action.arguments))
    } catch {
      throw Failure(error.status, error.code, "The arguments of \(name) do not fit: \(error.message)")
    }
  }

  func run(_ action: Action) throws {
    do {
      // Without a sender: a proposal acts for the community, never for the account that happens to execute it.
      _ = try host.invoke(
        call,
        Invocation(
          action.method, encoding: .json, arguments: Array(action.arguments.utf8),
          transaction: (handle: call.transaction, sender: nil)))
    } catch let failure as Failure {
      // The status stays: what may be this node's own trouble must not become the transaction's result.
      throw Failure(
        failure.status, failure.code, "Nothing was changed, because \(action.method) failed: \(failure.message)")
    }
  }
}

/// Which methods are transitions, as of the catalog's last revision.
final class TransitionTable: Sendable {
  private struct Contents {
    var revision: UInt64?
    var isTransition: [String: Bool] = [:]
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

  /// Nil for a method that nobody offers.
  func isTransition(_ name: String, _ host: Host) throws -> Bool? {
    let revision = try host.catalogRevision()
    if let known = contents.withLock({ $0.revision == revision ? $0 : nil }) { return known.isTransition[name] }
    // Read outside the lock: the host may call back.
    let catalog = try host.catalog().decode(Catalog.self)
    var table: [String: Bool] = [:]
    for plugin in catalog.plugins {
      for method in plugin.methods { table["\(plugin.id).\(method.name)"] = method.flags.contains("transition") }
    }
    let fresh = Contents(revision: revision, isTransition: table)
    contents.withLock { $0 = fresh }
    return fresh.isTransition[name]
  }
}
