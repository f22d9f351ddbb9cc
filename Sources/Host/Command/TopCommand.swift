import ArgumentParser
import Glibc

/// `symbolon top`: what the methods of the running node do now.
struct Top: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top", abstract: "Watch calls, errors and latencies of every method.",
    discussion: """
      In a terminal the table is drawn again every interval, until Ctrl-C; CALLS/S, P50 and P99 are those of the last
      interval. Otherwise, and with --once, one table is printed, and the percentiles are those since the start.
      """)

  @Flag(help: "Print one table and end.")
  var once = false

  @Option(help: "Seconds between two tables, from 0.2 to 3600.")
  var interval = 2.0

  @Flag(help: "Show methods that were never called, too.")
  var all = false

  @OptionGroup var node: NodeOptions

  func run() {
    Terminal.run(json: node.json) { () throws(HostError) in
      guard (0.2...3600).contains(interval) else {
        throw .invalid("bad_interval", "--interval is a number of seconds from 0.2 to 3600.")
      }
      let client = try node.client()
      let first = try Self.read(client)
      if once || node.json || isatty(STDOUT_FILENO) == 0 {
        let report = TopReport(first, since: nil, all: all || node.json)
        return print(node.json ? report.json.text : report.table(width: 80, height: nil))
      }
      try watch(client, first)
    }
  }

  private func watch(_ client: ControlClient, _ first: TopReading) throws(HostError) {
    var before: TopReading?
    var now = first
    while true {
      let size = Terminal.size
      let table = TopReport(now, since: before, all: all).table(
        width: min(max(size.columns, 40), 80), height: size.rows)
      // Home, each line cleared to its end, and what is below cleared: no flicker.
      let lines = table.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\u{1b}[K\n")
      print("\u{1b}[H\(before == nil ? "\u{1b}[2J" : "")\(lines)\u{1b}[K\u{1b}[J", terminator: "")
      fflush(nil)
      usleep(UInt32(interval * 1_000_000))
      before = now
      now = try Self.read(client)
    }
  }

  private static func read(_ client: ControlClient) throws(HostError) -> TopReading {
    let answer = try client.request("counters")
    return TopReading(
      nanoseconds: answer[key: "monotonic_ns"]?.unsigned ?? 0, uptime: answer[key: "uptime_ms"]?.unsigned ?? 0,
      version: answer[key: "version"]?.string ?? "?",
      methods: (answer[key: "methods"]?.array ?? []).compactMap(MethodCount.init(json:)))
  }
}

/// All counters of a node at one moment.
package struct TopReading {
  package var nanoseconds: UInt64
  package var uptime: UInt64
  package var version: String
  package var methods: [MethodCount]

  package init(nanoseconds: UInt64, uptime: UInt64, version: String, methods: [MethodCount]) {
    (self.nanoseconds, self.uptime, self.version, self.methods) = (nanoseconds, uptime, version, methods)
  }
}

/// What `top` shows of a reading, and of the time since an earlier one.
package struct TopReport {
  /// One method's line.
  package struct Row: Equatable {
    package var method: MethodCount
    /// Calls that ended, a second.
    package var rate: Double
    package var p50: UInt64?
    package var p99: UInt64?
  }

  private let reading: TopReading
  package let rows: [Row]

  /// - Parameter since: an earlier reading; nil: since the start of the node.
  package init(_ reading: TopReading, since earlier: TopReading?, all: Bool) {
    self.reading = reading
    let before = Dictionary(
      (earlier?.methods ?? []).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    let seconds =
      earlier.map { Double(reading.nanoseconds &- $0.nanoseconds) / 1e9 } ?? Double(reading.uptime) / 1000
    rows = reading.methods.filter { all || $0.calls > 0 }.map { method in
      // A node that was started again counts from zero: what went before is none of its time.
      let base = before[method.id].flatMap { $0.calls <= method.calls ? $0.latency : nil }
      let latency = base.map { method.latency.since($0) } ?? method.latency
      return Row(
        method: method, rate: seconds > 0 ? Double(latency.count) / seconds : 0, p50: latency.percentile(0.5),
        p99: latency.percentile(0.99))
    }.sorted { a, b in (a.rate, a.method.calls, b.method.id) > (b.rate, b.method.calls, a.method.id) }
  }

  /// A table for people; `height` lines at most.
  package func table(width: Int, height: Int?) -> String {
    var table = Table()
    table.add("METHOD", least: 12)
    table.add("HOME")
    for name in ["GEN", "CALLS", "ERRORS", "NOW", "CALLS/S", "P50", "P99"] { table.addNumber(name) }
    let news = stateNews.map { String($0.prefix(width)) }
    let room = height.map { max(1, $0 - 4 - news.count) } ?? rows.count
    for row in rows.prefix(room) {
      table.append([
        row.method.id, row.method.home, String(row.method.generation),
        Readable.count(row.method.calls),
        Readable.count(row.method.errors), Readable.count(row.method.inFlight), Readable.rate(row.rate),
        row.p50.map(Readable.duration) ?? "-", row.p99.map(Readable.duration) ?? "-",
      ])
    }
    let running = reading.methods.reduce(0) { $0 + $1.inFlight }
    let head =
      "Symbolon \(reading.version), up \(reading.uptime / 1000) s; \(reading.methods.count) methods, \(running) calls run now"
    return ([String(head.prefix(width))] + news).joined(separator: "\n") + "\n\n"
      + (rows.isEmpty ? "No method was called yet; --all lists them." : table.text(width: width))
      + (rows.count > room ? "\n… and \(rows.count - room) more" : "")
  }

  /// Plugins of which more is to say than that they serve, one line in all.
  private var stateNews: [String] {
    var states: [String: String] = [:]
    for method in reading.methods where !["running", "permanent"].contains(method.state) {
      states[method.plugin] = method.state
    }
    guard !states.isEmpty else { return [] }
    return [states.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")]
  }

  package var json: JSONValue {
    .object([
      "version": .string(reading.version), "uptime_ms": .unsigned(reading.uptime),
      "methods": .array(
        rows.map { row in
          var members: [String: JSONValue] = [
            "method": .string(row.method.id), "plugin": .string(row.method.plugin), "name": .string(row.method.name),
            "home": .string(row.method.home), "state": .string(row.method.state),
            "generation": .unsigned(row.method.generation),
            "calls": .unsigned(row.method.calls), "errors": .unsigned(row.method.errors),
            "in_flight": .unsigned(row.method.inFlight), "calls_per_second": .number(row.rate),
            "latency": row.method.latency.json,
          ]
          members["p50_ns"] = row.p50.map { .unsigned($0) }
          members["p99_ns"] = row.p99.map { .unsigned($0) }
          return .object(members)
        }),
    ])
  }
}
