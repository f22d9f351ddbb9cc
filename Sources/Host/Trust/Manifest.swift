import FoundationEssentials

/// What a sealed library says of itself without being run.
package struct Manifest: Equatable, Sendable {
  package var description: PluginDescription
  /// What built the library, as its ELF comment says; for people.
  package var toolchain: String
  /// SHA-256 of the library without its footer.
  package var librarySHA256: String
  /// Files that belong to the plugin when it is given as a folder: name and SHA-256.
  package var files: [String: String]

  package static let format = "symbolon-manifest/1"
  /// How many files a bundle may have besides its library.
  package static let fileLimit = 256

  package init(
    description: PluginDescription, toolchain: String, librarySHA256: String, files: [String: String] = [:]
  ) {
    self.description = description
    self.toolchain = toolchain
    self.librarySHA256 = librarySHA256
    self.files = files
  }

  /// Reads a manifest; only the canonical form is taken, so that two readers never understand it differently.
  package init(parsing bytes: some Collection<UInt8>) throws(HostError) {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw Self.damaged("it is not UTF-8") }
    guard let json = try? JSONValue(parsing: bytes) else { throw Self.damaged("it is not JSON") }
    guard json.text == text else { throw Self.damaged("it is not in canonical form") }
    guard json[key: "format"]?.string == Self.format else { throw Self.damaged("its format is not \(Self.format)") }
    guard let described = json[key: "plugin"] else { throw Self.damaged("it describes no plugin") }
    description = try PluginDescription(json: described)
    guard let toolchain = json[key: "toolchain"]?.string, toolchain.utf8.count <= PluginDescription.Limit.textBytes
    else { throw Self.damaged("it lacks a valid `toolchain`") }
    self.toolchain = toolchain
    librarySHA256 = try Self.hash(json[key: "library_sha256"], "library_sha256")
    guard let files = json[key: "files"]?.object, files.count <= Self.fileLimit else {
      throw Self.damaged("it lacks a valid `files`")
    }
    self.files = [:]
    for (name, hash) in files {
      guard Self.isFileName(name) else { throw Self.damaged("`\(name)` is not the name of a file of a bundle") }
      self.files[name] = try Self.hash(hash, name)
    }
    guard Set(json.object?.keys.map { $0 } ?? []) == ["format", "plugin", "toolchain", "library_sha256", "files"] else {
      throw Self.damaged("it has keys that this host does not know")
    }
  }

  package var json: JSONValue {
    .object([
      "format": .string(Self.format), "plugin": description.json, "toolchain": .string(toolchain),
      "library_sha256": .string(librarySHA256), "files": .object(files.mapValues { .string($0) }),
    ])
  }

  /// The text that is written: what a reader would write again, byte for byte.
  func canonicalText() throws(HostError) -> String {
    let text = try JSONValue(parsing: json.text.utf8).text
    guard try JSONValue(parsing: text.utf8).text == text else {
      throw .invalid("no_canonical_form", "The defaults of `\(description.id)` hold a number without one spelling.")
    }
    return text
  }

  /// Checks that the code says the same of itself as the manifest.
  package func match(_ code: PluginDescription) throws(HostError) {
    let (said, found) = (try Self.canonical(description), try Self.canonical(code))
    guard said != found else { return }
    let part = (said.object ?? [:]).merging(found.object ?? [:]) { $1 }.keys.sorted().first {
      said[key: $0] != found[key: $0]
    }
    throw .refused(
      "manifest_differs",
      "The manifest of `\(description.id)` gives other \(part ?? "facts") than its code: it was not made by "
        + "`symbolon plugin seal` from this library.")
  }

  /// A description as a reader of its JSON understands it.
  private static func canonical(_ description: PluginDescription) throws(HostError) -> JSONValue {
    try JSONValue(parsing: description.json.text.utf8)
  }

  /// One level deep at most, nothing hidden: `table.bin`, `data/table.bin`.
  package static func isFileName(_ name: String) -> Bool {
    let parts = name.split(separator: "/", omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), name.utf8.count <= 200 else { return false }
    return parts.allSatisfy { part in
      part.first.map { $0 != "." && $0 != "-" } ?? false
        && part.utf8.allSatisfy { byte in
          switch byte {
          case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
          default: false
          }
        }
    }
  }

  private static func hash(_ value: JSONValue?, _ name: String) throws(HostError) -> String {
    guard let text = value?.string, text.utf8.count == 64, [UInt8](hexadecimal: text)?.hexadecimal == text else {
      throw damaged("`\(name)` has no SHA-256")
    }
    return text
  }

  private static func damaged(_ reason: String) -> HostError {
    .invalid("bad_manifest", "The manifest in the library's seal cannot be used: \(reason).")
  }
}
