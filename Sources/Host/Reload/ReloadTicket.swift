import PluginAPI
import Synchronization

/// What somebody wants replaced, and how.
struct ReloadRequest: Sendable {
  var id: String
  /// Another library than the one that plugins.conf names.
  var library: String?
  /// Keeps the library that a reload put in the place of the configured one.
  var keepsOverride = false
  /// Goes as far as can be gone without opening the library.
  var isDryRun = false
  /// Agrees that there is no way back for the state.
  var isOneWay = false
  /// Lifts the quarantine of the library.
  var isPardon = false
  /// Grants what the library asks for beyond the record, once it serves.
  var isGrant = false
  /// The old one cannot give its state any more.
  var abandonsState = false
  /// The fit with the other plugins has been checked by whoever changes several at once.
  var isChecked = false
  /// Who asked, for the history.
  var by = "operator"
}

/// The receipt for a request: where its transaction is, and how it ended.
final class ReloadTicket: Sendable {
  /// What a caller waits for.
  enum Goal { case serving, end }

  private struct Progress {
    var state: ReloadState?
    var facts: [String: JSONValue] = [:]
    var error: HostError?
    var supersededBy: String?
    var hasEnded = false
  }

  /// Sixteen hexadecimal digits.
  let number = Entropy.bytes(8).hexadecimal
  let request: ReloadRequest
  private let progress = Mutex(Progress())
  private let changed = WaitPoint()

  init(_ request: ReloadRequest) { self.request = request }

  var state: ReloadState? { progress.withLock { $0.state } }
  var error: HostError? { progress.withLock { $0.error } }

  func advance(_ state: ReloadState, _ facts: [String: JSONValue] = [:]) {
    progress.withLock {
      $0.state = state
      $0.facts.merge(facts) { $1 }
    }
    changed.wake()
  }

  func add(_ facts: [String: JSONValue]) { progress.withLock { $0.facts.merge(facts) { $1 } } }

  /// The last word on this request.
  func end(_ state: ReloadState, _ error: HostError? = nil) {
    progress.withLock {
      ($0.state, $0.hasEnded) = (state, true)
      if let error { $0.error = error }
    }
    changed.wake()
  }

  /// A newer request for the same plugin takes its place.
  func supersede(by newer: ReloadTicket) {
    progress.withLock { ($0.supersededBy, $0.hasEnded) = (newer.number, true) }
    changed.wake()
  }

  /// Waits until the goal is reached or cannot be reached any more; false when `seconds` pass first.
  func wait(for goal: Goal, seconds: Int) -> Bool {
    changed.wait(seconds: seconds) {
      progress.withLock { $0.hasEnded || (goal == .serving && $0.state?.serves == true) }
    }
  }

  var json: JSONValue {
    progress.withLock { progress in
      var members = progress.facts
      members["ticket"] = .string(number)
      members["plugin"] = .string(request.id)
      members["state"] = .string(progress.supersededBy == nil ? progress.state?.rawValue ?? "waiting" : "superseded")
      members["superseded_by"] = progress.supersededBy.map { .string($0) }
      members["reason"] = progress.error.map(\.json)
      members["ended"] = .bool(progress.hasEnded)
      return .object(members)
    }
  }
}
