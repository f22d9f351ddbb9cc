import ArgumentParser
import Glibc

/// The command `symbolon plugin enable ID`.
struct EnablePlugin: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "enable", abstract: "Enable a plugin in plugins.conf, and start it when the node runs.")

  @Argument(help: "The plugin's id.") var id: String
  @OptionGroup var node: NodeOptions

  func run() {
    Terminal.run(json: node.json) { () throws(HostError) in
      var change = try ConfigurationChange(id, node)
      // Enabled is what a table is that says nothing of it.
      try change.apply("enabled", to: nil) { $0.enabled = true }
      change.report(json: node.json, did: "Enabled \(id)", already: "\(id) is enabled already")
    }
  }
}

/// The command `symbolon plugin disable ID`.
struct DisablePlugin: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "disable", abstract: "Disable a plugin in plugins.conf, and stop it when the node runs.",
    discussion: "Its settings and its state stay: `symbolon plugin enable ID` brings it back as it was.")

  @Argument(help: "The plugin's id.") var id: String
  @OptionGroup var node: NodeOptions

  func run() {
    Terminal.run(json: node.json) { () throws(HostError) in
      var change = try ConfigurationChange(id, node)
      try change.apply("enabled", to: "false") { $0.enabled = false }
      change.report(json: node.json, did: "Disabled \(id)", already: "\(id) is disabled already")
    }
  }
}

/// The command `symbolon plugin pin ID [HASH]`.
struct PinPlugin: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pin", abstract: "Let only one library, known by its hash, run as this plugin.",
    discussion: "Without HASH the library is pinned that runs now, or lies where plugins.conf says when no node runs.")

  @Argument(help: "The plugin's id.") var id: String
  @Argument(help: "SHA-256 of the library, 64 hexadecimal digits.") var hash: String?
  @Flag(name: .customLong("none"), help: "Take the pin away.") var unpin = false
  @OptionGroup var node: NodeOptions

  func run() {
    Terminal.run(json: node.json) { () throws(HostError) in
      guard !unpin || hash == nil else { throw .invalid("hash_and_none", "Give a HASH or --none, not both.") }
      var change = try ConfigurationChange(id, node)
      guard !unpin else {
        try change.apply("pin", to: nil) { $0.pin = nil }
        return change.report(json: node.json, did: "Took the pin of \(id) away", already: "\(id) has no pin")
      }
      let given: String
      if let hash { given = hash } else { given = try change.currentHash() }
      let pin = given.lowercased()
      guard [UInt8](hexadecimal: pin)?.count == 32 else {
        throw .invalid(
          "bad_hash", "`\(pin)` is not a SHA-256: 64 hexadecimal digits, as `symbolon plugin inspect` shows.")
      }
      try change.apply("pin", to: "\"\(pin)\"") { $0.pin = pin }
      change.report(json: node.json, did: "Pinned \(id) to \(pin)", already: "\(id) is pinned to \(pin) already")
    }
  }
}

/// A change of one plugin's table in plugins.conf, on disk and in the running node: both, or neither.
struct ConfigurationChange {
  private let id: String
  private let path: String
  private let client: ControlClient?
  private let before: (text: String, configuration: Configuration)
  private var changed = false
  private var applied: JSONValue?

  init(_ id: String, _ node: NodeOptions) throws(HostError) {
    self.id = id
    client = try Self.client(node)
    var named = node.config
    if let path = try client?.request("status")[key: "configuration"]?.string { named = path }
    guard let real = realpath(named, nil) else {
      throw .notFound("no_configuration", "\(named) cannot be read: name a file with --config.")
    }
    path = String(cString: real)
    free(real)
    let text = try Configuration.text(of: path)
    before = (text, try Configuration(parsing: text, path: path))
    guard before.configuration.plugins.contains(where: { $0.id == id }) else {
      throw Spelling.noPlugin(id, in: before.configuration.plugins.map(\.id), of: path)
    }
  }

  /// The running node, or nil when none runs.
  private static func client(_ node: NodeOptions) throws(HostError) -> ControlClient? {
    do throws(HostError) { return try node.client() } catch {
      if error.code == "no_node" { return nil }
      throw error
    }
  }

  /// Edits the file, checks that it says what was meant and nothing else, writes it, and lets the node apply it.
  mutating func apply(
    _ key: String, to literal: String?, _ meant: (inout Configuration.Plugin) -> Void
  ) throws(HostError) {
    var expected = before.configuration
    guard let index = expected.plugins.firstIndex(where: { $0.id == id }) else { return }
    meant(&expected.plugins[index])
    guard expected != before.configuration else { return }
    var editor = ConfigurationEditor(before.text)
    try editor.set(key, literal, plugin: id)
    guard try SyntaxProbe(editor.text).fatalLine() == nil,
      try Configuration(parsing: editor.text, path: path).means(expected)
    else {
      throw .refused(
        "not_editable",
        "\(path) is written in a way that cannot be edited safely: set `\(key)` of [plugin.\(id)] there yourself.")
    }
    if client == nil { _ = try Checker(expected).plugins() }
    try write(editor.text, replacing: before.text)
    changed = true
    guard let client else { return }
    do throws(HostError) { applied = try client.request("reload") } catch {
      try write(before.text, replacing: editor.text)
      throw HostError(
        Int(error.status), error.code, "The node refused the change, so plugins.conf is as it was: \(error.message)")
    }
  }

  /// The library that runs, or else the one that would be loaded.
  func currentHash() throws(HostError) -> String {
    if let rows = try client?.request("plugins").array {
      let row = rows.first { $0[key: "id"]?.string == id }
      if let hash = row?[key: "library_sha256"]?.string { return hash }
    }
    let library = before.configuration.plugins.first { $0.id == id }?.library ?? ""
    let file = try LibrarySearch(before.configuration).resolve(library)
    return try PluginPackage(at: file).sha256
  }

  func report(json: Bool, did: String, already: String) {
    if json {
      return print(
        JSONValue.object([
          "plugin": .string(id), "changed": .bool(changed), "configuration": .string(path), "applied": applied ?? .null,
        ]).text)
    }
    let effect = client == nil ? "no node runs; the next start obeys" : "the running node obeys"
    print(changed ? "\(did) in \(path); \(effect)." : "\(already): nothing was changed.")
  }

  /// Replaces the file in one step, with its owner and mode, unless somebody else has changed it meanwhile.
  private func write(_ text: String, replacing old: String) throws(HostError) {
    guard try Configuration.text(of: path) == old else {
      throw .refused(
        "changed_meanwhile", "\(path) was changed by somebody else just now: nothing was written, try again.")
    }
    var status = stat()
    guard stat(path, &status) == 0 else { throw .system("not_written", "\(path): \(systemMessage()).") }
    try PrivateFile.write(
      Array(text.utf8), to: path, mode: status.st_mode & 0o777, owner: (status.st_uid, status.st_gid))
  }
}

extension Spelling {
  /// The error for a plugin id that a configuration does not have.
  static func noPlugin(_ id: String, in known: [String], of path: String) -> HostError {
    let hint = nearest(to: id, in: known).map { " Did you mean `\($0)`?" } ?? ""
    return .notFound(
      "no_plugin",
      "\(path) has no plugin `\(id)`.\(hint) It has: \(known.isEmpty ? "none" : known.joined(separator: ", ")).")
  }
}
