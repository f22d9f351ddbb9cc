import Foundation
import Host
import Testing

@Suite struct PluginHistoryTests {
  private let folder = "/tmp/symbolon-history-\(UUID().uuidString)"

  private func event(_ sha256: String, _ to: ReloadState, reason: String = "") -> PluginHistory.Event {
    PluginHistory.Event(sha256: sha256, path: "/store/\(sha256)/lib.so", to: to, reason: reason, by: "operator")
  }

  @Test func theLastPermanentLibrarySurvivesARestart() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let history = PluginHistory(folder: folder)
    try history.record("a", event("1", .permanent))
    try history.record("a", event("2", .probation))
    try history.record("a", event("2", .permanent))
    try history.record("a", event("3", .rejected, reason: "no"))
    let again = PluginHistory(folder: folder)
    #expect(again.permanent("a")?.sha256 == "2")
    #expect(again.permanent("a", otherThan: "2")?.path == "/store/1/lib.so")
    #expect(again.serving("a")?.sha256 == "2")
    #expect(again.entries("a") == history.entries("a") && again.entries("a").last?.reason == "no")
    #expect(again.permanent("b") == nil)
  }

  @Test func aQuarantinedLibraryIsNotFallenBackTo() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let history = PluginHistory(folder: folder)
    try history.record("a", event("1", .permanent))
    try history.record("a", event("2", .permanent))
    try history.quarantine("a", sha256: "2", reason: "It crashed.")
    #expect(history.quarantined("2") == "It crashed." && history.permanent("a")?.sha256 == "1")
    try history.record("a", event("2", .pardoned))
    #expect(PluginHistory(folder: folder).quarantined("2") == nil)
  }

  @Test func aTornLastLineIsNoEvent() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try PluginHistory(folder: folder).record("a", event("1", .permanent))
    let path = "\(folder)/a.jsonl"
    let whole = try Data(contentsOf: URL(filePath: path))
    for cut in [1, whole.count / 2, whole.count - 1] {
      try (whole + whole.prefix(cut)).write(to: URL(filePath: path))
      let torn = PluginHistory(folder: folder)
      #expect(torn.entries("a").count == (cut == whole.count - 1 ? 2 : 1))
      try torn.record("a", event("2", .permanent))
      #expect(PluginHistory(folder: folder).permanent("a")?.sha256 == "2")
    }
  }

  @Test func aLongHistoryIsCutButKeepsWhatDecides() throws {
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let history = PluginHistory(folder: folder)
    try history.record("a", event("good", .permanent))
    try history.quarantine("a", sha256: "bad", reason: "It crashed.")
    for number in 0...PluginHistory.limit { try history.record("a", event("\(number)", .rejected)) }
    let again = PluginHistory(folder: folder)
    #expect(again.entries("a").count < PluginHistory.limit)
    #expect(again.permanent("a")?.sha256 == "good" && again.quarantined("bad") == "It crashed.")
  }
}
