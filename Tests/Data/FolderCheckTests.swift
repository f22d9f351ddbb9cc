import Canonical
import DataCore
import Glibc
import Testing

/// A folder of its own that is removed at the end.
private final class Folder {
  let path: String

  init() throws {
    var template = Array("/tmp/symbolon-data-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    path = String(cString: made)
    #expect(mkdir(path + "/set", 0o700) == 0 && mkdir(path + "/set/a", 0o700) == 0)
  }

  deinit {
    for name in ["set/a/hello.txt", "set/other", "set/pipe", "set/a", "set", "secret"] { remove("\(path)/\(name)") }
    remove(path)
  }

  func write(_ name: String, _ text: String) throws {
    let file = try #require(fopen("\(path)/\(name)", "w"))
    fputs(text, file)
    fclose(file)
  }

  func check(_ json: String = manifest()) throws -> Report {
    try FolderCheck(folder: path + "/set").run(try Manifest(json: json))
  }
}

@Test func filesAsTheManifestSaysAreOK() throws {
  let folder = try Folder()
  try folder.write("set/a/hello.txt", "hello\n")
  let report = try folder.check()
  #expect(report.isOK && report.filesOK == 1)
  #expect(report.summary.text == #"{"dataset":"\#(try Manifest(json: manifest()).id)","files":1,"files_ok":1}"#)
}

@Test func aTamperedAShorterAndAMissingFileAreNamed() throws {
  let folder = try Folder()
  #expect(try folder.check().findings.first?.finding == .missing)
  try folder.write("set/a/hello.txt", "hell\n")
  #expect(try folder.check().findings.first?.finding == .sizeDiffers(found: 5))
  try folder.write("set/a/hello.txt", "jello\n")
  let report = try folder.check()
  #expect(report.findings.first?.finding.word == "hash differs")
  #expect(report.complaint == "a/hello.txt: hash differs.")
  #expect(report.json.object?["ok"]?.bool == false)
}

@Test func aLinkThatLeavesTheFolderIsNotFollowed() throws {
  let folder = try Folder()
  try folder.write("secret", "hello\n")
  #expect(symlink("\(folder.path)/secret", "\(folder.path)/set/a/hello.txt") == 0)
  #expect(try folder.check().findings.first?.finding == .refused("a link leads out of the folder"))
}

@Test func aFolderThatIsALinkOutsideIsNotFollowed() throws {
  let folder = try Folder()
  try folder.write("secret", "hello\n")
  #expect(rmdir("\(folder.path)/set/a") == 0 && symlink(folder.path, "\(folder.path)/set/a") == 0)
  let files = #"[{"path":"a/secret","size":6,"sha256":"\#(helloHash)"}]"#
  #expect(
    try folder.check(manifest(files: files)).findings.first?.finding == .refused("a link leads out of the folder"))
}

@Test func aLinkInsideTheFolderIsFollowed() throws {
  let folder = try Folder()
  try folder.write("set/other", "hello\n")
  #expect(symlink("../other", "\(folder.path)/set/a/hello.txt") == 0)
  #expect(try folder.check().isOK)
}

@Test(.timeLimit(.minutes(1))) func aPipeAndAFolderAreNoFiles() throws {
  let folder = try Folder()
  #expect(mkfifo("\(folder.path)/set/pipe", 0o600) == 0)
  let files = #"[{"path":"pipe","size":6,"sha256":"\#(helloHash)"},{"path":"a","size":6,"sha256":"\#(helloHash)"}]"#
  let report = try folder.check(manifest(files: files))
  #expect(report.findings.allSatisfy { $0.finding == .refused("is not a regular file") })
}

@Test func aMissingFolderIsASentence() throws {
  #expect(code { _ = try FolderCheck(folder: "/nonexistent/set") } == "unknown_folder")
  #expect(code { _ = try FolderCheck(folder: "/etc/hostname") } == "not_a_folder")
}

@Test func aCancelledCheckStops() throws {
  let folder = try Folder()
  try folder.write("set/a/hello.txt", "hello\n")
  let check = try FolderCheck(folder: folder.path + "/set", isCancelled: { true })
  #expect(code { _ = try check.run(try Manifest(json: manifest())) } == "cancelled")
}
