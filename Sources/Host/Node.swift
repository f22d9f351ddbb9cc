import Glibc
import Logging
import PluginAPI
import Synchronization

/// A running node: the loaded layers and everything that they share.
final class Node: @unchecked Sendable {
  // Proof: `layers`, `configuration` and `listener` are behind mutexes; the rest is constant after init.
  let store: LibraryStore
  let history: PluginHistory
  let grantBook: GrantBook
  let descriptions: DescriptionCache
  let loading: LoadingMarker
  let desk = ReloadDesk()
  let images = MappedImages()
  let data: String
  let identity: SigningKey
  let events = EventBus()
  let logger: Logger
  let startedAt = MonotonicClock.nanoseconds
  /// Calls what needs no node, and is none: the node of one command.
  let isScratch: Bool
  /// The control thread's lock: loading, reloading and stopping happen one at a time.
  let control = Mutex<Void>(())
  /// True while a thread is about to prune the store.
  let isPruning = Atomic<Bool>(false)
  private let lockFile: Int32
  private let state: Mutex<State>
  private let revision = Atomic<UInt64>(1)

  private struct State {
    var configuration: Configuration
    var layers: [String: Layer] = [:]
    /// In the order in which they were started.
    var order: [String] = []
    var generations: [String: UInt64] = [:]
    /// Enabled plugins that do not run, with the reason.
    var forbidden: [String: String] = [:]
    var listener: Listener?
  }

  /// Takes the data folder; nothing is loaded yet.
  ///
  /// Without an `identity` the node signs with the wallet `node` of the data folder, made at the first start.
  init(_ configuration: Configuration, identity given: SigningKey? = nil, isScratch: Bool = false) throws(HostError) {
    self.isScratch = isScratch
    data = configuration.data
    try makeFolder(data, mode: 0o700)
    lockFile = try Self.lock(data)
    store = LibraryStore(folder: "\(data)/store")
    history = PluginHistory(folder: "\(data)/history")
    grantBook = GrantBook(data: data)
    descriptions = DescriptionCache(folder: "\(data)/descriptions")
    loading = LoadingMarker(folder: "\(data)/loading")
    if let given { identity = given } else { identity = try WalletStore(data: data).nodeKey() }
    state = Mutex(State(configuration: configuration))
    logger = Self.makeLogger("host", configuration)
  }

  var configuration: Configuration { state.withLock { $0.configuration } }
  var listenAddress: ListenAddress? { state.withLock { $0.listener?.address } }
  var catalogRevision: UInt64 { revision.load(ordering: .acquiring) }

  func layer(_ id: String) -> Layer? { state.withLock { $0.layers[id] } }

  /// Running layers in the order in which they were started.
  var runningLayers: [Layer] { state.withLock { state in state.order.compactMap { state.layers[$0] } } }

  func logger(for plugin: String) -> Logger { Self.makeLogger(plugin, configuration) }

  // MARK: What the control thread changes

  func setConfiguration(_ configuration: Configuration) { state.withLock { $0.configuration = configuration } }

  /// The layer of an id, made on first mention: imports may refer to it before it runs, and after it is gone.
  func place(_ id: String) -> Layer {
    state.withLock { state in
      if let layer = state.layers[id] { return layer }
      let layer = Layer(id: id)
      state.layers[id] = layer
      return layer
    }
  }

  func nextGeneration(of id: String) -> UInt64 {
    state.withLock { state in
      state.generations[id, default: 0] += 1
      return state.generations[id] ?? 1
    }
  }

  func didStart(_ id: String) {
    state.withLock { if !$0.order.contains(id) { $0.order.append(id) } }
  }

  func didRemove(_ id: String) { state.withLock { $0.order.removeAll { $0 == id } } }

  /// Enabled plugins that do not run, with the reason of each.
  var forbidden: [String: String] { state.withLock { $0.forbidden } }

  func forbid(_ id: String, reason: String) { state.withLock { $0.forbidden[id] = reason } }

  func allow(_ id: String) { state.withLock { $0.forbidden[id] = nil } }

  func catalogChanged() {
    let value = revision.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue
    _ = events.publish("host.catalog", Array("{\"revision\":\(value)}".utf8))
  }

  // MARK: The listening socket

  /// Binds `[host] listen`, so that a port in use is known before any layer starts.
  func bindListener() throws(HostError) {
    guard let address = configuration.listen else { return }
    adopt(try Listener(binding: address))
  }

  /// Takes a socket that listens already.
  func adopt(_ listener: Listener) { state.withLock { $0.listener = listener } }

  func duplicateListener() throws(HostError) -> Int32 {
    guard let listener = state.withLock({ $0.listener }) else {
      throw .refused("no_listen_address", "plugins.conf names no address: add `listen = \"127.0.0.1:8080\"` to [host].")
    }
    return try listener.duplicate()
  }

  func closeListener() {
    state.withLock {
      $0.listener?.close()
      $0.listener = nil
    }
  }

  // MARK: Details

  private static func makeLogger(_ label: String, _ configuration: Configuration) -> Logger {
    let level = Logger.Level(rawValue: configuration.logLevel) ?? .info
    let json = configuration.logFormat == "json"
    return Logger(label: label) { LineLogHandler(logLevel: level, label: $0, json: json) }
  }

  /// One node a data folder: the lock ends with the process, however it ends.
  private static func lock(_ data: String) throws(HostError) -> Int32 {
    let path = "\(data)/lock"
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { throw .system("no_lock", "\(path) cannot be opened: \(systemMessage()).") }
    guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
      close(file)
      throw .refused(
        "data_in_use", "Another node uses \(data): stop it, or give this one its own `data` in plugins.conf.")
    }
    return file
  }
}

/// A bound, listening TCP socket.
struct Listener: Sendable {
  let descriptor: Int32
  let address: ListenAddress

  init(binding address: ListenAddress) throws(HostError) {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(address.host, String(address.port), &hints, &found) == 0, let found else {
      throw .invalid("not_an_address", "[host] listen: `\(address.host)` is not an address of this machine.")
    }
    defer { freeaddrinfo(found) }
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(found.pointee.ai_family, type, 0)
    guard descriptor >= 0 else { throw .system("no_socket", "No socket: \(systemMessage()).") }
    var on: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    guard bind(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0, listen(descriptor, 1024) == 0 else {
      let number = errno
      Glibc.close(descriptor)
      if number == EADDRINUSE {
        throw .refused(
          "port_in_use",
          "\(address) is in use by another program: stop it, or change `listen` in plugins.conf (port 0 takes a free one)."
        )
      }
      throw .system("not_bound", "\(address) cannot be bound: \(systemMessage(number)).")
    }
    self.descriptor = descriptor
    self.address = ListenAddress(host: address.host, port: Self.port(of: descriptor))
  }

  func duplicate() throws(HostError) -> Int32 {
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
    guard copy >= 0 else { throw .system("no_descriptor", "The socket cannot be duplicated: \(systemMessage()).") }
    return copy
  }

  func close() { Glibc.close(descriptor) }

  private static func port(of descriptor: Int32) -> UInt16 {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = getsockname(descriptor, $0, &length) }
      // The port lies at the same place for both families.
      return storage.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { UInt16(bigEndian: $0.pointee.sin_port) }
    }
  }
}

extension ListenAddress {
  init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }
}
