import ArgumentParser
import CCalls
import FoundationEssentials
import Glibc

/// The command `symbolon plugin verify FILE`: the conformance test for authors.
struct VerifyPlugin: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Test whether a plugin keeps the contract.",
    discussion: """
      Each case runs in a process of its own, with arguments that a seed determines, and confined like a worker:
      it reads the library's folder, the system's libraries and what its settings name, and writes a folder that is
      removed afterwards. The plugins that it imports are loaded beside it: those of --with, of --config, and the
      libraries in its own folder. Exit status 0: nothing failed, crashed or timed out.
      """)

  @Argument(help: "The library.")
  var file: String

  @Option(help: ArgumentHelp("Only cases whose name matches.", valueName: "regex"))
  var only: String?

  @Option(help: ArgumentHelp("No cases whose name matches.", valueName: "regex"))
  var skip: String?

  @Option(help: "The seed of all random arguments; printed at the end.")
  var seed: UInt64?

  @Option(help: ArgumentHelp("Repeat one case of a run.", valueName: "case:seed"))
  var reproduce: String?

  @Option(help: ArgumentHelp("How long a case may take.", valueName: "seconds"))
  var timeout: Double = 15

  @Option(help: ArgumentHelp("A library of a plugin that it imports; may be given again.", valueName: "library"))
  var with: [String] = []

  @Option(help: ArgumentHelp("Take settings and libraries from a node's configuration.", valueName: "plugins.conf"))
  var config: String?

  @Option(help: ArgumentHelp("Its settings, instead of none or those of --config.", valueName: "json"))
  var settings: String?

  @Flag(help: "Run the cases in this process, for a debugger.")
  var inProcess = false

  @Flag(help: "Let the plugin's code do all that you may.")
  var noSandbox = false

  @Flag(help: "List the cases and what each means.")
  var list = false

  @Flag(help: "Print JSON.")
  var json = false

  func run() {
    Terminal.run(json: json) { () throws(HostError) in
      var cases = try selected()
      var seed = seed ?? UInt64.random(in: 0...UInt64.max)
      if let reproduce { (cases, seed) = try Self.parse(reproduce) }
      if list { return print(Terminal.table(["CASE", "WHAT HOLDS"], cases.map { [$0.name, $0.summary] })) }
      guard !cases.isEmpty else { throw .invalid("no_cases", "No case matches: `--list` shows them all.") }
      guard timeout > 0, timeout <= 3600 else { throw .invalid("bad_timeout", "--timeout is 0 to 3600 seconds.") }
      let path = try AbsolutePath.of(file)
      guard access(path, R_OK) == 0 else { throw .notFound("no_library", "\(file) cannot be read: build it first.") }
      var run = ConformanceRun(
        path: path, seed: seed, timeoutMs: UInt64(timeout * 1000), isInProcess: inProcess, isConfined: !noSandbox,
        try surroundings(path))
      if !json, !inProcess, !noSandbox, ConformanceRun.kernelConfinesNothing {
        print("Not confined: this kernel offers neither Landlock nor seccomp; the plugin's code has your rights.\n")
        fflush(nil)
      }
      try run.run(cases) { row in if !json { Self.show(row) } }
      if json {
        print(run.json.text)
      } else {
        if let around = run.surroundingsText { print("\n\(around)") }
        print("\n\(run.summary); seed \(run.seed); \(run.confinementText)")
        if let bad = run.rows.first(where: \.report.outcome.isBad) {
          print("Again: symbolon plugin verify \(file) --reproduce \(bad.name):\(run.seed)")
        }
      }
      fflush(nil)
      if !run.isGood { Glibc.exit(1) }
    }
  }

  /// The plugins around it, as the options name them.
  private func surroundings(_ path: String) throws(HostError) -> SurroundingsPlan {
    var plan = SurroundingsPlan()
    plan.folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "/"
    for file in with {
      let other = try AbsolutePath.of(file)
      guard access(other, R_OK) == 0 else { throw .notFound("no_library", "\(file) cannot be read: build it first.") }
      plan.others.append(other)
    }
    if let config {
      let configuration = try Configuration(contentsOf: config)
      let search = LibrarySearch(configuration)
      for plugin in configuration.plugins where plugin.enabled {
        plan.settings[plugin.id] = plugin.settings
        // A library that is not built yet may be one that is not needed.
        plan.libraries[plugin.id] = try? AbsolutePath.of(try search.resolve(plugin.library))
      }
    }
    if let settings {
      let value = try JSONValue(parsing: settings.utf8)
      guard value.object != nil else { throw .invalid("bad_settings", "--settings takes a JSON object.") }
      plan.settings[SurroundingsPlan.subject] = value
    }
    return plan
  }

  private func selected() throws(HostError) -> [ConformanceCase] {
    func matcher(_ text: String?, _ option: String) throws(HostError) -> Regex<AnyRegexOutput>? {
      guard let text else { return nil }
      do { return try Regex(text) } catch {
        throw .invalid("bad_regex", "--\(option) `\(text)` is no regular expression.")
      }
    }
    let (only, skip) = (try matcher(only, "only"), try matcher(skip, "skip"))
    return ConformanceCase.all.filter { one in
      (only.map { one.name.contains($0) } ?? true) && !(skip.map { one.name.contains($0) } ?? false)
    }
  }

  private static func parse(_ text: String) throws(HostError) -> ([ConformanceCase], UInt64) {
    let parts = text.split(separator: ":")
    guard parts.count == 2, let seed = UInt64(parts[1]),
      let one = ConformanceCase.all.first(where: { $0.name == parts[0] })
    else {
      throw .invalid("bad_reproduce", "--reproduce takes CASE:SEED, as a run prints it; `--list` shows the cases.")
    }
    return ([one], seed)
  }

  /// One line a case, and a sentence below it where there is something to say.
  private static func show(_ row: ConformanceRun.Row) {
    let outcome = row.report.outcome
    let name = row.name + String(repeating: " ", count: max(1, 26 - row.name.count))
    let word = outcome.rawValue + String(repeating: " ", count: max(1, 10 - outcome.rawValue.count))
    print("\(word)\(name)\(row.summary)")
    if !row.report.message.isEmpty, outcome != .success { print("          \(row.report.message)") }
    fflush(nil)
  }
}

/// `symbolon verify-case FILE --case NAME --seed N`: the child of one case.
struct VerifyCase: ParsableCommand {
  static let name = "verify-case"
  static let configuration = CommandConfiguration(
    commandName: name, abstract: "Run one case of the conformance test.", shouldDisplay: false)

  @Argument var file: String
  @Option var `case`: String
  @Option var seed: UInt64
  @Option var surroundings: String
  @Flag var confine = false

  func run() {
    let report = CaseProcess.reportFile
    guard fcntl(report, F_GETFD) >= 0, let one = ConformanceCase.all.first(where: { $0.name == `case` }),
      let plan = (try? JSONValue(parsing: surroundings.utf8)).map(SurroundingsPlan.init(json:))
    else {
      StandardError.write("symbolon: this is what `symbolon plugin verify` starts.\n")
      Glibc.exit(2)
    }
    FaultWatch.install(reportingTo: report)
    // A confined process can make no sockets.
    let listener = try? Listener(binding: .anyLoopback)
    symbolon_ticks_prepare()
    let confinement = confine ? Self.confine(file, plan).json : .null
    Self.write(.object(["confinement": confinement]), to: report)
    Self.write(ConformanceRun.perform(one, file, seed, plan, listener: listener).json, to: report)
    // Not exit(): what a plugin registered for the end of a process is none of this case.
    _exit(0)
  }

  /// What a plugin under test gets: its own folder to read, a scratch folder to write, more memory than any case takes.
  private static func confine(_ file: String, _ plan: SurroundingsPlan) -> Confinement {
    let folder = file.lastIndex(of: "/").map { String(file[...$0]) } ?? "."
    let scratch = getenv("TMPDIR").map { [String(cString: $0)] } ?? []
    return Sandbox.confine(read: [folder] + plan.readable, write: scratch, ports: [], memory: 8 << 30)
  }

  private static func write(_ value: JSONValue, to file: Int32) {
    let text = Array((value.text + "\n").utf8)
    _ = text.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
  }
}
