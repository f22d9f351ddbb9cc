import Foundation
import Testing

/// What we agreed about the built libraries; `docs/architecture.md` has the reasons.
@Suite struct ImageTests {
  /// Modules that are allowed in more than one image, each with its proof of harmlessness.
  static let shared: [String: String] = [
    "PluginKit": "one copy a plugin: all its state hangs off the plugin's instance, none of its types cross the ABI",
    "Canonical": "pure functions over bytes",
    "Logging": "the host bootstraps its copy; the Edge's libraries log through theirs, which stays silent",
  ]

  @Test(arguments: Image.plugins)
  func aPluginExportsItsEntryAlone(_ plugin: Image) throws {
    #expect(try plugin.exports() == ["symbolon_plugin_entry"])
  }

  @Test func aSwiftModuleLivesInOneImage() throws {
    var homes: [String: [String]] = [:]
    for image in [Image.host] + Image.plugins {
      for module in try image.modules() { homes[module, default: []].append(image.description) }
    }
    #expect(homes["Host"] == ["symbolon"], "no module was found in the host: is it stripped?")
    for (module, images) in homes where images.count > 1 && Self.shared[module] == nil {
      Issue.record("module \(module) is in \(images.sorted().joined(separator: ", "))")
    }
  }

  @Test func onlyTheEdgeHoldsNetworking() throws {
    let networking = ["NIO", "Hummingbird", "HTTPTypes", "AsyncHTTPClient", "ServiceLifecycle"]
    for image in [Image.host] + Image.plugins where image.description != "libEdge.so" {
      let found = try image.modules().filter { module in networking.contains { module.hasPrefix($0) } }
      #expect(found.isEmpty, "\(image) holds \(found.sorted())")
      #expect(try !image.needed().contains("libFoundationNetworking.so"), "\(image) links Foundation's networking")
    }
  }

  @Test func onlyTheLedgerLinksSQLite() throws {
    for image in [Image.host] + Image.plugins {
      let links = try image.needed().contains { $0.hasPrefix("libsqlite3") } || image.modules().contains("GRDB")
      #expect(links == (image.description == "libLedger.so"), "\(image)")
    }
  }

  @Test func aPluginLibraryTakesNoSymbolFromTheHost() throws {
    for plugin in Image.plugins {
      let needed = try plugin.needed()
      #expect(needed.isDisjoint(with: Image.plugins.map(\.description)), "\(plugin) links another layer")
    }
  }

  @Test func theStrippedHostIsAtMostTenMegabytes() throws {
    let stripped = FileManager.default.temporaryDirectory.appending(path: "symbolon-stripped-\(UUID())")
    defer { try? FileManager.default.removeItem(at: stripped) }
    _ = try Repository.run("strip", "-o", stripped.path, Image.host.url.path)
    let size = try stripped.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? .max
    #expect(size <= 10_000_000)
  }
}
