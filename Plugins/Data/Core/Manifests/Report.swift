import Canonical

/// What a look at the real files found.
package struct Report: Equatable, Sendable {
  /// How one file compares with the manifest.
  package enum Finding: Equatable, Sendable {
    case ok
    case missing
    case sizeDiffers(found: UInt64)
    case hashDiffers(found: Digest)
    /// Something that is not looked into: a folder, a device, a link that leaves the folder.
    case refused(String)

    package var word: String {
      switch self {
      case .ok: "ok"
      case .missing: "missing"
      case .sizeDiffers: "size differs"
      case .hashDiffers: "hash differs"
      case .refused: "refused"
      }
    }
  }

  package let dataset: DatasetID
  /// One for each file of the manifest, in its order.
  package let findings: [(path: String, finding: Finding)]

  package static func == (a: Report, b: Report) -> Bool {
    a.dataset == b.dataset && a.findings.elementsEqual(b.findings) { $0.path == $1.path && $0.finding == $1.finding }
  }

  /// How many files are as the manifest says.
  package var filesOK: Int { findings.count { $0.finding == .ok } }

  package var isOK: Bool { filesOK == findings.count }

  /// The part that an attestation records.
  package var summary: StrictJSON {
    .object([
      "dataset": .string(dataset.description), "files": .integer(Int128(findings.count)),
      "files_ok": .integer(Int128(filesOK)),
    ])
  }

  /// Everything, file by file.
  package var json: StrictJSON {
    var members = summary.object ?? [:]
    members["ok"] = .bool(isOK)
    members["findings"] = .array(
      findings.map { path, finding in
        var member: [String: StrictJSON] = ["path": .string(path), "finding": .string(finding.word)]
        switch finding {
        case .ok, .missing: break
        case .sizeDiffers(let found): member["found"] = .integer(Int128(found))
        case .hashDiffers(let found): member["found"] = .string(found.description)
        case .refused(let reason): member["reason"] = .string(reason)
        }
        return .object(member)
      })
    return .object(members)
  }

  /// The first file that is not as it should be, in words.
  package var complaint: String {
    guard let first = findings.first(where: { $0.finding != .ok }) else { return "All files are as the manifest says." }
    let rest = findings.count - filesOK - 1
    let more = rest > 0 ? ", and \(rest) more differ" : ""
    if case .refused(let reason) = first.finding { return "\(first.path): \(reason)\(more)." }
    return "\(first.path): \(first.finding.word)\(more)."
  }
}
