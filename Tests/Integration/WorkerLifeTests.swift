import Foundation
import Testing

/// Workers that crash, hang, overstep or are left alone, and what they may not do.
@Suite struct WorkerLifeTests {
  @Test(arguments: [
    ("segv", "crashed (SIGSEGV)"), ("abort", "crashed (SIGABRT)"), ("exit", "ended itself with status 3"),
    ("scribble", "wrote a message of the unknown kind"), ("hog", "limit of 64 MiB"),
  ])
  func aCrashIsAnErrorReplyAndTheWorkerComesBack(_ kind: String, _ reason: String) throws {
    let node = try WorkerTests.node("[plugin.subject.limits]\nmemory_mib = 64\n")
    defer { node.stop() }
    let first = try WorkerTests.children(of: node)
    let result = try node.command("subject", "fail", kind)
    #expect(result.status == 3 && result.err.contains(reason), "\(result)")
    #expect(try soon { try node.command("subject", "recall").out == "nothing\n" })
    let second = try WorkerTests.children(of: node)
    #expect(second.count == 1 && second != first)
    #expect(node.log.contains("worker started again"))
    #expect(try node.command("plugin", "list", "--json").out.contains("\"generation\":1"))
    // The new process has its subscription too, and nothing is left of the old one.
    #expect(try node.command("subject", "publish", "2").status == 0)
    #expect(try soon { try node.command("subject", "heard").out == "2\n" })
  }

  @Test func callersFailFastWhileItIsAwayAndOthersAreNotTouched() throws {
    let (one, two) = (try WorkerTests.library("one", peer: "two"), try WorkerTests.library("two", peer: "one"))
    let node = try RunningNode(
      plugins: WorkerTests.plugin("one", one, home: "host") + WorkerTests.plugin("two", two))
    defer { node.stop() }
    #expect(try node.command("two", "fail", "segv").status == 3)
    let result = try node.command("one", "push", "64")
    #expect(result.out == "64\n" || result.err.contains("started again"), "\(result)")
    #expect(try node.command("one", "recall").status == 0)
    #expect(try soon { try node.command("one", "push", "64").out == "64\n" })
  }

  @Test func threeCrashesTakeTheLibraryOut() throws {
    let node = try WorkerTests.node()
    defer { node.stop() }
    for _ in 0..<3 {
      #expect(try soon { try node.command("subject", "recall").status == 0 })
      #expect(try node.command("subject", "fail", "segv").status == 3)
    }
    #expect(try soon { node.log.contains("plugin taken out") })
    #expect(try WorkerTests.children(of: node) == [])
    #expect(try node.command("status").status == 0)
  }

  @Test func nothingOutsideIsWithinReach() throws {
    let node = try WorkerTests.node()
    defer { node.stop() }
    func error(_ words: String...) throws -> Int32? {
      let result = try RunningNode.run(
        ["\(RunningNode.binaries)/symbolon", "subject"] + words, environment: ["SYMBOLON_CONFIG": node.configuration])
      return Int32(result.out.trimmingCharacters(in: .newlines))
    }
    #expect(try error("open_file", "/etc/passwd", "false") == EACCES)
    #expect(try error("open_file", "\(node.scratch)/data/wallets/passphrase", "false") == EACCES)
    #expect(try error("open_file", "\(node.scratch)/elsewhere", "true") == EACCES)
    #expect(try error("open_file", "\(node.scratch)/data/subject/own", "true") == 0)
    #expect(try error("connect_to", "80") == EPERM)
    #expect(try error("start_program", "true") == EPERM)
    #expect(try error("start_program", "false") == EPERM)
    #expect(try error("signal_parent") == EPERM)
    let catalog = try node.command("plugin", "list", "--json").out
    #expect(catalog.contains("\"no_new_privileges\":true") && catalog.contains("\"system_calls\":true"), "\(catalog)")
  }

  @Test func whatWasGrantedIsWithinReach() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "granted-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let library = try WorkerTests.library("subject", peer: "nobody", "ASKS=\"write:\(folder)\",\"connect:9\"")
    let node = try RunningNode(plugins: WorkerTests.plugin("subject", library))
    defer { node.stop() }
    #expect(try node.command("subject", "open_file", "\(folder)/new", "true").out == "0\n")
    #expect(FileManager.default.fileExists(atPath: "\(folder)/new"))
    // The port is allowed and nobody listens; the next one is not allowed.
    #expect(try node.command("subject", "connect_to", "9").out == "\(ECONNREFUSED)\n")
    #expect(try node.command("subject", "connect_to", "10").out == "\(EACCES)\n")
  }

  @Test(arguments: [false, true]) func noWorkerOutlivesAKilledHost(_ isBusy: Bool) throws {
    let node = try WorkerTests.node()
    defer { node.stop() }
    let workers = try WorkerTests.children(of: node)
    #expect(workers.count == 1)
    let call = isBusy ? try node.begin("subject", "fail", "hang") : nil
    if isBusy { try node.waitForCall(in: "subject") }
    kill(node.process.processIdentifier, SIGKILL)
    node.process.waitUntilExit()
    call?.end()
    #expect(try soon { workers.allSatisfy { kill($0, 0) != 0 } })
  }

  @Test func reloadsLeaveNothingBehind() throws {
    let libraries = [
      try WorkerTests.library("subject"), try WorkerTests.library("subject", peer: "nobody", "VERSION=\"2.0.0\""),
    ]
    // The old version is kept until the new one is permanent.
    let policy = "[plugin.subject.reload]\nprobation_ms = 50\n"
    let node = try RunningNode(plugins: WorkerTests.plugin("subject", libraries[0]) + policy)
    defer { node.stop() }
    func count(_ what: String) throws -> Int {
      try FileManager.default.contentsOfDirectory(atPath: "/proc/\(node.process.processIdentifier)/\(what)").count
    }
    func reload(_ round: Int) throws {
      let result = try node.command("plugin", "reload", "subject", "--library", libraries[round % 2])
      #expect(result.status == 0, "\(result.err)")
      #expect(try node.command("subject", "publish", "1").status == 0)
    }
    for round in 1...3 { try reload(round) }
    #expect(try soon { try WorkerTests.children(of: node).count == 1 })
    let before = (try count("fd"), try count("task"))
    for round in 4...53 { try reload(round) }
    #expect(try soon { try WorkerTests.children(of: node).count == 1 })
    #expect(try soon { try count("task") <= before.1 + 2 })
    #expect(try soon { try count("fd") <= before.0 + 2 })
  }
}
