import CSodium
import FoundationEssentials
import Glibc
import PluginAPI

/// A host that has every service and no other plugin: what a plugin under test runs in.
///
/// Never freed: a case ends with its process.
final class VerifierHost: @unchecked Sendable {  // Proof: constant after init.
  let native: UnsafePointer<symbolon_host>
  private let folder: UnsafePointer<CChar>
  private let grants: Bool

  /// - Parameter grants: false for a host that gives NULL for every service.
  init(id: String, grants: Bool) throws(CaseEnd) {
    self.grants = grants
    let place = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
    var template = Array("\(place)/symbolon-verify-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw .skip("No folder can be made in \(place): \(systemMessage()).") }
    let path = String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    folder = permanentText(path)
    let host = UnsafeMutablePointer<symbolon_host>.allocate(capacity: 1)
    host.initialize(to: symbolon_host())
    native = UnsafePointer(host)
    host.pointee.struct_size = UInt32(MemoryLayout<symbolon_host>.size)
    host.pointee.abi = UInt32(SYMBOLON_ABI)
    host.pointee.version = permanentText(Version.current)
    host.pointee.plugin_id = permanentText(id)
    host.pointee.context = Unmanaged.passRetained(self).toOpaque()
    host.pointee.service = { host, id in
      guard let host, let id else { return nil }
      let own = VerifierHost.of(host)
      return own.grants ? VerifierServices.table(for: String(cString: id)) : nil
    }
    Self.folders.append(path)
  }

  // Proof: a case creates its hosts on one thread.
  nonisolated(unsafe) private static var folders: [String] = []

  /// Removes what plugins wrote into their folders.
  static func removeFolders() {
    for folder in folders { try? FileManager.default.removeItem(atPath: folder) }
    folders = []
  }

  static func of(_ host: UnsafePointer<symbolon_host>) -> VerifierHost {
    guard let context = host.pointee.context else { preconditionFailure("A plugin changed its host struct.") }
    return Unmanaged<VerifierHost>.fromOpaque(context).takeUnretainedValue()
  }

  static func folder(of host: UnsafePointer<symbolon_host>) -> UnsafePointer<CChar> { of(host).folder }
}

/// The services of the verifier's host: honest where one process suffices, refusing where a node is needed.
private enum VerifierServices {
  static func table(for id: String) -> UnsafeRawPointer? {
    switch id {
    case SYMBOLON_LOG: log
    case SYMBOLON_CONFIG: config
    case SYMBOLON_STORAGE: storage
    case SYMBOLON_CLOCK: clock
    case SYMBOLON_RANDOM: random
    case SYMBOLON_EVENTS: events
    case SYMBOLON_IDENTITY: identity
    case SYMBOLON_CATALOG: catalog
    case SYMBOLON_INVOKE: invoke
    case SYMBOLON_SOCKETS: sockets
    default: nil
    }
  }

  // Proof of all tables: constant after first use.
  nonisolated(unsafe) private static let log = Services.permanent(symbolon_log()) {
    $0.pointee.write = { _, _, _, _ in }
  }
  nonisolated(unsafe) private static let config = Services.permanent(symbolon_config()) {
    $0.pointee.settings = { _, sink in Services.write("{}", to: sink) }
  }
  nonisolated(unsafe) private static let storage = Services.permanent(symbolon_storage()) {
    $0.pointee.folder = { host in host.map { VerifierHost.folder(of: $0) } }
  }
  nonisolated(unsafe) private static let clock = Services.permanent(symbolon_clock()) {
    $0.pointee.unix_ms = { _ in MonotonicClock.unixMilliseconds }
    $0.pointee.monotonic_ns = { _ in MonotonicClock.nanoseconds }
  }
  nonisolated(unsafe) private static let random = Services.permanent(symbolon_random()) {
    $0.pointee.fill = { _, bytes, count in
      Entropy.fill(UnsafeMutableRawBufferPointer(start: bytes, count: Int(clamping: count)))
    }
  }
  nonisolated(unsafe) private static let events = Services.permanent(symbolon_events()) {
    $0.pointee.publish = { _, _, _ in 0 }
    $0.pointee.subscribe = { _, _, _, _ in 0 }
  }
  nonisolated(unsafe) private static let identity = Services.permanent(symbolon_identity()) {
    $0.pointee.public_key = { _, key in
      guard let key else { return }
      var secret = [UInt8](repeating: 0, count: Int(crypto_sign_SECRETKEYBYTES))
      crypto_sign_seed_keypair(key, &secret, [UInt8](repeating: 7, count: Int(crypto_sign_SEEDBYTES)))
    }
    $0.pointee.sign = { _, message, signature in
      guard let signature, message.buffer.starts(with: Array("symbolon/".utf8)) else {
        return Int32(SYMBOLON_INVALID_ARGUMENT)
      }
      var secret = [UInt8](repeating: 0, count: Int(crypto_sign_SECRETKEYBYTES))
      var key = [UInt8](repeating: 0, count: Int(crypto_sign_PUBLICKEYBYTES))
      crypto_sign_seed_keypair(&key, &secret, [UInt8](repeating: 7, count: Int(crypto_sign_SEEDBYTES)))
      return crypto_sign_detached(signature, nil, message.data ?? UnsafePointer(signature), message.size, secret)
    }
  }
  nonisolated(unsafe) private static let catalog = Services.permanent(symbolon_catalog()) {
    $0.pointee.revision = { _ in 1 }
    $0.pointee.json = { _, sink in
      Services.write(#"{"host":{"version":"\#(Version.current)"},"plugins":[],"revision":1}"#, to: sink)
    }
  }
  nonisolated(unsafe) private static let invoke = Services.permanent(symbolon_invoke()) {
    $0.pointee.invoke = { _, call, _, _ in
      symbolon_fail(call, Int32(SYMBOLON_UNAVAILABLE), "no_provider", "The verifier has no other plugins.")
    }
    $0.pointee.encode = { _, call, _, _, _ in
      symbolon_fail(call, Int32(SYMBOLON_UNAVAILABLE), "no_provider", "The verifier has no other plugins.")
    }
  }
  nonisolated(unsafe) private static let sockets = Services.permanent(symbolon_sockets()) {
    $0.pointee.listening = { _, call, _ in
      symbolon_fail(call, Int32(SYMBOLON_FAILED_PRECONDITION), "no_listener", "The verifier listens nowhere.")
    }
  }
}
