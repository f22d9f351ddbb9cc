import FoundationEssentials
import Glibc

/// Who signed a library, and where it may run.
package struct TrustCheck {
  private let policy: Configuration.TrustPolicy

  package init(_ policy: Configuration.TrustPolicy) { self.policy = policy }

  /// What is known of a library's signer.
  package struct Signer: Equatable, Sendable {
    package var role: KeyRole
    /// As [[trust.keys]] names it; nil when nobody signed, or a key that is not named there.
    package var name: String?
    /// The id of the key that signed, as minisign prints it.
    package var keyID: String?
    /// Covered by the signature.
    package var comment: String?

    static let nobody = Signer(role: .anyone)

    /// A few words for tables: `name (role)`, `unsigned`, or `unknown key`.
    package var label: String {
      name.map { "\($0) (\(role.rawValue))" } ?? (keyID == nil ? "unsigned" : "unknown key")
    }

    /// For rows of plugins.
    var members: [String: JSONValue] {
      [
        "signer": name.map { .string($0) } ?? .null, "role": .string(role.rawValue),
        "key": keyID.map { .string($0) } ?? .null, "signed": .string(label),
      ]
    }
  }

  /// What holds of a stored library.
  package struct Verdict: Equatable, Sendable {
    package var signer: Signer
    package var manifest: Manifest?
    package var home: HomeKind
  }

  /// Checks a stored library against its pin, its seal, its signature and the policy; nothing of it is opened.
  ///
  /// `source` is the path that the operator knows, for the sentences.
  func check(
    _ entry: LibraryStore.Entry, _ plugin: Configuration.Plugin, source: String
  ) throws(HostError) -> Verdict {
    if let pin = plugin.pin, pin.lowercased() != entry.sha256 {
      throw .refused(
        "not_pinned",
        "[plugin.\(plugin.id)] pins \(pin.lowercased()), but \(source) is \(entry.sha256): restore the pinned "
          + "library, or change `pin`.")
    }
    let file = try OpenedFile(entry.path, what: "library")
    let (manifest, _) = try PluginPackage.manifest(of: file)
    if let manifest { try manifest.description.check(expecting: plugin.id) }
    let signer = try signer(of: file, signature: try PluginPackage.signature(of: entry.path), source: source)
    return Verdict(signer: signer, manifest: manifest, home: try home(for: signer, plugin, source))
  }

  /// The same of the library that a configuration names, where it lies: for commands that start nothing.
  static func check(
    _ plugin: Configuration.Plugin, of configuration: Configuration
  ) throws(HostError) -> (entry: LibraryStore.Entry, verdict: Verdict) {
    let path = try AbsolutePath.of(try LibrarySearch(configuration).resolve(plugin.library))
    let package = try PluginPackage(at: path)
    let entry = LibraryStore.Entry(sha256: package.sha256, path: package.library.path)
    return (entry, try TrustCheck(configuration.trust).check(entry, plugin, source: path))
  }

  /// Where a library of this signer runs.
  func home(
    for signer: Signer, _ plugin: Configuration.Plugin, _ source: String
  ) throws(HostError) -> HomeKind {
    let home = plugin.home ?? (signer.role >= policy.host ? .host : .worker)
    let least = home == .host ? policy.host : policy.worker
    guard signer.role < least else { return home }
    let place = home == .host ? "in the host's process" : "in a worker"
    let who =
      signer.name.map { "is signed by `\($0)` (\(signer.role.rawValue))" }
      ?? signer.keyID.map { "is signed with the key \($0), which nobody here knows" } ?? "is not signed"
    let way = home == .host && signer.role >= policy.worker ? ", or set home = \"worker\"" : ""
    throw HostError(
      7, "not_trusted",
      "\(source) \(who), and \(place) only libraries of the role `\(least.rawValue)` run: sign it with `symbolon "
        + "plugin sign \(source) --key KEY` and name the key under [[trust.keys]] in plugins.conf\(way).")
  }

  /// Who signed an open file.
  ///
  /// A signature that does not fit is refused everywhere: the file is not what was signed.
  func signer(of file: OpenedFile, signature: [UInt8]?, source: String) throws(HostError) -> Signer {
    guard let signature else { return .nobody }
    do throws(HostError) {
      let parsed = try MinisignSignature(parsing: signature)
      guard let known = try policy.signers().first(where: { $0.key.id == parsed.keyID }) else {
        return Signer(role: .anyone, name: nil, keyID: parsed.keyName, comment: nil)
      }
      try file.withDescriptor { (file) throws(HostError) in try parsed.verify(descriptor: file, with: known.key) }
      return Signer(role: known.role, name: known.name, keyID: parsed.keyName, comment: parsed.trustedComment)
    } catch {
      throw HostError(Int(error.status), error.code, "\(source).minisig: \(error.message)")
    }
  }
}

extension TrustCheck {
  /// What a file is worth under a policy, for `plugin check-signature` and `plugin verify`.
  package struct Report: Equatable, Sendable {
    package var file: String
    package var sha256: String
    package var manifest: Manifest?
    package var signer: Signer
    /// Where it may run: none, one or both.
    package var homes: [HomeKind]

    package var json: JSONValue {
      var members: [String: JSONValue] = [
        "file": .string(file), "sha256": .string(sha256), "role": .string(signer.role.rawValue),
        "homes": .array(homes.map { .string($0.rawValue) }), "sealed": .bool(manifest != nil),
      ]
      members["signer"] = signer.name.map { .string($0) }
      members["key"] = signer.keyID.map { .string($0) }
      members["comment"] = signer.comment.map { .string($0) }
      members["manifest"] = manifest?.json
      return .object(members)
    }
  }

  /// Reads a library or bundle where it lies; throws when its seal, files or signature do not fit each other.
  package static func report(_ file: String, _ policy: Configuration.TrustPolicy) throws(HostError) -> Report {
    let package = try PluginPackage(at: file)
    let signer = try TrustCheck(policy).signer(
      of: package.library, signature: package.signature, source: package.library.path)
    var homes: [HomeKind] = []
    if signer.role >= policy.host { homes.append(.host) }
    if signer.role >= policy.worker { homes.append(.worker) }
    return Report(
      file: package.library.path, sha256: package.sha256, manifest: package.manifest, signer: signer, homes: homes)
  }
}
