import CCalls
import Synchronization

/// A call that runs now.
struct RunningCall {
  var method: String
  var milliseconds: UInt64
  /// The id of the plugin that calls; empty when the call comes from outside.
  var caller: String

  var description: String {
    "\(method) for \(milliseconds) ms, called \(caller.isEmpty ? "from outside" : "by \(caller)")"
  }
}

extension Generation {
  /// More rows than this are not told apart.
  private static let runningLimit = 1024

  /// The calls that run in this generation, the longest first.
  var runningCalls: [RunningCall] {
    let names = Dictionary(
      uniqueKeysWithValues: methods.map { (UnsafeRawPointer(Unmanaged.passUnretained($1).toOpaque()), $0) })
    return withUnsafeTemporaryAllocation(of: symbolon_running.self, capacity: Self.runningLimit) { rows in
      let count = Int(symbolon_running_list(rows.baseAddress, UInt32(Self.runningLimit)))
      return rows[..<count].compactMap { row -> RunningCall? in
        guard let method = row.method.flatMap({ names[$0] }) else { return nil }
        let caller = withUnsafeBytes(of: row.caller) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return RunningCall(
          method: "\(id).\(method)", milliseconds: symbolon_ticks_since(row.start) / 1_000_000, caller: caller)
      }.sorted { $0.milliseconds > $1.milliseconds }
    }
  }

  /// The calls that run here now, for people.
  var callsInside: String {
    let calls = runningCalls
    let shown = calls.prefix(5).map(\.description).joined(separator: "; ")
    let more = calls.count > 5 ? "; and \(calls.count - 5) more" : ""
    return calls.isEmpty ? "\(running) running" : shown + more
  }
}
