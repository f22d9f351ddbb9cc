import FoundationEssentials
import TOMLKit

/// What plugins.conf says, checked as a whole: a wrong file changes nothing.
package struct Configuration: Equatable, Sendable {
  /// One `[plugin.<id>]` table.
  package struct Plugin: Equatable, Sendable {
    package var id: String
    /// As written: absolute, or a name that is looked up beside the file and beside the executable.
    package var library: String
    package var enabled = true
    package var settings: JSONValue = .object([:])
  }

  /// Where the file was read from.
  package var path: String
  /// `host:port` of the HTTP edge; nil when nobody is served over HTTP.
  package var listen: ListenAddress?
  /// Absolute path of the data folder.
  package var data: String
  /// The least severe level that is logged.
  package var logLevel = "info"
  /// `text` or `json`.
  package var logFormat = "text"
  /// In the order of the file's ids, sorted.
  package var plugins: [Plugin]

  /// Reads and checks a file; the error carries the file's name, line and column.
  package init(contentsOf path: String) throws(HostError) {
    try self.init(parsing: try Self.read(path), path: path)
  }

  /// The data folder that a file names, even when other parts of it are wrong: a running node stays within reach.
  static func dataFolder(of path: String) throws(HostError) -> String {
    let reader = try ConfigurationReader(try read(path), path: path)
    return ConfigurationReader.expand(try reader.string(["host", "data"]) ?? defaultData)
  }

  private static let defaultData = "~/.symbolon"

  private static func read(_ path: String) throws(HostError) -> String {
    let bytes: Data
    do {
      bytes = try Data(contentsOf: URL(filePath: path))
    } catch {
      throw .notFound("no_configuration", "\(path) cannot be read: name a file with --config.")
    }
    guard bytes.count <= 1 << 20 else {
      throw .invalid("configuration_too_large", "\(path) has \(bytes.count) bytes; at most 1 MiB is read.")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .invalid("configuration_not_utf8", "\(path) is not UTF-8 text.")
    }
    if let line = try SyntaxProbe(text).fatalLine() {
      throw .invalid("configuration_syntax", "\(path):\(line):1: this is not TOML. Nothing was changed.")
    }
    return text
  }

  /// Checks a text that the parser is known to survive: `init(contentsOf:)` asks a child process first.
  package init(parsing text: String, path: String) throws(HostError) {
    let reader = try ConfigurationReader(text, path: path)
    self.path = path
    try reader.onlyKeys(["host", "plugin"], at: [])
    try reader.onlyKeys(["listen", "data", "log_level", "log_format"], at: ["host"])
    listen = try reader.string(["host", "listen"]).map { text throws(HostError) in
      do throws(HostError) { return try ListenAddress(parsing: text) } catch {
        throw reader.failure(["host", "listen"], error.message)
      }
    }
    data = ConfigurationReader.expand(try reader.string(["host", "data"]) ?? Self.defaultData)
    guard data.hasPrefix("/") else {
      throw reader.failure(["host", "data"], "`data` must be an absolute path, or begin with ~/.")
    }
    logLevel = try reader.choice(["host", "log_level"], ["debug", "info", "warning", "error"]) ?? "info"
    logFormat = try reader.choice(["host", "log_format"], ["text", "json"]) ?? "text"
    plugins = []
    for id in try reader.keys(["plugin"]) { plugins.append(try Self.plugin(id, reader)) }
  }

  private static func plugin(_ id: String, _ reader: ConfigurationReader) throws(HostError) -> Plugin {
    let path = ["plugin", id]
    guard PluginID.isValid(id) else {
      throw reader.failure(path, "`\(id)` is not a plugin id: [a-z][a-z0-9_.-]*, at most 64 bytes.")
    }
    try reader.onlyKeys(["library", "home", "enabled", "settings"], at: path)
    guard let library = try reader.string(path + ["library"]), !library.isEmpty else {
      throw reader.failure(path, "[plugin.\(id)] needs `library = \"lib….so\"`.")
    }
    if try reader.choice(path + ["home"], ["host", "worker"]) == "worker" {
      throw reader.failure(path + ["home"], "home = \"worker\" is not offered by this version: use \"host\".")
    }
    return Plugin(
      id: id, library: ConfigurationReader.expand(library), enabled: try reader.bool(path + ["enabled"]) ?? true,
      settings: try reader.table(path + ["settings"]) ?? .object([:]))
  }
}

/// The address of `[host] listen`.
package struct ListenAddress: Equatable, Sendable, CustomStringConvertible {
  package var host: String
  package var port: UInt16

  /// Reads `127.0.0.1:8080`, `[::1]:8080` or `localhost:0`.
  package init(parsing text: String) throws(HostError) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
      throw .invalid("not_an_address", "`\(text)` is not an address like 127.0.0.1:8080.")
    }
    var host = String(text[..<colon])
    if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
    guard !host.isEmpty else {
      throw .invalid("not_an_address", "`\(text)` names no host: write 127.0.0.1:\(port) or 0.0.0.0:\(port).")
    }
    (self.host, self.port) = (host, port)
  }

  package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// The form of plugin ids.
package enum PluginID {
  package static func isValid(_ id: String) -> Bool {
    guard let first = id.utf8.first, (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first) else { return false }
    return id.utf8.count <= 64
      && id.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"),
          UInt8(ascii: "."), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }
}
