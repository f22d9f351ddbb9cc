import FoundationEssentials
import Glibc

/// What a configuration needs: its data folder, its port, its libraries.
struct NodeCheck {
  private let config: String
  private let data: String?

  init(config: String, data: String?) { (self.config, self.data) = (config, data) }

  func findings() -> [Finding] {
    var findings: [Finding] = []
    var configuration: Configuration?
    do throws(HostError) {
      let read = try Configuration(contentsOf: config)
      configuration = read
      let enabled = read.plugins.filter(\.enabled).count
      findings.append(
        Finding("config", .ok, "\(config) is right: \(enabled) of \(read.plugins.count) plugins are enabled."))
    } catch {
      findings.append(
        Finding("config", .fail, error.message, remedy: "Correct it; `symbolon check` shows when it is right."))
    }
    guard let folder = data.map(ConfigurationReader.expand) ?? configuration?.data else { return findings }
    findings += folderFindings(folder)
    let isRunning = (try? ControlClient(data: folder)) != nil
    findings.append(socket(folder, isRunning))
    if let address = configuration?.listen { findings.append(Self.port(address, isRunning)) }
    if let configuration { findings += Self.libraries(configuration) }
    findings.append(Self.store(folder))
    return findings
  }

  // MARK: The data folder

  private func folderFindings(_ folder: String) -> [Finding] {
    var status = stat()
    guard stat(folder, &status) == 0 else {
      guard errno == ENOENT else {
        return [
          Finding("data", .fail, "\(folder): \(systemMessage()).", remedy: "Correct the owner or mode of its parents.")
        ]
      }
      return [Finding("data", .ok, "\(folder) is not there yet: the first start makes it.")]
    }
    return [Self.owner(folder, status), Self.space(folder)]
  }

  private static func owner(_ folder: String, _ status: stat) -> Finding {
    guard status.st_mode & S_IFMT == S_IFDIR else {
      return Finding("data", .fail, "\(folder) is not a folder.", remedy: "Move it away, or name another `data`.")
    }
    guard status.st_uid == geteuid() || geteuid() == 0, access(folder, R_OK | W_OK | X_OK) == 0 else {
      return Finding(
        "data", .fail, "\(folder) belongs to the user \(status.st_uid), you are \(geteuid()).",
        remedy: "Run this as the node's user, or `chown -R \(geteuid()) \(folder)`.")
    }
    guard status.st_mode & 0o077 == 0 else {
      let mode = String(status.st_mode & 0o777, radix: 8)
      return Finding(
        "data", .warn, "\(folder) is open to other users (mode \(mode)): it holds keys.",
        remedy: "`chmod 700 \(folder)`.")
    }
    return Finding("data", .ok, "\(folder) is yours alone.")
  }

  private static func space(_ folder: String) -> Finding {
    var status = statvfs()
    guard statvfs(folder, &status) == 0 else {
      return Finding("space", .warn, "The free space of \(folder) is unknown: \(systemMessage()).")
    }
    let free = UInt64(status.f_bavail) * UInt64(status.f_frsize)
    let what = "\(Readable.bytes(free)) are free for \(folder)."
    if free < 64 << 20 {
      return Finding("space", .fail, what, remedy: "Make room: a full disk stops the ledger from writing blocks.")
    }
    if free < 1 << 30 { return Finding("space", .warn, what, remedy: "Make room before less than 64 MiB are left.") }
    return Finding("space", .ok, what)
  }

  private func socket(_ folder: String, _ isRunning: Bool) -> Finding {
    let path = "\(folder)/control.sock"
    guard ControlFrame.address(path) != nil else {
      return Finding(
        "socket", .fail, "\(path) is too long for a socket (107 bytes).", remedy: "Choose a shorter `data` folder.")
    }
    if isRunning { return Finding("socket", .ok, "A node answers on \(path).") }
    guard access(path, F_OK) == 0 else { return Finding("socket", .ok, "No node runs with this folder.") }
    return Finding(
      "socket", .ok, "No node runs; \(path) is left of one that was killed, and the next start replaces it.")
  }

  private static func port(_ address: ListenAddress, _ isRunning: Bool) -> Finding {
    do throws(HostError) {
      let listener = try Listener(binding: address)
      listener.close()
      guard isRunning, address.port != 0 else { return Finding("port", .ok, "\(address) is free.") }
      return Finding(
        "port", .warn, "A node runs, but nobody listens on \(address).",
        remedy: "`listen` was changed since its start: restart it.")
    } catch {
      if isRunning, error.code == "port_in_use" { return Finding("port", .ok, "\(address) is served by the node.") }
      return Finding("port", .fail, error.message, remedy: "`ss -ltnp` names the program.")
    }
  }

  // MARK: Libraries

  /// The checks of a start: the pin, the seal, the signature and the policy; no library is opened.
  private static func libraries(_ configuration: Configuration) -> [Finding] {
    var findings: [Finding] = []
    var (unsigned, signers): ([String], [String]) = ([], [])
    let enabled = configuration.plugins.filter(\.enabled)
    for plugin in enabled {
      do throws(HostError) {
        let verdict = try TrustCheck.check(plugin, of: configuration).verdict
        if verdict.signer.role == .anyone { unsigned.append(plugin.id) }
        signers.append("\(plugin.id): \(verdict.signer.label), \(verdict.home.rawValue)")
      } catch {
        findings.append(
          Finding(
            plugin.id, .fail, error.message,
            remedy: "Put it right, or do without: `symbolon plugin disable \(plugin.id)`."))
      }
    }
    if !signers.isEmpty { findings.append(Finding("signers", .ok, signers.joined(separator: "; ") + ".")) }
    if !unsigned.isEmpty {
      findings.append(
        Finding(
          "signatures", .warn, "Unsigned, or signed with an unknown key: \(unsigned.joined(separator: ", ")).",
          remedy: "`symbolon plugin sign FILE --key KEY`, and name the key under [[trust.keys]] in plugins.conf."))
    }
    guard findings.allSatisfy({ $0.verdict != .fail }), !enabled.isEmpty else { return findings }
    return [Finding("libraries", .ok, "The libraries of all \(enabled.count) enabled plugins are there.")] + findings
  }

  /// Copies of libraries, and what a crash left half written among them.
  private static func store(_ folder: String) -> Finding {
    let manager = FileManager.default
    var (copies, bytes, drafts) = (0, UInt64(0), [String]())
    for hash in (try? manager.contentsOfDirectory(atPath: "\(folder)/store")) ?? [] {
      for name in (try? manager.contentsOfDirectory(atPath: "\(folder)/store/\(hash)")) ?? [] {
        let path = "\(folder)/store/\(hash)/\(name)"
        var status = stat()
        guard lstat(path, &status) == 0 else { continue }
        bytes += UInt64(max(0, status.st_size))
        // A minute: what another process writes just now is none of them.
        if name.hasSuffix(".draft"), time(nil) - status.st_mtim.tv_sec > 60 { drafts.append(path) } else { copies += 1 }
      }
    }
    let what = "\(copies) files of staged libraries, \(Readable.bytes(bytes))"
    guard drafts.isEmpty else {
      return Finding(
        "store", .warn, "\(what); \(drafts.count) half-written ones of a crash.",
        remedy: "Remove them: rm " + drafts.prefix(4).joined(separator: " ") + (drafts.count > 4 ? " …" : ""))
    }
    return Finding("store", .ok, "\(what), nothing half written.")
  }
}
