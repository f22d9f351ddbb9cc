import Foundation
import Synchronization
import Testing

/// The real host in a scratch folder; ended, and its folder removed, by `stop()`.
final class RunningNode: @unchecked Sendable {  // Proof: used by one test.
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  static var binaries: String {
    ProcessInfo.processInfo.environment["SYMBOLON_BIN_DIR"] ?? "\(root)/.build/release"
  }

  let scratch: String
  private(set) var process = Process()
  var configuration: String { "\(scratch)/plugins.conf" }
  var log: String { (try? String(contentsOfFile: "\(scratch)/log", encoding: .utf8)) ?? "" }

  /// Writes the configuration and starts the node; waits until it is ready or has ended.
  init(plugins: String, listen: String? = nil) throws {
    scratch = try Self.makeScratch()
    try write(plugins, listen: listen)
    try start()
  }

  /// Prepares the folder only.
  init(idle plugins: String, listen: String? = nil) throws {
    scratch = try Self.makeScratch()
    try write(plugins, listen: listen)
  }

  func write(_ plugins: String, listen: String? = nil) throws {
    let address = listen.map { "listen = \"\($0)\"\n" } ?? ""
    let text = "[host]\n\(address)data = \"\(scratch)/data\"\n\(plugins)\n\(try Self.signer.get().trust)"
    try text.write(toFile: configuration, atomically: true, encoding: .utf8)
  }

  func start(_ options: [String] = []) throws {
    _ = FileManager.default.createFile(atPath: "\(scratch)/log", contents: nil)
    process = Process()
    process.executableURL = URL(filePath: "\(Self.binaries)/symbolon")
    process.arguments = ["run", "--config", configuration] + options
    process.standardError = FileHandle(forWritingAtPath: "\(scratch)/log")
    process.standardInput = FileHandle.nullDevice
    try process.run()
    _ = try soon { !process.isRunning || log.contains("node ready") }
  }

  /// Ends the node, as an operator would or at once, and starts it again.
  func restart(_ options: String..., killing: Bool = false) throws {
    if killing { kill(process.processIdentifier, SIGKILL) } else { process.terminate() }
    process.waitUntilExit()
    try start(options)
  }

  /// Ends the node as an operator would, and removes the folder.
  func stop() {
    if process.isRunning { process.terminate() }
    process.waitUntilExit()
    try? FileManager.default.removeItem(atPath: scratch)
  }

  /// Runs a command of the command line against this node.
  @discardableResult
  func command(_ words: String...) throws -> (status: Int32, out: String, err: String) {
    try Self.run(["\(Self.binaries)/symbolon"] + words, environment: ["SYMBOLON_CONFIG": configuration])
  }

  /// Starts a command that writes lines, to be read while it runs.
  func begin(_ words: String...) throws -> RunningCommand {
    try RunningCommand(["\(Self.binaries)/symbolon"] + words, environment: ["SYMBOLON_CONFIG": configuration])
  }

  static func run(_ words: [String], environment: [String: String] = [:]) throws -> (
    status: Int32, out: String, err: String
  ) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = words
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let (out, err) = (Pipe(), Pipe())
    process.standardOutput = out
    process.standardError = err
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let output = out.fileHandleForReading.readDataToEndOfFile()
    let errors = err.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self), String(decoding: errors, as: UTF8.self))
  }

  /// Builds the fixture plugin with these definitions and gives back its path.
  static func fixture(_ definitions: String...) throws -> String { try fixture(definitions) }

  /// Builds the counter that hands its state over.
  static func stateful(_ definitions: String...) throws -> String { try stateful(definitions) }

  static func stateful(_ definitions: [String]) throws -> String {
    // Not sealed: that opens the library, and some of these do not survive it, or never come back.
    let library = try fixture(definitions, source: "stateful.c", signed: false)
    let key = try signer.get().key
    let result = try run(["\(binaries)/symbolon", "plugin", "sign", library, "--key", key])
    try #require(result.status == 0, "\(result.err)")
    return library
  }

  /// Puts a library with its signature in the place of another.
  static func put(_ library: String, at path: String) throws {
    for suffix in ["", ".minisig"] {
      try? FileManager.default.removeItem(atPath: path + suffix)
      try FileManager.default.copyItem(atPath: library + suffix, toPath: path + suffix)
    }
  }

  /// A key that this run of the tests made, and the lines of plugins.conf that trust it.
  struct Signer: Sendable {
    let key: String
    let publicKey: String

    var trust: String { "[[trust.keys]]\nname = \"tests\"\npublic_key = \"\(publicKey)\"\nrole = \"local\"\n" }

    /// Seals and signs a library in place; one that is broken on purpose is signed as it is.
    func sign(_ library: String) throws {
      let binary = "\(RunningNode.binaries)/symbolon"
      _ = try RunningNode.run([binary, "plugin", "seal", library])
      let result = try RunningNode.run([binary, "plugin", "sign", library, "--key", key])
      try #require(result.status == 0, "\(result.err)")
    }
  }

  /// The signed copy of a layer of this repository.
  static func layer(_ name: String) throws -> String {
    let signed = try run(["\(root)/Scripts/sign-layers"], environment: ["SYMBOLON_BUILT": binaries])
    try #require(signed.status == 0, "\(signed.err)")
    return "\(binaries)/layers/lib\(name).so"
  }

  /// Made once, at the first use.
  static let signer = Result { try makeSigner() }

  static func makeSigner() throws -> Signer {
    let key = "\(try makeScratch())/tests.key"
    let result = try run(["\(binaries)/symbolon", "plugin", "keygen", "--no-password", "--output", key, "--json"])
    let publicKey = try #require(result.out.firstMatch(of: /"public_key":"([^"]+)"/)?.1, "\(result.err)")
    return Signer(key: key, publicKey: String(publicKey))
  }

  /// Builds a source of `Tests/Fixtures` with these definitions and headers, signs it, and gives back its path.
  static func fixture(
    _ definitions: [String], source: String = "fixture.c", headers: String = "Sources/PluginAPI/include",
    signed: Bool = true
  ) throws -> String {
    let folder = try makeScratch()
    let library = "\(folder)/libfixture.so"
    let result = try run(
      ["cc", "-std=gnu11", "-fPIC", "-shared", "-fvisibility=hidden", "-I\(root)/\(headers)"]
        + definitions.map { "-D\($0)" } + ["-o", library, "\(root)/Tests/Fixtures/\(source)"])
    try #require(result.status == 0, "\(result.err)")
    if signed { try signer.get().sign(library) }
    return library
  }

  private static func makeScratch() throws -> String {
    // Short: a socket's path has at most 107 bytes.
    let folder = "/tmp/symbolon-\(getpid())-\(counter.wrappingAdd(1, ordering: .relaxed).newValue)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return folder
  }

  private static let counter = Atomic<Int>(0)
}

/// A command whose output is read while it runs.
final class RunningCommand {
  private let process = Process()
  private let output = Pipe()

  init(_ words: [String], environment: [String: String]) throws {
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = words
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardOutput = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
  }

  /// The first line; waits for it.
  func firstLine() throws -> String {
    var bytes = Data()
    while let byte = try output.fileHandleForReading.read(upToCount: 1), byte.first != UInt8(ascii: "\n"), !byte.isEmpty
    {
      bytes += byte
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Ends the command; the test runner's children inherit that gentler signals are blocked.
  func end() {
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// Everything after it; waits for the end.
  func rest() throws -> String {
    let bytes = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// How long a test waits for something that has to come: not how long it may take, but when to stop waiting for it.
private let patience = Duration.seconds(120)

/// Waits until the condition holds; false when it never does.
func soon(_ condition: () throws -> Bool) throws -> Bool {
  let limit = ContinuousClock.now + patience
  while ContinuousClock.now < limit {
    if try condition() { return true }
    usleep(20_000)
  }
  return false
}

extension RunningNode {
  /// Asks again and again, until the condition holds.
  func waitUntil(_ condition: () throws -> Bool) throws { try #require(try soon(condition), "\(log)") }

  /// Waits until a call runs in a plugin.
  func waitForCall(in plugin: String) throws {
    try waitUntil {
      try command("plugin", "list", "--json").out.contains("\"id\":\"\(plugin)\",\"in_flight\":1")
    }
  }

  /// Makes the file that a call, or a step of a plugin, waits for.
  func open(_ gate: String) throws {
    try #require(FileManager.default.createFile(atPath: gate, contents: nil), "\(gate)")
  }
}
