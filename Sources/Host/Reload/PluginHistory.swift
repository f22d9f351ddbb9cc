import FoundationEssentials
import Glibc
import Synchronization

/// What happened to each plugin's libraries, and why: one line of JSON an event in `<data>/history/<id>.jsonl`.
///
/// A line is on the disk before what it tells takes effect elsewhere, so that a start after a crash finds out which
/// library is to run. Which library was permanent last, and which hashes are quarantined, follow from the lines.
package final class PluginHistory: @unchecked Sendable {  // Proof: what changes is behind the mutex.
  /// One step of one library.
  package struct Event: Equatable, Sendable {
    /// UTC, ISO 8601; set when the event is recorded.
    package var time = ""
    /// The library, its place in the store and the version that it gave itself.
    package var sha256: String
    package var path: String
    package var version: String
    package var generation: UInt64
    /// The state that it came from; nil at its first event.
    package var from: ReloadState?
    package var to: ReloadState
    /// A sentence; empty when the step needs none.
    package var reason: String
    /// The request that led to it; empty when none did.
    package var ticket: String
    /// Who asked: `operator`, `start`, `configuration`, `probation`, `supervisor`.
    package var by: String
    /// What plugins.conf named when this library began to serve: the choice holds until that file changes.
    package var configured = ""

    package init(
      sha256: String, path: String, version: String = "", generation: UInt64 = 0, from: ReloadState? = nil,
      to: ReloadState, reason: String = "", ticket: String = "", by: String
    ) {
      (self.sha256, self.path, self.version, self.generation) = (sha256, path, version, generation)
      (self.from, self.to, self.reason, self.ticket, self.by) = (from, to, reason, ticket, by)
    }

    var entry: LibraryStore.Entry { LibraryStore.Entry(sha256: sha256, path: path) }
  }

  /// A file with more events than this is cut to what still matters and the newest half.
  package static let limit = 400
  private let folder: String
  private let events: Mutex<[String: [Event]]>

  /// Reads what is there; the folder is made with the first event.
  package init(folder: String) {
    self.folder = folder
    var found: [String: [Event]] = [:]
    for file in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where file.hasSuffix(".jsonl") {
      found[String(file.dropLast(6))] = Self.read("\(folder)/\(file)")
    }
    events = Mutex(found)
  }

  // MARK: Writing

  /// Adds an event; it is on the disk when this returns, or written and no more when it is not to be synced.
  package func record(_ id: String, _ event: Event, synced: Bool = true) throws(HostError) {
    var event = event
    event.time = Date.now.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true))
    try events.withLock { events throws(HostError) in
      try append(event, to: id, synced: synced)
      events[id, default: []].append(event)
      if synced, let all = events[id], all.count > Self.limit {
        let kept = Self.rotated(all)
        try replace(id, with: kept)
        events[id] = kept
      }
    }
  }

  /// Forbids a library to run again, whichever plugin it belongs to.
  package func quarantine(_ id: String, sha256: String, reason: String, by: String = "supervisor") throws(HostError) {
    let last = entries(id).last { $0.sha256 == sha256 }
    try record(
      id,
      Event(
        sha256: sha256, path: last?.path ?? "", version: last?.version ?? "", generation: last?.generation ?? 0,
        from: last?.to, to: .quarantined, reason: reason, by: by))
  }

  // MARK: Reading

  /// All events of a plugin that are kept, oldest first.
  package func entries(_ id: String) -> [Event] { events.withLock { $0[id] ?? [] } }

  /// Why this library may not run; nil when it may.
  package func quarantined(_ sha256: String) -> String? {
    events.withLock { events in
      for list in events.values {
        let last = list.last { $0.sha256 == sha256 && ($0.to == .quarantined || $0.to == .pardoned) }
        if let last, last.to == .quarantined { return last.reason }
      }
      return nil
    }
  }

  /// The library that was permanent last and may still run; `other` names a hash that is not meant.
  package func permanent(_ id: String, otherThan other: String? = nil) -> LibraryStore.Entry? {
    entries(id).reversed().first { event in
      event.to == .permanent && event.sha256 != other && quarantined(event.sha256) == nil
    }?.entry
  }

  /// The libraries that may be needed again: those that serve and are configured, and of each plugin the last three that
  /// were permanent and the last three of which anything is told.
  package func needed() -> Set<String> {
    let lists = events.withLock { $0 }
    var hashes: Set<String> = []
    for (id, list) in lists {
      if let event = serving(id) { hashes.formUnion([event.sha256, event.configured]) }
      hashes.formUnion(Self.lastThree(list))
      hashes.formUnion(Self.lastThree(list.filter { $0.to == .permanent }))
    }
    return hashes
  }

  private static func lastThree(_ events: [Event]) -> Set<String> {
    var hashes: Set<String> = []
    for event in events.reversed() where hashes.count < 3 { hashes.insert(event.sha256) }
    return hashes
  }

  /// The library that served last, also when the node has ended since; nil after it was taken out.
  package func serving(_ id: String) -> Event? {
    let last = entries(id).last { $0.to.serves || $0.to == .stopped }
    return last?.to == .stopped ? nil : last
  }

  // MARK: The file

  /// Brings to the disk what was recorded without.
  package func sync(_ id: String) throws(HostError) {
    let path = "\(folder)/\(id).jsonl"
    let file = open(path, O_RDWR | O_CLOEXEC)
    guard file >= 0 else { throw Self.failure(path) }
    defer { close(file) }
    guard fdatasync(file) == 0 else { throw Self.failure(path) }
    syncFolder(folder)
  }

  private func append(_ event: Event, to id: String, synced: Bool) throws(HostError) {
    try makeFolder(folder, mode: 0o700)
    let path = "\(folder)/\(id).jsonl"
    let file = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw Self.failure(path) }
    defer { close(file) }
    // A crash may have torn the last line: the next one begins on a line of its own.
    var last = UInt8(ascii: "\n")
    let size = lseek(file, 0, SEEK_END)
    if size > 0 { _ = pread(file, &last, 1, size - 1) }
    let line = (last == UInt8(ascii: "\n") ? "" : "\n") + event.json.text + "\n"
    let bytes = Array(line.utf8)
    guard write(file, bytes, bytes.count) == bytes.count, !synced || fdatasync(file) == 0 else {
      throw Self.failure(path)
    }
    if size == 0, synced { syncFolder(folder) }
  }

  private func replace(_ id: String, with events: [Event]) throws(HostError) {
    let text = events.map { $0.json.text + "\n" }.joined()
    try PrivateFile.write(Array(text.utf8), to: "\(folder)/\(id).jsonl")
    syncFolder(folder)
  }

  /// The newest half, and of the older ones what still decides something.
  private static func rotated(_ all: [Event]) -> [Event] {
    let newest = all.suffix(limit / 2)
    var decisive: [Event] = []
    var judged: Set<String> = []
    var permanents: Set<String> = []
    for event in all.dropLast(newest.count).reversed() {
      switch event.to {
      case .quarantined, .pardoned: if judged.insert(event.sha256).inserted { decisive.append(event) }
      case .permanent:
        if permanents.count < 8, permanents.insert(event.sha256).inserted { decisive.append(event) }
      default: break
      }
    }
    return decisive.prefix(limit / 4).reversed() + newest
  }

  private static func read(_ path: String) -> [Event] {
    guard let bytes = try? Data(contentsOf: URL(filePath: path)) else { return [] }
    return bytes.split(separator: UInt8(ascii: "\n")).compactMap { line in
      (try? JSONValue(parsing: line)).flatMap(Event.init(json:))
    }
  }

  private static func failure(_ path: String) -> HostError {
    .system("no_history", "\(path) cannot be written: \(systemMessage()). Nothing was changed.")
  }
}

extension PluginHistory.Event {
  package var json: JSONValue {
    .object([
      "time": .string(time), "sha256": .string(sha256), "path": .string(path), "version": .string(version),
      "generation": .unsigned(generation), "from": from.map { .string($0.rawValue) } ?? .null,
      "to": .string(to.rawValue), "reason": .string(reason), "ticket": .string(ticket), "by": .string(by),
      "configured": .string(configured),
    ])
  }

  /// Nil for a line that a crash tore.
  package init?(json: JSONValue) {
    guard let sha256 = json[key: "sha256"]?.string, let path = json[key: "path"]?.string,
      let to = json[key: "to"]?.string.flatMap(ReloadState.init)
    else { return nil }
    self.init(
      sha256: sha256, path: path, version: json[key: "version"]?.string ?? "",
      generation: json[key: "generation"]?.unsigned ?? 0, from: json[key: "from"]?.string.flatMap(ReloadState.init),
      to: to, reason: json[key: "reason"]?.string ?? "", ticket: json[key: "ticket"]?.string ?? "",
      by: json[key: "by"]?.string ?? "")
    time = json[key: "time"]?.string ?? ""
    configured = json[key: "configured"]?.string ?? ""
  }
}

/// Makes the names in a folder as durable as the files behind them.
func syncFolder(_ path: String) {
  let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard folder >= 0 else { return }
  fsync(folder)
  close(folder)
}
