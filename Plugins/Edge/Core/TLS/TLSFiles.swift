import Glibc
import NIOCore
import NIOSSL
import Synchronization

/// The certificate and key of `[plugin.edge.settings]`, read again when their files change.
///
/// A renewed certificate is in force for new connections within seconds, without a reload; a file that is being
/// written, or is wrong, leaves the last good one in force.
final class TLSFiles: Sendable {
  private struct Stamp: Equatable, Sendable {
    var inode: UInt64
    var seconds: Int
    var nanoseconds: Int
    var size: Int
  }

  private struct State: Sendable {
    var context: NIOSSLContext
    var stamps: [Stamp?]
    var looked: NIODeadline
  }

  /// How often the files are looked at, at most.
  private static let interval: TimeAmount = .seconds(5)

  private let certificate: String
  private let key: String
  private let log: EdgeLog
  private let state: Mutex<State>

  /// Reads both files; the settings name neither, or both: nil for neither.
  static func read(_ settings: EdgeSettings, log: EdgeLog) throws(EdgeFailure) -> TLSFiles? {
    switch (settings.tlsCertificate, settings.tlsKey) {
    case (nil, nil): return nil
    case (let certificate?, let key?): return try TLSFiles(expand(certificate), expand(key), log)
    default:
      throw EdgeFailure(
        .failedPrecondition, "tls_incomplete",
        "[plugin.edge.settings] names only one of `tls_certificate` and `tls_key`: HTTPS needs both.")
    }
  }

  private init(_ certificate: String, _ key: String, _ log: EdgeLog) throws(EdgeFailure) {
    (self.certificate, self.key, self.log) = (certificate, key, log)
    let context = try Self.load(certificate, key)
    state = Mutex(State(context: context, stamps: [Self.stamp(certificate), Self.stamp(key)], looked: .now()))
  }

  /// What a new connection uses.
  func current() -> NIOSSLContext {
    let (isDue, known) = state.withLock { state in
      let isDue = NIODeadline.now() - state.looked >= Self.interval
      if isDue { state.looked = .now() }
      return (isDue, state)
    }
    guard isDue else { return known.context }
    let stamps = [Self.stamp(certificate), Self.stamp(key)]
    guard stamps != known.stamps else { return known.context }
    do throws(EdgeFailure) {
      let context = try Self.load(certificate, key)
      state.withLock { $0 = State(context: context, stamps: stamps, looked: .now()) }
      log.write(.info, "certificate read again", ["file": certificate])
      return context
    } catch {
      log.write(.warning, "The last good certificate stays in force", ["reason": error.message])
      return known.context
    }
  }

  private static func load(_ certificate: String, _ key: String) throws(EdgeFailure) -> NIOSSLContext {
    try checkMode(key)
    do {
      let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: chain, privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
      configuration.minimumTLSVersion = .tlsv12
      configuration.applicationProtocols = ["http/1.1"]
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw EdgeFailure(
        .failedPrecondition, "tls_unreadable",
        "\(certificate) and \(key) are not a certificate chain and its private key in PEM form, or cannot be read by "
          + "the node: \(error).")
    }
  }

  /// A key that all users of the machine can read is none.
  private static func checkMode(_ key: String) throws(EdgeFailure) {
    var status = stat()
    guard stat(key, &status) == 0 else {
      throw EdgeFailure(
        .failedPrecondition, "tls_unreadable",
        "The key file \(key) cannot be found or read: correct `tls_key` in [plugin.edge.settings].")
    }
    guard status.st_mode & 0o007 == 0 else {
      throw EdgeFailure(
        .failedPrecondition, "tls_key_open", "Every user of this machine can use the key file \(key): chmod 600 it.")
    }
  }

  private static func stamp(_ path: String) -> Stamp? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    return Stamp(
      inode: UInt64(status.st_ino), seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec,
      size: Int(status.st_size))
  }

  private static func expand(_ path: String) -> String {
    guard path.hasPrefix("~/"), let home = getenv("HOME") else { return path }
    return String(cString: home) + path.dropFirst()
  }
}
