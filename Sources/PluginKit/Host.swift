import PluginAPI

/// The host's services, as this plugin may use them; valid until the layer is destroyed.
public struct Host: @unchecked Sendable {
  // Proof: the host struct is constant and its services may be used on any thread ([any] in the headers).
  let pointer: UnsafePointer<symbolon_host>
  private let config: UnsafePointer<symbolon_config>
  /// Structured log lines.
  public let log: Log
  /// Time.
  public let clock: Clock
  /// News between layers.
  public let events: Events
  /// This plugin's own folder, mode 0700, no trailing slash.
  public let storage: String

  init(_ pointer: UnsafePointer<symbolon_host>) throws(Failure) {
    self.pointer = pointer
    config = try Self.service(pointer, SYMBOLON_CONFIG)
    log = Log(host: pointer, service: try Self.service(pointer, SYMBOLON_LOG))
    clock = Clock(host: pointer, service: try Self.service(pointer, SYMBOLON_CLOCK))
    events = Events(host: pointer)
    let folders: UnsafePointer<symbolon_storage> = try Self.service(pointer, SYMBOLON_STORAGE)
    guard let folder = folders.pointee.folder(pointer) else {
      throw Failure(.failedPrecondition, "no_storage", "The host gave this plugin no folder.")
    }
    storage = String(cString: folder)
  }

  /// The id under which plugins.conf loads this plugin.
  public var pluginID: String { String(cString: pointer.pointee.plugin_id) }

  /// `[plugin.<id>.settings]`, decoded.
  public func settings<T: Decodable>(as type: T.Type) throws(Failure) -> T {
    let text = try collect { config.pointee.settings(pointer, $0) }
    do {
      return try JSON(text: text).decode(type)
    } catch {
      throw Failure(
        .invalidArgument, "invalid_settings", "[plugin.\(pluginID).settings] in plugins.conf: \(error.message)")
    }
  }

  /// Unpredictable bytes, fit for keys.
  public func random(_ count: Int) throws(Failure) -> [UInt8] {
    let random: UnsafePointer<symbolon_random> = try Self.service(pointer, SYMBOLON_RANDOM)
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
      random.pointee.fill(pointer, buffer.baseAddress, UInt64(count))
      used = count
    }
  }

  /// The node's public key: 32 bytes.
  public func publicKey() throws(Failure) -> [UInt8] {
    let identity: UnsafePointer<symbolon_identity> = try Self.service(pointer, SYMBOLON_IDENTITY)
    return [UInt8](unsafeUninitializedCapacity: 32) { buffer, used in
      identity.pointee.public_key(pointer, buffer.baseAddress)
      used = 32
    }
  }

  /// Signs a message that begins with a domain tag `symbolon/…\0` with the node's key: 64 bytes.
  public func sign(_ message: [UInt8]) throws(Failure) -> [UInt8] {
    let identity: UnsafePointer<symbolon_identity> = try Self.service(pointer, SYMBOLON_IDENTITY)
    var signature = [UInt8](repeating: 0, count: 64)
    let status = message.withSlice { identity.pointee.sign(pointer, $0, &signature) }
    guard status == 0 else {
      throw Failure(
        Status(rawValue: status) ?? .unknown, "not_signed", "The host did not sign: the message has no domain tag.")
    }
    return signature
  }

  /// A duplicate of the listening socket of `[host] listen`; the plugin closes it.
  public func listeningSocket() throws(Failure) -> Int32 {
    let sockets: UnsafePointer<symbolon_sockets> = try Self.service(pointer, SYMBOLON_SOCKETS)
    let call = RootCall(origin: .node, deadline: nil, isCancelled: { false })
    var descriptor: Int32 = -1
    let status = sockets.pointee.listening(pointer, call.pointer, &descriptor)
    guard status == 0 else { throw Failure(status: status, slot: call.pointer.pointee.error) }
    return descriptor
  }

  /// What runs here, as `symbolon/services/catalog.h` describes it.
  public func catalog() throws(Failure) -> JSON {
    let catalog: UnsafePointer<symbolon_catalog> = try Self.service(pointer, SYMBOLON_CATALOG)
    return JSON(text: try collect { catalog.pointee.json(pointer, $0) })
  }

  /// Grows whenever the catalog changes.
  public func catalogRevision() throws(Failure) -> UInt64 {
    let catalog: UnsafePointer<symbolon_catalog> = try Self.service(pointer, SYMBOLON_CATALOG)
    return catalog.pointee.revision(pointer)
  }

  static func service<T>(_ host: UnsafePointer<symbolon_host>, _ id: String) throws(Failure) -> UnsafePointer<T> {
    guard let found = host.pointee.service(host, id) else {
      throw Failure(
        .permissionDenied, "no_service",
        "The host does not offer \(id) to this plugin: it needs the permission `service:\(id)`.")
    }
    return found.assumingMemoryBound(to: T.self)
  }

  private func collect(_ body: (UnsafeMutablePointer<symbolon_sink>) -> Int32) throws(Failure) -> String {
    var text = ""
    let inbox = Inbox { text = String(decoding: $0, as: UTF8.self) }
    let status = withExtendedLifetime(inbox) { body(inbox.native) }
    guard status == 0 else { throw Failure(Status(rawValue: status) ?? .unknown, "service_failed", "The host failed.") }
    return text
  }
}

/// Structured log lines.
///
/// Secrets, prompts and answers never go in.
public struct Log: @unchecked Sendable {  // Proof: see Host.
  let host: UnsafePointer<symbolon_host>
  let service: UnsafePointer<symbolon_log>

  /// For whoever looks for a fault.
  public func debug(_ message: String, _ fields: [String: String] = [:]) { write(SYMBOLON_LOG_DEBUG, message, fields) }
  /// What an operator wants to know in calm times.
  public func info(_ message: String, _ fields: [String: String] = [:]) { write(SYMBOLON_LOG_INFO, message, fields) }
  /// What an operator should look at.
  public func warning(_ message: String, _ fields: [String: String] = [:]) {
    write(SYMBOLON_LOG_WARNING, message, fields)
  }
  /// What went wrong.
  public func error(_ message: String, _ fields: [String: String] = [:]) { write(SYMBOLON_LOG_ERROR, message, fields) }

  private func write(_ level: Int, _ message: String, _ fields: [String: String]) {
    let json = fields.isEmpty ? "" : ((try? JSON(fields).text) ?? "")
    message.utf8.withSlice { message in
      json.utf8.withSlice { service.pointee.write(host, UInt32(level), message, $0) }
    }
  }
}

/// Time; never used in a transition.
public struct Clock: @unchecked Sendable {  // Proof: see Host.
  let host: UnsafePointer<symbolon_host>
  let service: UnsafePointer<symbolon_clock>

  /// Since 1970-01-01 UTC.
  public var milliseconds: UInt64 { service.pointee.unix_ms(host) }
  /// Never goes back; the clock of deadlines.
  public var monotonicNanoseconds: UInt64 { service.pointee.monotonic_ns(host) }
}

/// News between layers: fire and forget.
public struct Events: @unchecked Sendable {  // Proof: see Host.
  let host: UnsafePointer<symbolon_host>

  /// Asked for at use: a plugin that neither publishes nor subscribes needs no permission for it.
  private func service() throws(Failure) -> UnsafePointer<symbolon_events> { try Host.service(host, SYMBOLON_EVENTS) }

  /// Publishes; the topic begins with this plugin's id.
  public func publish(_ topic: String, _ json: JSON) throws(Failure) {
    let service = try service()
    let status = topic.utf8.withSlice { topic in json.text.utf8.withSlice { service.pointee.publish(host, topic, $0) } }
    guard status == 0 else {
      throw Failure(Status(rawValue: status) ?? .unknown, "not_published", "The event \(topic) was not taken.")
    }
  }

  /// Calls `deliver` for each later event of the topic until this generation is stopped.
  public func subscribe(_ topic: String, deliver: @escaping @Sendable (JSON) -> Void) throws(Failure) {
    let service = try service()
    final class Box: Sendable {
      let deliver: @Sendable (JSON) -> Void
      init(_ deliver: @escaping @Sendable (JSON) -> Void) { self.deliver = deliver }
    }
    let box = Unmanaged.passRetained(Box(deliver)).toOpaque()
    let status = topic.utf8.withSlice { topic in
      service.pointee.subscribe(host, topic, box) { context, _, json in
        guard let context else { return }
        let box = Unmanaged<Box>.fromOpaque(context).takeUnretainedValue()
        box.deliver(JSON(text: String(decoding: json.buffer, as: UTF8.self)))
      }
    }
    guard status == 0 else {
      throw Failure(Status(rawValue: status) ?? .unknown, "not_subscribed", "The host refused the topic \(topic).")
    }
  }
}
