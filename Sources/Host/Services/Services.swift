import Glibc
import Logging
import PluginAPI

/// The tables behind `host->service(host, id)`: one constant C struct for each service.
enum Services {
  /// The table of a service, or nil when it is unknown or not granted to this plugin.
  static func table(for id: String, _ context: HostContext) -> UnsafeRawPointer? {
    guard context.grants.allowsService(id) else {
      context.refuse(.service, id)
      return nil
    }
    return switch id {
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

  /// A table that lives as long as the process.
  static func permanent<T>(_ empty: T, _ fill: (UnsafeMutablePointer<T>) -> Void) -> UnsafeRawPointer {
    let table = UnsafeMutablePointer<T>.allocate(capacity: 1)
    table.initialize(to: empty)
    UnsafeMutableRawPointer(table).storeBytes(of: UInt32(MemoryLayout<T>.size), as: UInt32.self)
    fill(table)
    return UnsafeRawPointer(table)
  }

  // Proof: constant after first use.
  nonisolated(unsafe) private static let log = permanent(symbolon_log()) {
    $0.pointee.write = { host, level, message, fields in
      guard let host else { return }
      let levels: [Logger.Level] = [.debug, .info, .warning, .error]
      var metadata: Logger.Metadata = [:]
      if fields.size > 0, let members = (try? JSONValue(parsing: fields.buffer))?.object {
        for (key, value) in members { metadata[key] = .string(value.string ?? value.text) }
      }
      HostContext.of(host).logger.log(
        level: level < 4 ? levels[Int(level)] : .info, "\(message.text)", metadata: metadata)
    }
  }

  // Proof: constant after first use.
  nonisolated(unsafe) private static let config = permanent(symbolon_config()) {
    $0.pointee.settings = { host, sink in
      guard let host else { return Int32(SYMBOLON_INVALID_ARGUMENT) }
      return write(HostContext.of(host).settings.text, to: sink)
    }
  }

  // Proof: constant after first use.
  nonisolated(unsafe) private static let storage = permanent(symbolon_storage()) {
    $0.pointee.folder = { host in host.map { HostContext.of($0).storage } }
  }

  // Proof: constant after first use.
  nonisolated(unsafe) private static let clock = permanent(symbolon_clock()) {
    $0.pointee.unix_ms = { _ in MonotonicClock.unixMilliseconds }
    $0.pointee.monotonic_ns = { _ in MonotonicClock.nanoseconds }
  }

  // Proof: constant after first use.
  nonisolated(unsafe) private static let random = permanent(symbolon_random()) {
    $0.pointee.fill = { _, bytes, count in Entropy.fill(UnsafeMutableRawBufferPointer(start: bytes, count: Int(count)))
    }
  }

  // Proof: constant after first use.
  nonisolated(unsafe) private static let events = permanent(symbolon_events()) {
    $0.pointee.publish = { host, topic, json in
      guard let host else { return Int32(SYMBOLON_INVALID_ARGUMENT) }
      let (context, topic) = (HostContext.of(host), topic.text)
      guard context.grants.allowsPublishing(topic, by: context.pluginID) else {
        return context.refuse(.publish, topic).status
      }
      return context.node.events.publish(topic, Array(json.buffer))
    }
    $0.pointee.subscribe = { host, topic, context, deliver in
      guard let host, let deliver else { return Int32(SYMBOLON_INVALID_ARGUMENT) }
      return subscribe(HostContext.of(host), topic.text, context, deliver)
    }
  }

  /// Subscribes a plugin to a topic that it may hear.
  static func subscribe(
    _ owner: HostContext, _ topic: String, _ context: UnsafeMutableRawPointer?, keeping kept: AnyObject? = nil,
    _ deliver: @escaping @convention(c) (UnsafeMutableRawPointer?, symbolon_slice, symbolon_slice) -> Void
  ) -> Int32 {
    guard owner.grants.allowsSubscribing(topic, by: owner.pluginID) else {
      return owner.refuse(.subscribe, topic).status
    }
    return owner.node.events.subscribe(owner, topic, context, keeping: kept, deliver)
  }

  // Proof: constant after first use.
  nonisolated(unsafe) private static let identity = permanent(symbolon_identity()) {
    $0.pointee.public_key = { host, key in
      guard let host, let key else { return }
      for (index, byte) in HostContext.of(host).node.identity.publicKey.enumerated() { key[index] = byte }
    }
    $0.pointee.sign = { host, message, signature in
      guard let host, let signature, message.buffer.starts(with: Array("symbolon/".utf8)) else {
        return Int32(SYMBOLON_INVALID_ARGUMENT)
      }
      let context = HostContext.of(host)
      // The table is the same for all plugins: the right to it is asked for where the key is used.
      guard context.grants.allowsService(SYMBOLON_IDENTITY) else {
        return context.refuse(.service, SYMBOLON_IDENTITY).status
      }
      for (index, byte) in context.node.identity.sign(Array(message.buffer)).enumerated() {
        signature[index] = byte
      }
      return 0
    }
  }

  // Proof: constant after first use.
  nonisolated(unsafe) private static let catalog = permanent(symbolon_catalog()) {
    $0.pointee.revision = { host in host.map { HostContext.of($0).node.catalogRevision } ?? 0 }
    $0.pointee.json = { host, sink in
      guard let host else { return Int32(SYMBOLON_INVALID_ARGUMENT) }
      return write(HostContext.of(host).node.catalog().text, to: sink)
    }
  }

  // Proof: constant after first use.
  nonisolated(unsafe) private static let invoke = permanent(symbolon_invoke()) {
    $0.pointee.invoke = { host, call, what, sink in
      guard let host, let call, let what, let sink, let write = sink.pointee.write else {
        return Int32(SYMBOLON_INVALID_ARGUMENT)
      }
      guard what.pointee.struct_size >= BorderStruct.Released.invocation else {
        return HostError.invalid(
          "short_struct",
          "symbolon_invocation says struct_size \(what.pointee.struct_size): set it to sizeof the struct."
        ).write(to: call)
      }
      let (context, method) = (HostContext.of(host), what.pointee.method.text)
      guard context.grants.allowsCall(method) else { return context.refuse(.call, method).write(to: call) }
      return context.node.invoke(what.pointee, from: context.cPluginID, in: call) { message in
        write(sink, symbolon_slice(data: message.bindMemory(to: UInt8.self).baseAddress, size: UInt64(message.count)))
      }
    }
    $0.pointee.encode = { host, call, method, json, sink in
      guard let host, let call else { return Int32(SYMBOLON_INVALID_ARGUMENT) }
      do throws(HostError) {
        return Services.write(try HostContext.of(host).node.encode(method.text, Array(json.buffer)), to: sink)
      } catch {
        return error.write(to: call)
      }
    }
  }

  // Proof: constant after first use.
  nonisolated(unsafe) private static let sockets = permanent(symbolon_sockets()) {
    $0.pointee.listening = { host, call, descriptor in
      guard let host, let descriptor else { return Int32(SYMBOLON_INVALID_ARGUMENT) }
      do throws(HostError) {
        descriptor.pointee = try HostContext.of(host).node.duplicateListener()
        return 0
      } catch {
        return error.write(to: call)
      }
    }
  }

  static func write(_ text: String, to sink: UnsafeMutablePointer<symbolon_sink>?) -> Int32 {
    write(Array(text.utf8), to: sink)
  }

  static func write(_ bytes: [UInt8], to sink: UnsafeMutablePointer<symbolon_sink>?) -> Int32 {
    guard let sink, let write = sink.pointee.write else { return Int32(SYMBOLON_INVALID_ARGUMENT) }
    return bytes.withUnsafeBufferPointer {
      write(sink, symbolon_slice(data: $0.baseAddress, size: UInt64($0.count)))
    }
  }
}

/// Clocks of the system.
enum MonotonicClock {
  static var nanoseconds: UInt64 { read(CLOCK_MONOTONIC) }
  static var unixMilliseconds: UInt64 { read(CLOCK_REALTIME) / 1_000_000 }

  private static func read(_ id: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(id, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
