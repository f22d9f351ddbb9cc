import CCalls
import FoundationEssentials
import Glibc

/// All cases against one library.
struct ConformanceRun {
  struct Row {
    var name: String
    var summary: String
    var report: CaseProcess.Report
  }

  let path: String
  let seed: UInt64
  let timeoutMs: UInt64
  /// For debuggers: no children.
  let isInProcess: Bool
  /// Whether children take from themselves what a worker may not do.
  let isConfined: Bool
  /// The plugins around it.
  let plan: SurroundingsPlan
  /// Versions of the plugins that it imports and that were there, and why others were not.
  private(set) var surroundings: JSONValue = .object([:])
  /// What the kernel held the cases to; nil when none was confined.
  private(set) var confinement: Confinement?

  private(set) var rows: [Row] = []

  init(
    path: String, seed: UInt64, timeoutMs: UInt64, isInProcess: Bool, isConfined: Bool, _ plan: SurroundingsPlan
  ) {
    (self.path, self.seed, self.timeoutMs, self.isInProcess) = (path, seed, timeoutMs, isInProcess)
    self.isConfined = isConfined
    self.plan = plan
  }

  /// Runs these cases in order; `observe` sees each result.
  mutating func run(_ cases: [ConformanceCase], observe: (Row) -> Void) throws(HostError) {
    var useless: Set<String> = []
    for one in cases {
      let report: CaseProcess.Report
      if let needed = one.needs, useless.contains(needed) {
        useless.insert(one.name)
        report = CaseProcess.Report(outcome: .skipped, message: "It says nothing without \(needed).")
      } else if isInProcess {
        report = Self.perform(one, path, seed, plan, listener: try? Listener(binding: .anyLoopback))
      } else {
        let process = CaseProcess(
          path: path, name: one.name, seed: seed, timeoutMs: timeoutMs, isConfined: isConfined, plan: plan)
        report = try process.run()
        confinement = confinement ?? report.confinement
      }
      if let found = report.surroundings { surroundings = found }
      if report.outcome.isBad { useless.insert(one.name) }
      let row = Row(name: one.name, summary: one.summary, report: report)
      rows.append(row)
      observe(row)
    }
  }

  /// Asks one question in this process.
  static func perform(
    _ one: ConformanceCase, _ path: String, _ seed: UInt64, _ plan: SurroundingsPlan, listener: Listener?
  ) -> CaseProcess.Report {
    let context = CaseContext(path: path, seed: seed, plan, listener: listener)
    defer { context.end() }
    let verdict: Verdict
    do throws(CaseEnd) { verdict = try one.run(context) } catch { verdict = error.verdict }
    var report = CaseProcess.Report(verdict)
    report.surroundings = context.surroundings?.json
    return report
  }

  func count(_ outcome: Outcome) -> Int { rows.count { $0.report.outcome == outcome } }

  var isGood: Bool { rows.allSatisfy { !$0.report.outcome.isBad } }

  /// For example "61 success, 2 warning, 9 skipped".
  var summary: String {
    Outcome.allCases.filter { count($0) > 0 }.map { "\(count($0)) \($0.rawValue)" }.joined(separator: ", ")
  }

  /// Who was there, for people; nil when it imports nothing.
  var surroundingsText: String? {
    let there = (surroundings[key: "present"]?.object ?? [:]).sorted { $0.key < $1.key }
      .map { "\($0.key) \($0.value.string ?? "")" }
    let gone = (surroundings[key: "missing"]?.object ?? [:]).sorted { $0.key < $1.key }
      .map { "`\($0.key)` was not there: \($0.value.string ?? "")" }
    let lines = (there.isEmpty ? [] : ["With \(there.joined(separator: ", "))."]) + gone
    return lines.isEmpty ? nil : lines.joined(separator: "\n")
  }

  /// True when no case is held to anything though it was meant to be.
  static var kernelConfinesNothing: Bool { symbolon_machine_landlock() == 0 && symbolon_machine_seccomp() == 0 }

  /// Whose rights the plugin's code had.
  var confinementText: String {
    guard !isInProcess, isConfined else { return "not confined: the plugin's code ran with your rights" }
    guard let words = confinement?.words, !words.isEmpty else {
      return "not confined: this kernel offers neither Landlock nor seccomp"
    }
    return "confined: \(words)"
  }

  var json: JSONValue {
    .object([
      "confinement": confinement?.json ?? .null,
      "confined": .bool(!isInProcess && isConfined && confinement.map { !$0.words.isEmpty } ?? false),
      "kernel": .object([
        "landlock_abi": .integer(Int64(symbolon_machine_landlock())),
        "seccomp": .bool(symbolon_machine_seccomp() == 1),
      ]),
      "with": surroundings,
      "file": .string(path), "seed": .unsigned(seed), "ok": .bool(isGood),
      "summary": .object(
        Dictionary(uniqueKeysWithValues: Outcome.allCases.map { ($0.rawValue, .unsigned(UInt64(count($0)))) })),
      "cases": .array(
        rows.map {
          .object([
            "name": .string($0.name), "summary": .string($0.summary), "outcome": .string($0.report.outcome.rawValue),
            "message": .string($0.report.message), "ms": .unsigned($0.report.milliseconds),
            "reproduce": .string("\($0.name):\(seed)"),
          ])
        }),
    ])
  }
}
