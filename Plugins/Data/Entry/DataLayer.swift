import Canonical
import DataCore
import PluginKit

/// The layer as the host holds it: it keeps nothing of its own, all state is the ledger's.
final class DataLayer: Sendable {
  private let host: Host

  init(_ host: Host) { self.host = host }

  // MARK: Transitions

  func nominate(_ call: Call, _ manifest: JSON) throws -> [UInt8] {
    try answering { try Curation(CallState(call)).nominate(manifest: manifest.text).digest.bytes }
  }

  func attest(_ call: Call, _ dataset: [UInt8], _ report: JSON) throws {
    try answering { try Curation(CallState(call)).attest(try DatasetID(dataset), report: report.text) }
  }

  func review(_ call: Call, _ dataset: [UInt8], _ score: UInt32, _ textHash: [UInt8]) throws {
    try answering { try Curation(CallState(call)).review(try DatasetID(dataset), score: score, textHash: textHash) }
  }

  func vote(_ call: Call, _ dataset: [UInt8], _ choice: String) throws {
    try answering { try Curation(CallState(call)).vote(try DatasetID(dataset), try Choice(choice)) }
  }

  func setRules(_ call: Call, _ votingBlocks: UInt64, _ quorumMilli: UInt32) throws {
    try answering {
      try Curation(CallState(call)).set(try Rules(votingBlocks: votingBlocks, quorumMilli: quorumMilli))
    }
  }

  // MARK: Views

  func list(_ call: Call, _ state: String, _ cursor: String, _ limit: UInt32) throws -> JSON {
    try answering {
      JSON(text: try Curation(CallState(call)).list(state: state, cursor: cursor, limit: limit).text)
    }
  }

  func show(_ call: Call, _ dataset: [UInt8]) throws -> JSON {
    try answering { JSON(text: try Curation(CallState(call)).show(try DatasetID(dataset)).text) }
  }

  // MARK: The operator's disk

  func check(_ call: Call, _ manifest: JSON, _ folder: String) throws -> JSON {
    try answering { JSON(text: try look(call, try Manifest(json: manifest.text), folder).json.text) }
  }

  /// Checks the files, nominates the dataset unless it is already, and vouches for the files.
  func submit(_ call: Call, _ manifest: JSON, _ folder: String) throws -> JSON {
    try answering {
      let report = try look(call, try Manifest(json: manifest.text), folder)
      guard report.isOK else {
        throw DataError(
          .failedPrecondition, "files_differ",
          "Nothing was nominated: \(report.filesOK) of \(report.findings.count) files are as the manifest says. "
            + "\(report.complaint)")
      }
      var members = report.summary.object ?? [:]
      let nomination = try act(call, "nominate", ["manifest": try StrictJSON(manifest.text, limit: Manifest.limit)])
      if nomination.code != "dataset_exists" { members["nominated"] = try accepted(nomination) }
      let attestation = try act(
        call, "attest", ["dataset": .string(report.dataset.description), "report": report.summary])
      members["attested"] = try accepted(attestation)
      return JSON(text: StrictJSON.object(members).text)
    }
  }

  private func act(_ call: Call, _ method: String, _ arguments: [String: StrictJSON]) throws -> LedgerReceipt {
    try ledgerAct(call, "data.\(method)", JSON(text: StrictJSON.object(arguments).text))
  }

  /// The transaction's id, unless it was refused.
  private func accepted(_ receipt: LedgerReceipt) throws -> StrictJSON {
    guard receipt.status == 0 else {
      throw Failure(
        Status(rawValue: receipt.status) ?? .unknown, receipt.code ?? "refused",
        receipt.message ?? "The ledger refused the transaction.")
    }
    return .object(["transaction": .string(receipt.transaction), "height": .integer(Int128(receipt.height))])
  }

  private func look(_ call: Call, _ manifest: Manifest, _ folder: String) throws -> Report {
    // Names of files on this machine are the operator's alone.
    guard call.origin == .operator else {
      throw DataError(
        .permissionDenied, "operator_only", "Files are checked by the operator of a node: use the command line there.")
    }
    let log = host.log
    let check = try FolderCheck(folder: folder, isCancelled: { call.isCancelled }) { done, total, path in
      log.info("Checking files", ["file": path, "done_bytes": "\(done)", "total_bytes": "\(total)"])
    }
    return try check.run(manifest)
  }
}

/// Runs the layer's work for a caller: what it refuses becomes the contract's failure.
private func answering<R>(_ body: () throws -> R) throws -> R {
  do {
    return try body()
  } catch let error as DataError {
    throw Failure(status(of: error.kind), error.code, error.message)
  }
}

private func status(of kind: DataError.Kind) -> Status {
  switch kind {
  case .invalidArgument: .invalidArgument
  case .notFound: .notFound
  case .alreadyExists: .alreadyExists
  case .permissionDenied: .permissionDenied
  case .failedPrecondition: .failedPrecondition
  case .cancelled: .cancelled
  case .dataLoss: .dataLoss
  }
}
