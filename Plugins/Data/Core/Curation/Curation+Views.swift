import Canonical

extension Curation {
  /// One dataset with its manifest, its reviews and where it stands.
  package func show(_ id: DatasetID) throws -> StrictJSON {
    let nomination = try find(id)
    let height = try state.height()
    var members = try summary(id, nomination, at: height)
    members["manifest"] = try Manifest(try state.get(Key.manifest(id)) ?? []).json
    members["nominator"] = .string(nomination.nominator.description)
    members["height"] = .integer(Int128(height.value))
    members["round"] = .integer(Int128(nomination.round))
    members["eligible"] = .integer(Int128(nomination.eligible))
    members["quorum"] = .integer(Int128(Tally.quorum(nomination.rules, eligible: nomination.eligible)))
    members["next"] = .string(next(id, nomination, at: height))
    members["checked_by"] = .array(
      try parts(.attestation, id, nomination).map { .string(hexadecimal($0.account)) })
    members["reviews"] = try reviews(id, nomination)
    return .object(members)
  }

  /// Datasets, the newest first, in one state or in all.
  package func list(state wanted: String, cursor: String, limit: UInt32) throws -> StrictJSON {
    guard wanted.isEmpty || Nomination.Phase(rawValue: wanted) != nil else {
      let states = Nomination.Phase.allCases.map(\.rawValue).joined(separator: ", ")
      throw DataError(.invalidArgument, "invalid_state", "`state` is one of \(states), or empty for all.")
    }
    guard var after = octets(hexadecimal: cursor), [0, 9].contains(after.count) else {
      throw DataError(
        .invalidArgument, "invalid_cursor", "`cursor` is the `next` of the page before; leave it out to begin.")
    }
    let height = try state.height()
    let limit = Int(min(max(limit, 1), 200))
    var entries: [StrictJSON] = []
    var examined = 0
    while true {
      let batch = try state.range(prefix: Key.catalogue, after: after, limit: limit)
      for entry in batch {
        after = entry.key
        examined += 1
        let id = try DatasetID(entry.value)
        let nomination = try find(id)
        if wanted.isEmpty || nomination.phase(at: height).rawValue == wanted {
          entries.append(.object(try summary(id, nomination, at: height)))
        }
        if entries.count == limit || examined >= 2000 { return page(entries, next: hexadecimal(after)) }
      }
      if batch.count < limit { return page(entries, next: "") }
    }
  }

  private func page(_ entries: [StrictJSON], next: String) -> StrictJSON {
    .object(["entries": .array(entries), "next": .string(next)])
  }

  private func summary(_ id: DatasetID, _ nomination: Nomination, at height: Height) throws -> [String: StrictJSON] {
    let manifest = try Manifest(try state.get(Key.manifest(id)) ?? [])
    var members: [String: StrictJSON] = [
      "dataset": .string(id.description), "name": .string(manifest.name), "version": .string(manifest.version),
      "licence": .string(manifest.licence), "files": .integer(Int128(manifest.files.count)),
      "size": .integer(Int128(manifest.size)), "state": .string(nomination.phase(at: height).rawValue),
      "published": .integer(Int128(nomination.height.value)), "closes": .integer(Int128(nomination.closes.value)),
      "attestations": .integer(Int128(nomination.attestations)),
      "tally": .object([
        "accept": .integer(Int128(nomination.tally.accept)), "refuse": .integer(Int128(nomination.tally.refuse)),
      ]),
    ]
    if let settled = nomination.settled { members["decided"] = .integer(Int128(settled.value)) }
    return members
  }

  private func next(_ id: DatasetID, _ nomination: Nomination, at height: Height) -> String {
    switch nomination.phase(at: height) {
    case .nominated where nomination.attestations == 0:
      "Check the files (`symbolon data check`) and vouch for them: `symbolon data attest --dataset \(id) --report …`."
    case .nominated:
      "Vote before block \(nomination.closes), in \(height.blocks(until: nomination.closes)) blocks: "
        + "`symbolon data vote --dataset \(id) --choice accept|refuse`."
    case .accepted: "It may be used."
    case .refused: "It is not used; a better version is a new manifest."
    case .lapsed: "Too few voted; it may be nominated again."
    }
  }

  private func reviews(_ id: DatasetID, _ nomination: Nomination) throws -> StrictJSON {
    let reviews = try parts(.review, id, nomination).map { ($0.account, try Review($0.value)) }
    let scores = reviews.map(\.1.score).sorted()
    var members: [String: StrictJSON] = [
      "count": .integer(Int128(scores.count)),
      "entries": .array(
        reviews.map { account, review in
          .object([
            "reviewer": .string(hexadecimal(account)), "score": .integer(Int128(review.score)),
            "text_hash": .string(review.text.description), "height": .integer(Int128(review.height.value)),
          ])
        }),
    ]
    if !scores.isEmpty {
      let middle = scores.count / 2
      let median = scores.count.isMultiple(of: 2) ? (scores[middle - 1] + scores[middle]) / 2 : scores[middle]
      members["median"] = .integer(Int128(median))
    }
    return .object(members)
  }

  private func parts(
    _ kind: Key.Part, _ id: DatasetID, _ nomination: Nomination
  ) throws -> [(account: [UInt8], value: [UInt8])] {
    let prefix = Key.part(kind, of: id, round: nomination.round)
    return try state.range(prefix: prefix, after: [], limit: 1000).map {
      (Array($0.key.dropFirst(prefix.count)), $0.value)
    }
  }
}
