/// Where a library is on its way into service; the names are the same in the history, in answers and in the log.
package enum ReloadState: String, CaseIterable, Sendable {
  /// Copied into the store.
  case staged
  /// Its hash, the operator's pin, its fit with the other plugins and the way of its state are right.
  case verified
  /// A child process said what it is.
  case described
  /// Opened in its home.
  case loaded
  /// Made; the old one still serves everything.
  case ready
  /// Calls wait, and those that run come to their end.
  case draining
  /// The old one's state is written to a snapshot and read by the new one.
  case migrating
  /// The new one's state is compared with the snapshot, and the new one starts.
  case shadow
  /// It serves, and the old one is kept warm.
  case probation
  /// It serves, and a later failure comes back to it.
  case permanent
  /// It never served: what went before it serves on.
  case rejected
  /// It served, and what went before it serves again.
  case rolledBack = "rolled_back"
  /// It may not run again until an operator says so.
  case quarantined
  /// The operator lifted the quarantine.
  case pardoned
  /// It was taken out of service.
  case stopped

  /// True once calls reach it.
  package var serves: Bool { self == .probation || self == .permanent }
  /// True when nothing more happens to it by itself.
  package var isFinal: Bool {
    switch self {
    case .permanent, .rejected, .rolledBack, .quarantined, .pardoned, .stopped: true
    default: false
    }
  }
}
