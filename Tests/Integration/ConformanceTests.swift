import Foundation
import Testing

/// `symbolon plugin verify`: right plugins pass, and each broken one is caught by the case that is about its fault.
@Suite struct ConformanceTests {
  private struct Report: Decodable {
    struct Case: Decodable {
      var name: String
      var outcome: String
      var message: String
    }
    struct Around: Decodable {
      var present: [String: String]?
      var missing: [String: String]?
    }
    struct Kernel: Decodable {
      var landlock_abi: Int
      var seccomp: Bool
    }
    var ok: Bool
    var seed: UInt64
    var confined: Bool
    var kernel: Kernel
    var with: Around
    var cases: [Case]
  }

  private static let symbolon = "\(RunningNode.binaries)/symbolon"

  private func verify(_ library: String, _ options: String...) throws -> (status: Int32, report: Report) {
    let result = try RunningNode.run([Self.symbolon, "plugin", "verify", library, "--json"] + options)
    return (result.status, try JSONDecoder().decode(Report.self, from: Data(result.out.utf8)))
  }

  /// Builds a plugin of Tests/Fixtures/broken, in C or C++.
  private func broken(_ name: String) throws -> String {
    let folder = "\(RunningNode.root)/Tests/Fixtures/broken"
    let library = FileManager.default.temporaryDirectory.appending(path: "libbroken-\(UUID()).so").path
    let isPlusPlus = FileManager.default.fileExists(atPath: "\(folder)/\(name).cpp")
    let command = isPlusPlus ? ["c++", "-std=c++17"] : ["cc", "-std=gnu11"]
    let result = try RunningNode.run(
      command + [
        "-fPIC", "-shared", "-fvisibility=hidden", "-pthread", "-I\(RunningNode.root)/Sources/PluginAPI/include", "-o",
        library, "\(folder)/\(name).\(isPlusPlus ? "cpp" : "c")",
      ])
    try #require(result.status == 0, "\(result.err)")
    return library
  }

  /// What is broken, the case that is about it, how that case ends, and a word of what it says.
  static let faults = [
    ("wrong-size", "entry.sizes", "failed", "struct_size 0"),
    ("any-extension", "extension.exact", "failed", "symbolon.permissions/10"),
    ("needs-services", "life.no-services", "crashed", "Segmentation fault"),
    ("leaks-instances", "life.leaks", "failed", "destroy frees what create made"),
    ("never-returns", "method.returns", "timed out", "does not end within"),
    ("throws", "method.no-unwinding", "crashed", "nobody knows"),
    ("exits", "process.lives", "failed", "ends the process (exit status 0)"),
    ("writes-argument", "method.borrows", "crashed", "writes into an argument"),
    ("reads-beyond", "method.borrows", "crashed", "reads beyond its end"),
    ("keeps-slice", "method.keeps-nothing", "crashed", "after the call has returned"),
    ("leaks-calls", "method.leaks", "failed", "bytes behind in 1000 calls"),
    ("two-results", "result.once", "failed", "writes 2 messages"),
    ("no-result", "result.once", "failed", "writes 0 messages"),
    ("invalid-utf8", "result.utf8", "failed", "not UTF-8"),
    ("invalid-json", "result.json", "failed", "does not parse"),
    ("wrong-bool", "result.bool", "failed", "gives 2 as the bool"),
    ("writes-past-result", "result.bounds", "failed", "writes outside of its result `count`"),
    ("unknown-status", "result.status", "failed", "ends with status 110"),
    ("writes-past-error", "error.bounds", "failed", "writes outside of the error slot"),
    ("other-status", "error.slot", "failed", "returns status 13 and writes status 5"),
    ("unended-message", "error.slot", "failed", "terminating zero"),
    ("no-sentence", "error.sentence", "warning", "gives no sentence"),
    ("changes-call", "call.untouched", "failed", "belongs to the caller"),
    ("other-thread", "sink.thread", "failed", "on another thread"),
    ("late-write", "sink.late", "failed", "after it has returned"),
    ("ignores-refusal", "sink.refused", "failed", "refused a message"),
    ("changes-signals", "process.signals", "failed", "signal 10"),
    ("changes-locale", "process.locale", "failed", "C.UTF-8"),
    ("changes-folder", "process.folder", "failed", "has come"),
    ("changes-environment", "process.environment", "failed", "ANSWER=yes"),
    ("prints", "process.output", "failed", "standard output"),
    ("keeps-thread", "process.threads", "failed", "still run after stop"),
    ("keeps-file", "process.descriptors", "failed", "/dev/zero"),
    ("unsteady-state", "state.same", "failed", "other bytes"),
    ("unsteady-state", "state.unknown", "failed", "does not list"),
    ("trusting-state", "state.random", "crashed", "Segmentation fault"),
  ]

  @Test(arguments: faults)
  func aBrokenPluginIsCaughtByName(_ plugin: String, _ name: String, _ outcome: String, _ words: String) throws {
    let library = try broken(plugin)
    defer { try? FileManager.default.removeItem(atPath: library) }
    let timeout = outcome == "timed out" ? "1" : "20"
    let (status, report) = try verify(library, "--only", "^\(name)$", "--seed", "1", "--timeout", timeout)
    let found = try #require(report.cases.first)
    #expect(report.cases.count == 1 && found.name == name)
    #expect(found.outcome == outcome, "\(found.message)")
    #expect(found.message.contains(words), "\(found.message)")
    #expect(status == (outcome == "warning" ? 0 : 1))
  }

  @Test func everyFaultHasItsFixtureAndEveryFixtureItsFault() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: "\(RunningNode.root)/Tests/Fixtures/broken")
    let plugins = files.filter { !$0.hasSuffix(".h") }.map { String($0.prefix { $0 != "." }) }
    #expect(Set(plugins) == Set(Self.faults.map(\.0)))
  }

  /// A plugin that hangs is waited for a few times, and not in every one of the cases.
  @Test func aPluginThatHangsDoesNotHoldUpTheTest() throws {
    let library = try broken("never-returns")
    defer { try? FileManager.default.removeItem(atPath: library) }
    let (status, report) = try verify(library, "--timeout", "1", "--seed", "1")
    #expect(status == 1)
    #expect((1...4).contains(report.cases.filter { $0.outcome == "timed out" }.count))
    #expect(report.cases.contains { $0.outcome == "skipped" && $0.message.contains("method.returns") })
  }

  /// Nothing stays behind in the folder for temporary files, whatever the plugin does.
  @Test(arguments: ["exits", "needs-services", "never-returns"])
  func aCaseThatEndsBadlyLeavesNoFolder(_ plugin: String) throws {
    let library = try broken(plugin)
    let folder = FileManager.default.temporaryDirectory.appending(path: "verify-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { for path in [library, folder] { try? FileManager.default.removeItem(atPath: path) } }
    let result = try RunningNode.run(
      [Self.symbolon, "plugin", "verify", library, "--only", "life|method.returns", "--timeout", "1"],
      environment: ["TMPDIR": folder])
    #expect(result.status == 1)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
  }

  @Test func theExampleInCPasses() throws {
    let library = FileManager.default.temporaryDirectory.appending(path: "libhello-\(UUID()).so").path
    defer { try? FileManager.default.removeItem(atPath: library) }
    let built = try RunningNode.run([
      "cc", "-std=c11", "-fPIC", "-shared", "-fvisibility=hidden", "-I\(RunningNode.root)/Sources/PluginAPI/include",
      "-o",
      library, "\(RunningNode.root)/Examples/hello-c/hello.c",
    ])
    try #require(built.status == 0, "\(built.err)")
    let (status, report) = try verify(library)
    #expect(status == 0 && report.ok, "seed \(report.seed): \(report.cases.filter { $0.outcome == "failed" })")
    #expect(report.cases.count >= 40)
    #expect(report.cases.filter { $0.outcome == "success" }.count >= 60, "seed \(report.seed)")
  }

  /// Every layer goes through everything, among the real layers that it imports.
  @Test(arguments: [
    ("Ledger", []), ("Governance", ["ledger"]), ("Data", ["governance", "ledger"]), ("Edge", []),
    ("Application", ["governance", "ledger"]),
  ])
  func aLayerPasses(_ layer: String, _ imported: [String]) throws {
    let (status, report) = try verify("\(RunningNode.binaries)/lib\(layer).so", "--timeout", "120")
    let bad = report.cases.filter { !["success", "skipped", "warning"].contains($0.outcome) }
    #expect(status == 0 && bad.isEmpty, "seed \(report.seed): \(bad)")
    #expect(report.cases.filter { $0.outcome == "success" }.count >= 65, "seed \(report.seed)")
    #expect(report.cases.contains { $0.name == "method.returns" && $0.outcome == "success" }, "\(report.cases)")
    #expect(Set(imported).isSubset(of: (report.with.present ?? [:]).keys), "\(report.with)")
  }

  /// The engine is made and called with a model that its settings name, and that its confinement lets it read.
  @Test func theEnginePassesWithAModel() throws {
    let model = "~/.symbolon/models/SmolLM2-135M-Instruct.Q4_1.gguf"
    let (status, report) = try verify(
      "\(RunningNode.binaries)/libInference.so", "--timeout", "120", "--settings", "{\"models\":[\"\(model)\"]}",
      "--only", "^(life|method|result|error|process)[.]")
    let bad = report.cases.filter { !["success", "skipped", "warning"].contains($0.outcome) }
    #expect(status == 0 && bad.isEmpty, "seed \(report.seed): \(bad)")
    #expect(report.cases.contains { $0.name == "method.threads" && $0.outcome == "success" }, "\(report.cases)")
  }

  @Test func aProviderIsNamedOrItsAbsenceTold() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "alone-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let library = "\(folder)/libGovernance.so"
    try FileManager.default.copyItem(atPath: "\(RunningNode.binaries)/libGovernance.so", toPath: library)
    let alone = try verify(library, "--only", "^method.returns$")
    #expect(alone.report.with.missing?["ledger"]?.contains("--with") == true, "\(alone.report.with)")
    let named = try verify(
      library, "--only", "^method.returns$", "--with", "\(RunningNode.binaries)/libLedger.so")
    #expect(named.report.with.present?["ledger"] == "0.1.0", "\(named.report.with)")
    #expect(named.report.cases.map(\.outcome) == ["success"])
  }

  @Test func theReportSaysWhatTheKernelHoldsAPluginTo() throws {
    let library = try broken("wrong-bool")
    defer { try? FileManager.default.removeItem(atPath: library) }
    let held = try verify(library, "--only", "load.now").report
    #expect(held.confined == (held.kernel.landlock_abi > 0 || held.kernel.seccomp))
    #expect(try !verify(library, "--only", "load.now", "--no-sandbox").report.confined)
  }

  /// What a stranger's library could do to whoever looks at it.
  @Test func aPluginUnderTestIsConfined() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "confined-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (library, loot) = ("\(folder)/libthief.so", "\(folder)/loot")
    let source = """
      #include <fcntl.h>
      #include <stdlib.h>
      __attribute__((constructor)) static void take(void) { open("\(loot)", O_WRONLY | O_CREAT, 0600); }
      """
    try source.write(toFile: "\(folder)/thief.c", atomically: true, encoding: .utf8)
    try #require(try RunningNode.run(["cc", "-fPIC", "-shared", "-o", library, "\(folder)/thief.c"]).status == 0)
    let held = try RunningNode.run([Self.symbolon, "plugin", "verify", library])
    #expect(held.out.contains("; confined: files, network, system calls\n"), "\(held)")
    #expect(!FileManager.default.fileExists(atPath: loot))
    let free = try RunningNode.run([Self.symbolon, "plugin", "verify", library, "--no-sandbox"])
    #expect(free.out.contains("; not confined: the plugin's code ran with your rights\n"), "\(free)")
    #expect(FileManager.default.fileExists(atPath: loot))
  }

  @Test func aCaseIsRepeatedByNameAndSeed() throws {
    let library = try broken("wrong-bool")
    defer { try? FileManager.default.removeItem(atPath: library) }
    let first = try RunningNode.run([Self.symbolon, "plugin", "verify", library, "--only", "result.bool"])
    let again = try #require(first.out.firstMatch(of: /--reproduce (result\.bool:\d+)/)?.1, "\(first.out)")
    let second = try verify(library, "--reproduce", String(again))
    #expect(second.status == 1 && second.report.cases.map(\.outcome) == ["failed"])
    #expect(again.hasSuffix(String(second.report.seed)))
    let inside = try verify(library, "--reproduce", String(again), "--in-process")
    #expect(inside.report.cases.map(\.message) == second.report.cases.map(\.message))
  }

  @Test func wrongQuestionsAreAnsweredWithASentence() throws {
    for (words, expected) in [
      (["README.md", "--only", "("], "is no regular expression"),
      (["README.md", "--only", "nothing-like-it"], "No case"),
      (["/nowhere.so"], "cannot be read"), (["README.md", "--reproduce", "x"], "CASE:SEED"),
      (["README.md", "--timeout", "-1"], "--timeout"),
    ] {
      let result = try RunningNode.run([Self.symbolon, "plugin", "verify"] + words)
      #expect(result.status != 0 && result.err.contains(expected), "\(words): \(result)")
    }
    let text = try verify("\(RunningNode.root)/README.md")
    #expect(text.status == 1 && text.report.cases.filter { $0.outcome == "failed" }.map(\.name) == ["file.elf"])
  }
}
