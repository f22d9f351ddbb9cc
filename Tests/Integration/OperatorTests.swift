import Foundation
import Testing

/// The command line as operators and their scripts use it.
@Suite struct OperatorTests {
  private func json(_ text: String) throws -> Any {
    try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
  }

  @Test func exitStatusesAreStable() throws {
    let node = try RunningNode(plugins: try MetricsTests.chain())
    defer { node.stop() }
    #expect(try node.command("status").status == 0)
    #expect(try node.command("first", "pass", "--fail", "true").status == 1, "refused")
    for usage in [["status", "--colour"], ["plugin", "lst"], ["plugin", "pin"], ["completion", "tcsh"]] {
      let result = try RunningNode.run(
        ["\(RunningNode.binaries)/symbolon"] + usage, environment: ["SYMBOLON_CONFIG": node.configuration])
      #expect(result.status == 2, "\(usage): \(result)")
    }
    #expect(try node.command("first", "pass", "--millisecnods", "1").status == 2)
    #expect(try node.command("nobody", "pass").status == 4)
    #expect(try node.command("first", "psas").status == 4)
    #expect(try node.command("plugin", "disable", "frist").status == 4)
    try node.command("stop")
    node.process.waitUntilExit()
    for words in [["status"], ["top"], ["plugin", "list"], ["stop"], ["first", "pass"]] {
      let result = try RunningNode.run(
        ["\(RunningNode.binaries)/symbolon"] + words, environment: ["SYMBOLON_CONFIG": node.configuration])
      #expect(result.status == 3 && result.err.contains("start one with `symbolon run`"), "\(words): \(result)")
    }
  }

  @Test func slipsAreAnsweredWithTheNearestWord() throws {
    let node = try RunningNode(plugins: try MetricsTests.chain())
    defer { node.stop() }
    #expect(try node.command("statsu").err.contains("Did you mean `status`?"))
    #expect(try node.command("frist", "pass").err.contains("Did you mean `first`?"))
    #expect(try node.command("first", "psas").err.contains("Did you mean `pass`?"))
    #expect(try node.command("first", "pass", "--fial", "true").err.contains("Did you mean --fail?"))
    #expect(try node.command("plugin", "disbale", "x").err.contains("Did you mean `disable`?"))
    #expect(try node.command("plugin", "disable", "thrid").err.contains("Did you mean `third`?"))
    #expect(try node.command("top", "--intervall", "1").err.contains("Did you mean '--interval'?"))
    #expect(try node.command("completion", "bahs").err.contains("Did you mean `bash`?"))
    try node.command("stop")
    node.process.waitUntilExit()
    #expect(try node.command("statsu").err.contains("Did you mean `status`?"), "without a node too")
  }

  @Test func errorsAreJSONWhenThatWasAskedFor() throws {
    let node = try RunningNode(plugins: try MetricsTests.chain())
    defer { node.stop() }
    for words in [
      ["plugin", "lst"], ["top", "--intervall", "1"], ["first", "psas"], ["nobody", "x"], ["plugin", "pin"],
      ["plugin", "enable", "nobody"], ["first", "pass", "--fail", "true"],
    ] {
      let result = try RunningNode.run(
        ["\(RunningNode.binaries)/symbolon"] + words + ["--json"],
        environment: ["SYMBOLON_CONFIG": node.configuration])
      let error = (try json(result.err) as? [String: Any])?["error"] as? [String: Any]
      #expect(result.status != 0 && error?["code"] is String && error?["message"] is String, "\(words): \(result)")
    }
  }

  @Test func tablesFitEightyColumns() throws {
    let long = "a.plugin-with-a-name-of-sixty-four-bytes-which-is-the-most-it-ma"
    let library = try RunningNode.fixture(["ID=\"\(long)\"", "VERSION=\"1.0.0-rc.12+20261125\""], source: "chain.c")
    let node = try RunningNode(
      plugins: try MetricsTests.chain() + "[plugin.\"\(long)\"]\nlibrary = \"\(library)\"\n"
        + "[plugin.idle]\nlibrary = \"idle.so\"\nenabled = false\n")
    defer { node.stop() }
    #expect(try node.command(long, "pass").status == 0)
    for words in [
      ["status"], ["plugin"], ["plugin", "list"], ["check"], ["plugin", "inspect", "idle"], ["top"],
      ["top", "--once", "--all"], ["wallet"], [long],
    ] {
      let result = try RunningNode.run(
        ["\(RunningNode.binaries)/symbolon"] + words, environment: ["SYMBOLON_CONFIG": node.configuration])
      #expect(result.status == 0 && !result.out.isEmpty, "\(words): \(result)")
      // Sentences that name a file's path or an account are no tables.
      for line in result.out.split(separator: "\n") where !line.contains(node.scratch) && !line.hasPrefix("account") {
        #expect(line.count <= 80, "\(words): \(line)")
      }
    }
  }

  @Test func listShowsWhatRunsAndWhyTheOthersDoNot() throws {
    let node = try RunningNode(
      plugins: try MetricsTests.chain() + "[plugin.idle]\nlibrary = \"idle.so\"\nenabled = false\n")
    defer { node.stop() }
    try node.command("first", "pass")
    let rows = try #require(try json(try node.command("plugin", "list", "--json").out) as? [[String: Any]])
    #expect(rows.compactMap { $0["id"] as? String } == ["third", "second", "first", "idle"])
    #expect(rows[0]["calls"] as? Int == 1 && rows[0]["home"] as? String == "host" && rows[0]["generation"] as? Int == 1)
    #expect(rows[3]["state"] as? String == "disabled")
    #expect(try node.command("plugin").out.contains("`symbolon plugin enable idle` starts it."))
  }

  // MARK: plugins.conf

  @Test func disablingAndEnablingLeaveTheFileAsItWas() throws {
    let node = try RunningNode(plugins: "# mine\n" + (try MetricsTests.chain()))
    defer { node.stop() }
    let before = try String(contentsOfFile: node.configuration, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: node.configuration)
    #expect(try node.command("plugin", "disable", "first").status == 0)
    #expect(try node.command("first", "pass").status == 4)
    let disabled = try String(contentsOfFile: node.configuration, encoding: .utf8)
    #expect(disabled.split(separator: "\n").filter { !before.contains($0) } == ["enabled = false"])
    #expect(try node.command("plugin", "disable", "first").out.contains("nothing was changed"))
    #expect(try node.command("plugin", "enable", "first").status == 0)
    #expect(try node.command("first", "pass").status == 0)
    #expect(try String(contentsOfFile: node.configuration, encoding: .utf8) == before)
    let mode = try FileManager.default.attributesOfItem(atPath: node.configuration)[.posixPermissions] as? Int
    #expect(mode == 0o640)
  }

  @Test func whatOthersNeedIsNotDisabled() throws {
    let node = try RunningNode(plugins: try MetricsTests.chain())
    defer { node.stop() }
    let before = try String(contentsOfFile: node.configuration, encoding: .utf8)
    let result = try node.command("plugin", "disable", "third")
    #expect(result.status != 0 && result.err.contains("`second` needs `third.pass`"))
    #expect(try String(contentsOfFile: node.configuration, encoding: .utf8) == before)
    #expect(try node.command("first", "pass").status == 0)
    try node.command("stop")
    node.process.waitUntilExit()
    #expect(try node.command("plugin", "disable", "third").err.contains("`second` needs `third.pass`"))
    #expect(try String(contentsOfFile: node.configuration, encoding: .utf8) == before)
    #expect(try node.command("plugin", "disable", "first").out.contains("the next start obeys"))
  }

  @Test func aPinIsSetAndTakenAway() throws {
    let node = try RunningNode(plugins: try MetricsTests.chain())
    defer { node.stop() }
    let before = try String(contentsOfFile: node.configuration, encoding: .utf8)
    let rows = try #require(try json(try node.command("plugin", "list", "--json").out) as? [[String: Any]])
    let hash = try #require(rows[0]["library_sha256"] as? String)
    #expect(try node.command("plugin", "pin", "third").status == 0)
    #expect(try String(contentsOfFile: node.configuration, encoding: .utf8).contains("= \"\(hash)\"\n"))
    #expect(try node.command("plugin", "pin", "third", "1234").status == 2)
    #expect(try node.command("plugin", "pin", "third", "--none").status == 0)
    #expect(try String(contentsOfFile: node.configuration, encoding: .utf8) == before)
  }

  // MARK: top and completion

  @Test func topDrawsAgainInATerminal() throws {
    let node = try RunningNode(plugins: try MetricsTests.chain())
    defer { node.stop() }
    try node.command("first", "pass")
    let result = try RunningNode.run(
      ["timeout", "2", "script", "-qec", "\(RunningNode.binaries)/symbolon top --interval 0.3", "/dev/null"],
      environment: ["SYMBOLON_CONFIG": node.configuration, "TERM": "xterm"])
    #expect(result.out.components(separatedBy: "\u{1b}[H").count > 3, "\(result)")
    #expect(result.out.contains("first.pass") && result.out.contains("P99"))
    let report = try #require(try json(try node.command("top", "--once", "--json").out) as? [String: Any])
    let methods = try #require(report["methods"] as? [[String: Any]])
    let pass = try #require(methods.first { $0["method"] as? String == "first.pass" })
    #expect(pass["calls"] as? Int == 1 && pass["p50_ns"] is Int && pass["calls_per_second"] is NSNumber)
  }

  @Test(arguments: [
    (["sta"], "status"), (["plugin", "dis"], "disable"), (["fir"], "first"), (["first", "pa"], "pass"),
    (["first", "pass", "--fa"], "--fail"), (["plugin", "enable", "id"], "idle"), (["plugin", "pin", "sec"], "second"),
  ])
  func bashCompletes(_ words: [String], _ expected: String) throws {
    let node = try RunningNode(
      plugins: try MetricsTests.chain() + "[plugin.idle]\nlibrary = \"idle.so\"\nenabled = false\n")
    defer { node.stop() }
    let script = "\(node.scratch)/completion.bash"
    try node.command("completion", "bash").out.write(toFile: script, atomically: true, encoding: .utf8)
    let typed = (["symbolon"] + words).map { "'\($0)'" }.joined(separator: " ")
    let result = try RunningNode.run(
      [
        "bash", "-c",
        """
        source '\(script)'
        COMP_WORDS=(\(typed)); COMP_CWORD=\(words.count)
        COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}
        function=$(complete -p symbolon | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        "$function" symbolon "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
        """,
      ],
      environment: [
        "SYMBOLON_CONFIG": node.configuration,
        "PATH": "\(RunningNode.binaries):\(ProcessInfo.processInfo.environment["PATH"] ?? "")",
      ])
    #expect(result.out.split(separator: "\n").contains(Substring(expected)), "\(result)")
  }

  // MARK: check, inspect and doctor

  @Test func checkTellsEveryProblemWithItsPlace() throws {
    let node = try RunningNode(idle: "[plugin.a]\nlibrary = \"none.so\"\n[plugin.b]\nlibrary = \"nope.so\"\n")
    defer { node.stop() }
    let result = try node.command("check")
    #expect(result.status == 4 && result.err.contains("2 problems"))
    #expect(result.err.contains("none.so is neither in") && result.err.contains("nope.so is neither in"))
    try node.write("[plugin.a]\nlibrary = \"a.so\"\nhome = \"wroker\"\n")
    let wrong = try node.command("check")
    #expect(wrong.status == 2 && wrong.err.contains("plugins.conf:5:1: `wroker` is not one of host, worker"))
  }

  @Test func checkShowsWhatWouldStartAndWhatItMayUse() throws {
    let chain = try MetricsTests.chain().replacing("[plugin.third]", with: "permissions = []\n[plugin.third]")
    let node = try RunningNode(idle: chain)
    defer { node.stop() }
    let out = try node.command("check").out
    #expect(out.contains(/third +1.0.0 +host +tests \(local\) +2 +0 +A link of a chain/))
    #expect(out.contains(/first +call:second.pass +yes/) && out.contains(/second +call:third.pass +no/))
    let report = try #require(try json(try node.command("check", "--json").out) as? [String: Any])
    #expect(report["ok"] as? Bool == true && (report["plugins"] as? [Any])?.count == 3)
    #expect(!FileManager.default.fileExists(atPath: "\(node.scratch)/data"))
  }

  @Test func inspectShowsAPluginAndALibraryAlike() throws {
    let node = try RunningNode(plugins: try MetricsTests.chain())
    defer { node.stop() }
    let report = try #require(try json(try node.command("plugin", "inspect", "second", "--json").out) as? [String: Any])
    let hash = try #require(report["library_sha256"] as? String)
    #expect(hash.count == 64 && report["home"] as? String == "host" && report["version"] as? String == "1.0.0")
    let manifest = try #require(report["manifest"] as? [String: Any])
    #expect((manifest["methods"] as? [Any])?.count == 2 && (manifest["imports"] as? [Any])?.count == 1)
    #expect(try node.command("plugin", "inspect", "secnod").err.contains("Did you mean `second`?"))
    let stored = try #require(report["stored_at"] as? String)
    let file = try #require(try json(try node.command("plugin", "inspect", stored, "--json").out) as? [String: Any])
    #expect(file["sha256"] as? String == hash && file["sealed"] as? Bool == true)
    #expect(try node.command("plugin", "inspect", node.configuration).err.contains("is not a shared library"))
    #expect(try node.command("plugin", "inspect", "./nowhere.so").status == 4)
  }

  @Test func doctorFindsWhatIsWrongAndSaysWhatToDo() throws {
    let node = try RunningNode(plugins: try MetricsTests.chain(), listen: "127.0.0.1:0")
    defer { node.stop() }
    let well = try node.command("doctor")
    #expect(well.status == 0 && well.out.contains("0 failed"), "\(well)")
    #expect(well.out.contains("A node answers on"))
    let draft = "\(node.scratch)/data/store/0000"
    try FileManager.default.createDirectory(atPath: draft, withIntermediateDirectories: true)
    _ = FileManager.default.createFile(
      atPath: "\(draft)/x.so.1.draft", contents: Data([1]),
      attributes: [.modificationDate: Date(timeIntervalSinceNow: -600)])
    chmod("\(node.scratch)/data", 0o755)
    let warned = try node.command("doctor")
    #expect(warned.status == 0 && warned.out.contains("half-written") && warned.out.contains("chmod 700"))
    try node.write(
      "[plugin.a]\nlibrary = \"\(RunningNode.root)/README.md\"\n[plugin.b]\nlibrary = \"none.so\"\n",
      listen: "127.0.0.1:0")
    let ill = try node.command("doctor", "--json")
    let report = try #require(try json(ill.out) as? [String: Any])
    let findings = try #require(report["findings"] as? [[String: String]])
    let failed = findings.filter { $0["verdict"] == "fail" }
    #expect(ill.status == 1 && report["ok"] as? Bool == false)
    #expect(failed.map { $0["name"] } == ["a", "b"] && failed.allSatisfy { $0["remedy"]?.isEmpty == false })
  }

  @Test func doctorNamesAPortInUse() throws {
    let first = try RunningNode(plugins: "", listen: "127.0.0.1:0")
    defer { first.stop() }
    let port = try #require(try first.command("status", "--json").out.firstMatch(of: /127\.0\.0\.1:(\d+)/)?.1)
    let second = try RunningNode(idle: "", listen: "127.0.0.1:\(port)")
    defer { second.stop() }
    let result = try second.command("doctor")
    #expect(result.status == 1 && result.out.contains("is in use by another program"))
  }
}
