import FoundationEssentials
import Glibc

extension Configuration.TrustPolicy {
  /// True when this policy lets something run that `other` refuses: such a change needs a restart.
  package func loosens(_ other: Self) -> Bool {
    if host < other.host || worker < other.worker { return true }
    return keys.contains { key in
      let before = other.keys.filter { $0.publicKey == key.publicKey }.map(\.role).max() ?? .anyone
      return key.role > before
    }
  }

  /// A key that may sign, with its public half read.
  struct Signer: Equatable, Sendable {
    var name: String
    var key: MinisignPublicKey
    var role: KeyRole
  }

  /// The keys of plugins.conf and those that came with the host; for a key named twice the higher role first.
  func signers() throws(HostError) -> [Signer] {
    var signers = TrustedKeys.builtIn
    for key in keys {
      signers.append(
        Signer(name: key.name, key: try MinisignPublicKey(parsing: key.publicKey), role: key.role))
    }
    return signers.sorted { $0.role > $1.role }
  }
}

/// The file `trusted.keys` beside the executable: the keys of whoever built the host, one a line: `role name key`.
package enum TrustedKeys {
  package static let fileName = "trusted.keys"

  /// Read once: who may sign does not change while the node runs.
  static let builtIn: [Configuration.TrustPolicy.Signer] = {
    let folder = ExecutablePath.current.lastIndex(of: "/").map { String(ExecutablePath.current[..<$0]) } ?? "."
    let path = "\(folder)/\(fileName)"
    guard let file = try? OpenedFile(path, what: "key file"),
      let bytes = try? file.contents(limit: 64 << 10)
    else { return [] }
    guard file.status.st_mode & S_IWOTH == 0 else {
      StandardError.write("symbolon: \(path) can be written by anybody, so its keys are not trusted: chmod o-w it.\n")
      return []
    }
    do throws(HostError) {
      return try parse(bytes)
    } catch {
      StandardError.write("symbolon: \(path) is not used: \(error.message)\n")
      return []
    }
  }()

  static func parse(_ bytes: [UInt8]) throws(HostError) -> [Configuration.TrustPolicy.Signer] {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .invalid("bad_trusted_keys", "it is not UTF-8.")
    }
    var signers: [Configuration.TrustPolicy.Signer] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let words = line.split(separator: " ").map(String.init)
      if words.isEmpty || words[0].hasPrefix("#") { continue }
      guard words.count == 3, let role = KeyRole(rawValue: words[0]), role != .anyone else {
        throw .invalid("bad_trusted_keys", "line \(index + 1) is not `role name key`.")
      }
      signers.append(
        Configuration.TrustPolicy.Signer(name: words[1], key: try MinisignPublicKey(parsing: words[2]), role: role))
    }
    return signers
  }
}
