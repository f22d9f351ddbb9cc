import Foundation
import Testing

/// Who signed a library decides where it runs; what was changed runs nowhere.
@Suite struct TrustTests {
  private static let binary = "\(RunningNode.binaries)/symbolon"

  private func table(_ library: String, _ more: String = "") -> String {
    "[plugin.fixture]\nlibrary = \"\(library)\"\n\(more)"
  }

  /// Starts a node that must refuse, and gives back what it said.
  private func refusal(_ plugins: String) throws -> String {
    let node = try RunningNode(plugins: plugins)
    defer { node.stop() }
    node.process.waitUntilExit()
    #expect(node.process.terminationStatus != 0)
    return node.log
  }

  private func change(_ file: String, _ body: (inout [UInt8]) -> Void) throws {
    var bytes = Array(try Data(contentsOf: URL(filePath: file)))
    body(&bytes)
    try Data(bytes).write(to: URL(filePath: file))
  }

  private func run(_ words: String..., password: String? = nil) throws -> (status: Int32, out: String, err: String) {
    try RunningNode.run(words, environment: password.map { ["SYMBOLON_KEY_PASSWORD": $0] } ?? [:])
  }

  @Test func anUnsignedLibraryIsRefusedInTheHostsProcess() throws {
    let log = try refusal(table(try RunningNode.fixture([], signed: false), "home = \"host\"\n"))
    #expect(log.contains("is not signed, and in the host's process only libraries of the role `local` run"))
    #expect(log.contains("symbolon plugin sign") && log.contains("home = \"worker\""))
  }

  @Test func withoutAHomeASignedLibraryRunsInTheHostAndAnotherInAWorker() throws {
    let signed = try RunningNode(plugins: table(try RunningNode.fixture()))
    defer { signed.stop() }
    #expect(try signed.command("fixture", "version").out == "1.0.0\n")
    #expect(try workers(of: signed) == 0)
    let other = try RunningNode(plugins: table(try RunningNode.fixture([], signed: false)))
    defer { other.stop() }
    #expect(try other.command("fixture", "version").out == "1.0.0\n", "\(other.log)")
    #expect(try workers(of: other) == 1)
  }

  private func workers(of node: RunningNode) throws -> Int {
    let pid = node.process.processIdentifier
    let children = try String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
    // A worker may be the child of any thread.
    let all = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task").map { thread in
      (try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/children", encoding: .utf8)) ?? ""
    }
    return Set((children + all.joined()).split(separator: " ")).count
  }

  @Test func aChangedByteIsFoundWhereverItIs() throws {
    // Where, what is done there, and what the refusal says.
    let places: [(String, (inout [UInt8]) -> Void, String)] = [
      ("the ELF part", { $0[5000] ^= 1 }, "was changed after it was sealed"),
      (
        "the manifest",
        { bytes in
          let place = bytes.lastRange(of: Array("A plugin for tests".utf8))?.lowerBound ?? 0
          bytes[place] = UInt8(ascii: "B")
        }, "does not fit the file"
      ),
      ("the length", { $0[$0.count - 17] ^= 1 }, "cannot be used"),
      ("the magic", { $0[$0.count - 2] = 57 }, "sealed in a form"),
      ("the end", { $0.append(0) }, "does not fit the file"),
      ("the seal", { $0.removeLast(16) }, "does not fit the file"),
    ]
    for (place, body, sentence) in places {
      let library = try RunningNode.fixture()
      try change(library, body)
      let log = try refusal(table(library))
      #expect(log.contains(sentence), "\(place): \(log)")
    }
  }

  @Test func aChangedSignatureIsRefusedInEveryHome() throws {
    for (line, sentence) in [
      (1, "does not fit the file"), (2, "trusted comment of the signature was changed"), (3, "trusted comment"),
    ] {
      let library = try RunningNode.fixture()
      var lines = try String(contentsOfFile: "\(library).minisig", encoding: .utf8).split(separator: "\n").map(
        String.init)
      var text = Array(lines[line].utf8)
      text[40] = text[40] == 65 ? 66 : 65
      lines[line] = String(decoding: text, as: UTF8.self)
      try (lines.joined(separator: "\n") + "\n").write(toFile: "\(library).minisig", atomically: true, encoding: .utf8)
      for home in ["host", "worker"] {
        let log = try refusal(table(library, "home = \"\(home)\"\n"))
        #expect(log.contains(sentence), "line \(line), \(home): \(log)")
      }
    }
  }

  @Test func anotherKeyAndARoleThatIsTooLowAreNamed() throws {
    let library = try RunningNode.fixture()
    let other = try RunningNode.makeSigner()
    try other.sign(library)
    #expect(try refusal(table(library, "home = \"host\"\n")).contains("which nobody here knows"))
    let log = try refusal("[trust]\nhost = \"vendor\"\n" + table(try RunningNode.fixture(), "home = \"host\"\n"))
    #expect(log.contains("is signed by `tests` (local)") && log.contains("the role `vendor`"))
    let worker = try refusal(
      "[trust]\nworker = \"local\"\n" + table(try RunningNode.fixture([], signed: false), "home = \"worker\"\n"))
    #expect(worker.contains("in a worker only libraries of the role `local` run"))
  }

  @Test func aPinNamesTheOnlyLibraryThatRuns() throws {
    let library = try RunningNode.fixture()
    let hash = try #require(try run("sha256sum", library).out.split(separator: " ").first)
    let node = try RunningNode(plugins: table(library, "pin = \"\(hash)\"\n"))
    defer { node.stop() }
    #expect(try node.command("fixture", "version").status == 0)
    let next = try RunningNode.fixture("VERSION=\"2.0.0\"")
    #expect(try node.command("plugin", "reload", "fixture", "--library", next).err.contains("pins \(hash)"))
    #expect(try node.command("fixture", "version").out == "1.0.0\n")
  }

  @Test func aSymbolicLinkIsRefusedWithWhereItLeads() throws {
    let library = try RunningNode.fixture()
    let link = library.replacing("libfixture", with: "liblink")
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: library)
    #expect(try refusal(table(link)).contains("is a symbolic link to \(library)"))
  }

  @Test func aBundleHoldsWhatItsManifestListsAndNothingElse() throws {
    let library = try RunningNode.fixture([], signed: false)
    let folder = URL(filePath: library).deletingLastPathComponent().path
    try "a,b\n".write(toFile: "\(folder)/table.csv", atomically: true, encoding: .utf8)
    #expect(try run(Self.binary, "plugin", "seal", library, "--with", "table.csv").status == 0)
    let key = try RunningNode.signer.get().key
    #expect(try run(Self.binary, "plugin", "sign", library, "--key", key).status == 0)
    let node = try RunningNode(plugins: table("\(folder)/"))
    #expect(try node.command("fixture", "version").status == 0, "\(node.log)")
    let stored = try run("find", "\(node.scratch)/data/store", "-name", "table.csv").out
    #expect(!stored.isEmpty, "the file lies beside the stored library")
    node.stop()
    try "c\n".write(toFile: "\(folder)/extra.csv", atomically: true, encoding: .utf8)
    #expect(try refusal(table(folder)).contains("extra.csv is not listed"))
    try FileManager.default.removeItem(atPath: "\(folder)/extra.csv")
    try "a,c\n".write(toFile: "\(folder)/table.csv", atomically: true, encoding: .utf8)
    #expect(try refusal(table(folder)).contains("table.csv is not the file"))
    try FileManager.default.removeItem(atPath: "\(folder)/table.csv")
    #expect(try refusal(table(folder)).contains("lists `table.csv`"))
  }

  @Test func aStoredLibraryThatWasChangedIsNotOpened() throws {
    let library = try RunningNode.fixture()
    let node = try RunningNode(plugins: table(library))
    defer { node.stop() }
    let stored = try run("find", "\(node.scratch)/data/store", "-name", "libfixture.so").out
      .trimmingCharacters(in: .newlines)
    let next = try RunningNode.fixture("VERSION=\"2.0.0\"")
    let mode = try run("stat", "-c", "%a", stored).out
    #expect(mode == "500\n")
    #expect(try node.command("plugin", "reload", "fixture", "--library", next).status == 0)
    // The old one lies in the store under its hash; what is there now is something else.
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: stored)
    try change(stored) { $0[5000] ^= 1 }
    let refused = try node.command("plugin", "reload", "fixture", "--library", library)
    #expect(refused.status != 0 && refused.err.contains("is not what was stored"), "\(refused.err)")
    #expect(try node.command("fixture", "version").out == "2.0.0\n")
  }

  @Test func minisignAndSymbolonReadEachOther() throws {
    let library = try RunningNode.fixture([], signed: false)
    let folder = URL(filePath: library).deletingLastPathComponent().path
    #expect(try run("minisign", "-G", "-W", "-p", "\(folder)/m.pub", "-s", "\(folder)/m.key").status == 0)
    let ours = try RunningNode.signer.get()
    try "untrusted comment: x\n\(ours.publicKey)\n".write(
      toFile: "\(folder)/ours.pub", atomically: true, encoding: .utf8)
    // Each key signs with each program, and each program checks both.
    for (key, publicKey) in [("\(folder)/m.key", "\(folder)/m.pub"), (ours.key, "\(folder)/ours.pub")] {
      for words in [
        [Self.binary, "plugin", "sign", library, "--key", key], ["minisign", "-S", "-s", key, "-m", library],
        ["minisign", "-S", "-l", "-s", key, "-m", library],
      ] {
        let signed = try RunningNode.run(words)
        #expect(signed.status == 0, "\(words): \(signed.err)")
        let theirs = try run("minisign", "-V", "-p", publicKey, "-m", library)
        #expect(theirs.status == 0, "\(words): \(theirs.err)")
        let own = try run(Self.binary, "plugin", "check-signature", library, "--public-key", publicKey)
        #expect(own.status == 0 && own.out.contains("signed by the given key"), "\(words): \(own.err)")
      }
    }
    try change(library) { $0[5000] ^= 1 }
    #expect(try run("minisign", "-V", "-p", "\(folder)/ours.pub", "-m", library).status != 0)
    #expect(
      try run(Self.binary, "plugin", "check-signature", library, "--public-key", "\(folder)/ours.pub").status != 0)
  }

  @Test func aKeyThatOthersMayReadDoesNotSign() throws {
    let library = try RunningNode.fixture([], signed: false)
    let signer = try RunningNode.makeSigner()
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: signer.key)
    #expect(try run(Self.binary, "plugin", "sign", library, "--key", signer.key).err.contains("can be read by others"))
  }

  @Test func anUpgradeThatAsksForMoreIsRefusedWithTheDifference() throws {
    let old = try RunningNode.fixture(["PERMISSIONS=\"call:a.b\",\"connect:80\""], source: "asker.c")
    let new = try RunningNode.fixture(
      ["PERMISSIONS=\"call:a.b\",\"service:symbolon.identity/1\"", "VERSION=\"2.0.0\""], source: "asker.c")
    let node = try RunningNode(plugins: "[plugin.asker]\nlibrary = \"\(old)\"\n")
    defer { node.stop() }
    let refused = try node.command("plugin", "reload", "asker", "--library", new)
    #expect(refused.status != 0)
    for line in ["asks for more", "+ service:symbolon.identity/1", "- connect:80", "--grant"] {
      #expect(refused.err.contains(line), "\(refused.err)")
    }
    #expect(try node.command("plugin", "list").out.contains("1.0.0"))
    // The yes belongs to one reload: one that comes to nothing grants nothing.
    #expect(try node.command("plugin", "reload", "asker", "--library", "/nowhere.so", "--grant").status != 0)
    let early = try node.command("plugin", "reload", "asker", "--library", new, "--grant", "--dry-run")
    #expect(early.status == 0, "\(early)")
    #expect(try node.command("plugin", "reload", "asker", "--library", new).err.contains("asks for more"))
    #expect(try node.command("plugin", "reload", "asker", "--library", new, "--grant").status == 0)
    #expect(try node.command("asker", "sign").out == "0\n")
    // What was granted once is not asked for again.
    #expect(try node.command("plugin", "reload", "asker", "--library", old).status == 0)
    #expect(try node.command("plugin", "reload", "asker", "--library", new).status == 0)
  }
}
