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
    /// Where its code runs; nil: in the host's process when a trusted key signed it, else in a worker.
    package var home: HomeKind?
    /// The only library hash that may run, when the operator pinned one.
    package var pin: String?
    /// The most that it may be granted; nil: what it asked for when it was enabled.
    package var permissions: [Permission]?
    package var limits = Limits()
    package var reload = ReloadPolicy()
    package var settings: JSONValue = .object([:])
  }

  /// What one plugin may use.
  package struct Limits: Equatable, Sendable {
    /// Memory of a worker in MiB.
    package var memoryMiB: UInt64 = 512
    /// How long a call in a worker may take when it names no deadline, in milliseconds; 0 = as long as it likes.
    package var deadlineMs: UInt64 = 0
    /// How many threads and processes a worker may have.
    package var threads: UInt64 = 256
  }

  /// How a plugin is replaced.
  package struct ReloadPolicy: Equatable, Sendable {
    /// How long running calls get before a reload gives up, in milliseconds.
    package var drainMs: UInt64 = 10_000
    /// How long a new generation is watched before it is permanent, in milliseconds.
    package var probationMs: UInt64 = 30_000
    /// More failed calls than this, in per cent of at least 20, end the probation with a rollback.
    package var errorBudgetPercent: UInt64 = 50
  }

  /// Whose libraries may run here; it can be tightened while the node runs, and loosened only by a restart.
  package struct TrustPolicy: Equatable, Sendable {
    /// The least role of a signer whose library runs in the host's process; never `anyone`.
    package var host: KeyRole = .local
    /// The least role of a signer whose library runs in a worker.
    package var worker: KeyRole = .anyone
    package var keys: [Key] = []

    /// A `[[trust.keys]]` table: who may sign, and as what.
    package struct Key: Equatable, Sendable {
      package var name: String
      /// Base64 of a minisign public key.
      package var publicKey: String
      package var role: KeyRole
    }
  }

  /// Where the file was read from.
  package var path: String
  /// The file's text.
  package var source: String
  /// `host:port` of the HTTP edge; nil when nobody is served over HTTP.
  package var listen: ListenAddress?
  /// Absolute path of the data folder.
  package var data: String
  /// The least severe level that is logged.
  package var logLevel = "info"
  /// `text` or `json`.
  package var logFormat = "text"
  package var trust = TrustPolicy()
  /// In the order of the file's ids, sorted.
  package var plugins: [Plugin]

  /// Reads and checks a file; the error carries the file's name, line and column.
  package init(contentsOf path: String) throws(HostError) {
    let text = try Self.text(of: path)
    try self.init(parsing: text, path: GoodConfiguration.original(of: text, at: path) ?? path)
    if self.path != path { source = String(text.drop { $0 != "\n" }.dropFirst()) }
  }

  /// True when both ask for the same, however they are written.
  package func means(_ other: Configuration) -> Bool {
    var rewritten = other
    rewritten.source = source
    return self == rewritten
  }

  /// The data folder that a file names, even when other parts of it are wrong: a running node stays within reach.
  static func dataFolder(of path: String) throws(HostError) -> String {
    let reader = try ConfigurationReader(try text(of: path), path: path)
    return ConfigurationReader.expand(try reader.string(["host", "data"]) ?? defaultData)
  }

  private static let defaultData = "~/.symbolon"

  /// The text of a file that the parser survives.
  static func text(of path: String) throws(HostError) -> String {
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
    source = text
    try reader.onlyKeys(["host", "trust", "plugin"], at: [])
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
    trust = try Self.trust(reader)
    plugins = []
    for id in try reader.keys(["plugin"]) { plugins.append(try Self.plugin(id, reader)) }
  }

  private static func plugin(_ id: String, _ reader: ConfigurationReader) throws(HostError) -> Plugin {
    let path = ["plugin", id]
    guard PluginID.isValid(id) else {
      throw reader.failure(path, "`\(id)` is not a plugin id: [a-z][a-z0-9_.-]*, at most 64 bytes.")
    }
    guard !PluginID.reserved.contains(id) else {
      throw reader.failure(path, "`\(id)` is a name that the host itself uses: give the plugin another id.")
    }
    try reader.onlyKeys(
      ["library", "home", "enabled", "pin", "permissions", "limits", "reload", "settings"], at: path)
    guard let library = try reader.string(path + ["library"]), !library.isEmpty else {
      throw reader.failure(path, "[plugin.\(id)] needs `library = \"lib….so\"`.")
    }
    var plugin = Plugin(id: id, library: ConfigurationReader.expand(library))
    plugin.enabled = try reader.bool(path + ["enabled"]) ?? true
    plugin.home = try reader.choice(path + ["home"], HomeKind.allCases.map(\.rawValue)).flatMap(HomeKind.init)
    plugin.settings = try reader.table(path + ["settings"]) ?? .object([:])
    plugin.pin = try reader.string(path + ["pin"])
    if let pin = plugin.pin, [UInt8](hexadecimal: pin)?.count != 32 {
      throw reader.failure(path + ["pin"], "`pin` is the SHA-256 of a library: 64 hexadecimal digits.")
    }
    plugin.permissions = try permissions(path + ["permissions"], reader)
    plugin.limits = try limits(path + ["limits"], reader)
    plugin.reload = try reloadPolicy(path + ["reload"], reader)
    return plugin
  }

  private static func permissions(
    _ key: [String], _ reader: ConfigurationReader
  ) throws(HostError) -> [Permission]? {
    guard let texts = try reader.strings(key) else { return nil }
    var permissions: [Permission] = []
    for text in texts {
      do throws(HostError) { permissions.append(try Permission(parsing: text)) } catch {
        throw reader.failure(key, error.message)
      }
    }
    return permissions.sorted()
  }

  private static func limits(_ key: [String], _ reader: ConfigurationReader) throws(HostError) -> Limits {
    try reader.onlyKeys(["memory_mib", "deadline_ms", "threads"], at: key)
    var limits = Limits()
    limits.memoryMiB = try reader.integer(key + ["memory_mib"], 16...1 << 20) ?? limits.memoryMiB
    limits.deadlineMs = try reader.integer(key + ["deadline_ms"], 0...86_400_000) ?? limits.deadlineMs
    limits.threads = try reader.integer(key + ["threads"], 8...4096) ?? limits.threads
    return limits
  }

  private static func reloadPolicy(_ key: [String], _ reader: ConfigurationReader) throws(HostError) -> ReloadPolicy {
    try reader.onlyKeys(["drain_ms", "probation_ms", "error_budget_percent"], at: key)
    var policy = ReloadPolicy()
    policy.drainMs = try reader.integer(key + ["drain_ms"], 0...600_000) ?? policy.drainMs
    policy.probationMs = try reader.integer(key + ["probation_ms"], 0...86_400_000) ?? policy.probationMs
    policy.errorBudgetPercent = try reader.integer(key + ["error_budget_percent"], 0...100) ?? policy.errorBudgetPercent
    return policy
  }

  private static func trust(_ reader: ConfigurationReader) throws(HostError) -> TrustPolicy {
    try reader.onlyKeys(["host", "worker", "keys"], at: ["trust"])
    let signed = KeyRole.allCases.filter { $0 != .anyone }.map(\.rawValue)
    var policy = TrustPolicy()
    policy.host = try reader.choice(["trust", "host"], signed).flatMap(KeyRole.init) ?? policy.host
    policy.worker =
      try reader.choice(["trust", "worker"], KeyRole.allCases.map(\.rawValue)).flatMap(KeyRole.init) ?? policy.worker
    for row in try reader.rows(["trust", "keys"], keys: ["name", "public_key", "role"]) {
      guard let name = row["name"], let key = row["public_key"], let role = row["role"].flatMap(KeyRole.init),
        role != .anyone
      else {
        throw reader.failure(
          ["trust", "keys"],
          "each [[trust.keys]] needs `name`, `public_key` and `role` (\(signed.joined(separator: ", "))).")
      }
      guard (try? MinisignPublicKey(parsing: key)) != nil else {
        throw reader.failure(
          ["trust", "keys"],
          "the `public_key` of `\(name)` is not a minisign public key: the last line of its .pub file, 56 characters.")
      }
      policy.keys.append(TrustPolicy.Key(name: name, publicKey: key, role: role))
    }
    return policy
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

  /// A free port that only this machine reaches.
  static let anyLoopback = ListenAddress(host: "127.0.0.1", port: 0)

  package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// The form of plugin ids.
package enum PluginID {
  /// Names of the host's own files and folders in the data folder, where a plugin's folder has the plugin's id, and
  /// of the host's own topics.
  static let reserved: Set<String> = [
    "control.sock", "descriptions", "development.key", "grants", "history", "host", "loading", "lock", "plugins.conf",
    "plugins.conf.good", "reload", "snapshots", "state", "store", "trust", "wallets", "workers",
  ]

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
