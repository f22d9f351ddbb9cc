import Glibc
import Logging
import PluginAPI
import Synchronization

/// What one plugin generation holds of the host: the C struct and everything behind its services.
final class HostContext: @unchecked Sendable {  // Proof: constant after init; lives as long as its generation.
  let pluginID: String
  let cPluginID: UnsafePointer<CChar>
  let settings: JSONValue
  let storage: UnsafePointer<CChar>
  /// What this generation may use.
  let grants: Grants
  let logger: Logger
  let node: Node
  let events: EventBus
  private(set) var native: UnsafePointer<symbolon_host>

  /// Refusals that the log has already named.
  private let refusals = Mutex<Set<Permission>>([])

  init(pluginID: String, settings: JSONValue, storage: String, grants: Grants, node: Node) {
    self.pluginID = pluginID
    self.grants = grants
    self.settings = settings
    self.node = node
    cPluginID = permanentText(pluginID)
    self.storage = permanentText(storage)
    logger = node.logger(for: pluginID)
    events = node.events
    let host = UnsafeMutablePointer<symbolon_host>.allocate(capacity: 1)
    host.initialize(to: symbolon_host())
    native = UnsafePointer(host)
    host.pointee.struct_size = UInt32(MemoryLayout<symbolon_host>.size)
    host.pointee.abi = UInt32(SYMBOLON_ABI)
    host.pointee.version = Version.text
    host.pointee.plugin_id = cPluginID
    host.pointee.context = Unmanaged.passUnretained(self).toOpaque()
    host.pointee.service = { host, id in
      guard let host, let id else { return nil }
      return Services.table(for: String(cString: id), HostContext.of(host))
    }
  }

  deinit {
    native.deallocate()
    cPluginID.deallocate()
    storage.deallocate()
  }

  /// Says once in the log what a plugin did not get, and gives back the error for its caller.
  @discardableResult
  func refuse(_ kind: Permission.Kind, _ name: String) -> HostError {
    let permission = Permission(kind, name)
    let error = HostError.notGranted(permission, to: pluginID)
    // Bounded: a plugin chooses the names.
    let isNews = refusals.withLock { $0.count < 64 && $0.insert(permission).inserted }
    if isNews {
      logger.warning("not granted", metadata: ["permission": "\(permission)", "reason": "\(error.message)"])
    }
    return error
  }

  static func of(_ host: UnsafePointer<symbolon_host>) -> HostContext {
    guard let context = host.pointee.context else { preconditionFailure("A plugin changed its host struct.") }
    return Unmanaged<HostContext>.fromOpaque(context).takeUnretainedValue()
  }
}

/// Copies a text into memory that lives until somebody deallocates it.
func permanentText(_ text: String) -> UnsafePointer<CChar> {
  guard let copy = strdup(text) else { preconditionFailure("Out of memory.") }
  return UnsafePointer(copy)
}

/// The version of the host.
package enum Version {
  package static let current = "0.1.0"
  /// The same for C.
  nonisolated(unsafe) static let text = permanentText(current)  // Proof: constant.
}
