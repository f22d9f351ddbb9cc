import ArgumentParser
import FoundationEssentials
import Glibc

extension PluginCommand {
  /// The command `symbolon plugin seal FILE`.
  struct SealOne: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "seal", abstract: "Write a library's manifest behind it, so that it can be read without running it.")

    @Argument(help: "The library, as the linker wrote it or sealed before.")
    var file: String

    @Option(help: "Write the sealed library here instead of over the file.")
    var output: String?

    @Option(name: .customLong("with"), help: "A file beside the library that belongs to the plugin; once for each.")
    var files: [String] = []

    @Option(help: "What built it; otherwise the compilers' names that the library holds.")
    var toolchain: String?

    @Flag(help: "Print JSON.")
    var json = false

    func run() {
      Terminal.run(json: json) { () throws(HostError) in
        let target = output ?? file
        let manifest = try Sealing.seal(file, output: target, files: files, toolchain: toolchain)
        if json { return print(manifest.json.text) }
        let plugin = manifest.description
        print("Sealed \(target): \(plugin.id) \(plugin.version), \(plugin.methods.count) methods.")
      }
    }
  }

  /// The command `symbolon plugin keygen`.
  struct KeyGen: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "keygen", abstract: "Make a key that signs libraries, in minisign's format.")

    @Option(help: "The file of the secret key; the public key goes beside it, with .pub at the end.")
    var output = "symbolon.key"

    @Flag(help: "Leave the key without a password: whoever reads the file can sign.")
    var noPassword = false

    @Flag(help: "Print JSON.")
    var json = false

    func run() {
      Terminal.run(json: json) { () throws(HostError) in
        let stem = output.hasSuffix(".key") ? String(output.dropLast(4)) : output
        let publicFile = "\(stem).pub"
        for path in [output, publicFile] where access(path, F_OK) == 0 {
          throw .refused("key_exists", "\(path) is there already: name another file with --output.")
        }
        let key = MinisignSecretKey()
        let password = noPassword ? nil : try KeyPassword.choose()
        try PrivateFile.write(Array(try key.file(password: password).utf8), to: output)
        try NewFile.write(Array(key.publicKey.file.utf8), to: publicFile, mode: 0o644)
        if json {
          let members = ["key": output, "public_key": key.publicKey.base64, "id": key.publicKey.name]
          return print(JSONValue.object(members.mapValues { .string($0) }).text)
        }
        print(
          """
          Made the key \(key.publicKey.name): \(output) signs, \(publicFile) is for everybody. A node that shall trust it
          gets these lines in its plugins.conf, with the role local, vendor or core:

          [[trust.keys]]
          name       = "\(stem.split(separator: "/").last ?? "me")"
          public_key = "\(key.publicKey.base64)"
          role       = "local"
          """)
      }
    }
  }

  /// The command `symbolon plugin sign FILE`.
  struct Sign: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "sign", abstract: "Write FILE.minisig, which minisign verifies as well.")

    @Argument(help: "The library.")
    var file: String

    @Option(help: "The secret key, from `symbolon plugin keygen` or `minisign -G`.")
    var key: String

    @Option(help: "A comment that the signature covers; otherwise time and name of the file.")
    var comment: String?

    @Flag(help: "Print JSON.")
    var json = false

    func run() {
      Terminal.run(json: json) { () throws(HostError) in
        let secret = try KeyFile.open(key)
        let library = try OpenedFile(file, what: "library")
        let name = file.split(separator: "/").last.map(String.init) ?? file
        let signature = try library.withDescriptor { (file) throws(HostError) in
          try secret.sign(descriptor: file, fileName: name, comment: comment)
        }
        try NewFile.write(Array(signature.file.utf8), to: "\(file).minisig", mode: 0o644)
        let hash = try library.sha256()
        if json {
          let members = ["signature": "\(file).minisig", "key": secret.publicKey.name, "sha256": hash]
          return print(JSONValue.object(members.mapValues { .string($0) }).text)
        }
        print("Signed \(file) with the key \(secret.publicKey.name): \(file).minisig")
      }
    }
  }

  /// The command `symbolon plugin check-signature FILE`.
  struct CheckSignature: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "check-signature", abstract: "Show who signed a library or bundle and where it may run.")

    @Argument(help: "The library, or a folder with one.")
    var file: String

    @Option(help: "The configuration whose [trust] counts.")
    var config = NodeOptions.defaultConfiguration

    @Option(help: "Check against this minisign public key alone: a .pub file, or its last line.")
    var publicKey: String?

    @Flag(help: "Print JSON.")
    var json = false

    func run() {
      Terminal.run(json: json) { () throws(HostError) in
        let report = try TrustCheck.report(file, try policy())
        if publicKey != nil, report.signer.name == nil {
          throw .refused("not_signed", "\(file) is not signed with this key.")
        }
        if json { return print(report.json.text) }
        for line in report.lines { print(line) }
      }
    }

    private func policy() throws(HostError) -> Configuration.TrustPolicy {
      if let publicKey {
        let text = (try? OpenedFile(publicKey, what: "key")).flatMap {
          try? $0.contents(limit: 4096)
        }.map { String(decoding: $0, as: UTF8.self) }
        let key = try MinisignPublicKey(parsing: text ?? publicKey)
        var policy = Configuration.TrustPolicy()
        policy.keys = [.init(name: "the given key", publicKey: key.base64, role: .local)]
        return policy
      }
      guard access(config, R_OK) == 0 else { return Configuration.TrustPolicy() }
      return try Configuration(contentsOf: config).trust
    }
  }
}

extension TrustCheck.Report {
  /// For people.
  var lines: [String] {
    let who =
      signer.name.map { "\($0), role \(signer.role.rawValue), key \(signer.keyID ?? "?")" }
      ?? signer.keyID.map { "an unknown key, \($0)" } ?? "nobody"
    var lines = ["file      \(file)", "sha256    \(sha256)", "signed by \(who)"]
    if let comment = signer.comment { lines.append("comment   \(comment)") }
    let places = homes.map { $0 == .host ? "the host's process" : "a worker" }
    lines.append("may run in \(places.isEmpty ? "no home" : places.joined(separator: " and "))")
    guard let manifest else { return lines + ["not sealed: what it asks for is known only when it is opened"] }
    let plugin = manifest.description
    lines.append("plugin    \(plugin.id) \(plugin.version), ABI \(plugin.abi): \(plugin.summary)")
    lines.append("built by  \(manifest.toolchain)")
    for permission in Grants.requested(by: plugin) { lines.append("asks for  \(permission)") }
    for name in manifest.files.keys.sorted() { lines.append("with      \(name)") }
    return lines
  }
}

/// Opening secret keys.
enum KeyFile {
  static func open(_ path: String) throws(HostError) -> MinisignSecretKey {
    let file = try OpenedFile(path, what: "key")
    guard file.status.st_mode & (S_IRWXG | S_IRWXO) == 0 else {
      throw .refused("key_readable", "\(path) can be read by others: `chmod 600 \(path)`, if nobody has copied it yet.")
    }
    let bytes = try file.contents(limit: 4096)
    let password = try MinisignSecretKey.needsPassword(bytes) ? try KeyPassword.ask("Password of \(path): ") : nil
    return try MinisignSecretKey(parsing: bytes, password: password)
  }
}

/// Where the password of a key comes from: $SYMBOLON_KEY_PASSWORD, else the terminal without echo, else a line of input.
enum KeyPassword {
  static func ask(_ prompt: String) throws(HostError) -> [UInt8] {
    if let text = ProcessInfo.processInfo.environment["SYMBOLON_KEY_PASSWORD"] { return Array(text.utf8) }
    let isTerminal = isatty(STDIN_FILENO) == 1
    var before = termios()
    if isTerminal {
      StandardError.write(prompt)
      tcgetattr(STDIN_FILENO, &before)
      var silent = before
      silent.c_lflag &= ~tcflag_t(ECHO)
      tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent)
    }
    defer {
      if isTerminal {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before)
        StandardError.write("\n")
      }
    }
    guard let line = readLine(), line.utf8.count <= 1024 else {
      throw .invalid("no_password", "No password was given: set SYMBOLON_KEY_PASSWORD, or enter a line.")
    }
    return Array(line.utf8)
  }

  /// Asks twice on a terminal.
  static func choose() throws(HostError) -> [UInt8] {
    let password = try ask("Password of the new key: ")
    guard !password.isEmpty else {
      throw .invalid("empty_password", "The password is empty: --no-password makes a key without one.")
    }
    if isatty(STDIN_FILENO) == 1, ProcessInfo.processInfo.environment["SYMBOLON_KEY_PASSWORD"] == nil {
      guard try ask("The same once more: ") == password else {
        throw .invalid("passwords_differ", "The two passwords are not the same.")
      }
    }
    return password
  }
}
