import CLanes
import CSandbox
import Glibc

/// What a worker is told before it begins: the library, and what it may touch.
struct WorkerHello {
  var id: String
  var library: LibraryStore.Entry
  /// The plugin's folder; empty when the library is only described.
  var storage: String
  /// Files and folders that it may read, besides the system's libraries.
  var read: [String]
  /// Files and folders that it may also change, besides its own folder.
  var write: [String]
  /// TCP ports that it may connect to.
  var ports: [UInt16]
  /// Private memory, in bytes.
  var memory: UInt64

  var json: JSONValue {
    .object([
      "id": .string(id), "sha256": .string(library.sha256), "path": .string(library.path),
      "storage": .string(storage), "read": .array(read.map { .string($0) }),
      "write": .array(write.map { .string($0) }), "ports": .array(ports.map { .unsigned(UInt64($0)) }),
      "memory": .unsigned(memory),
    ])
  }

  init(
    id: String, library: LibraryStore.Entry, storage: String, permissions: [Permission], memory: UInt64
  ) {
    self.id = id
    self.library = library
    self.storage = storage
    read = permissions.filter { $0.kind == .read }.map(\.value)
    write = permissions.filter { $0.kind == .write }.map(\.value)
    ports = permissions.filter { $0.kind == .connect }.compactMap { UInt16($0.value) }
    self.memory = memory
  }

  init(json: JSONValue) throws(HostError) {
    func texts(_ key: String) -> [String] { json[key: key]?.array?.compactMap(\.string) ?? [] }
    guard let id = json[key: "id"]?.string, let sha256 = json[key: "sha256"]?.string,
      let path = json[key: "path"]?.string, let storage = json[key: "storage"]?.string,
      let memory = json[key: "memory"]?.unsigned
    else { throw .invalid("bad_hello", "A worker is started by the host alone.") }
    self.id = id
    library = LibraryStore.Entry(sha256: sha256, path: path)
    self.storage = storage
    read = texts("read")
    write = texts("write")
    ports = json[key: "ports"]?.array?.compactMap { $0.unsigned.flatMap { UInt16(exactly: $0) } } ?? []
    self.memory = memory
  }
}

/// One datagram of the control socket: 16 bytes, at most one descriptor.
struct ControlDatagram {
  enum Kind: UInt32 {
    /// A lane is used for the first time: serve it. [both]
    case open = 1
    /// The worker has loaded its library, or could not: what it has to say lies on lane 0. [worker]
    case ready
    /// A descriptor that a service promised. [host]
    case descriptor
  }

  var kind: Kind
  var value: UInt32
  var number: UInt64 = 0

  @discardableResult
  func send(to socket: Int32, descriptor: Int32 = -1) -> Bool {
    let bytes = (kind.rawValue, value, number)
    return withUnsafeBytes(of: bytes) {
      symbolon_control_send(socket, $0.baseAddress, $0.count, descriptor) == $0.count
    }
  }

  /// Waits for a datagram; nil at the end, or when it is none of ours.
  static func receive(from socket: Int32, _ descriptor: inout Int32) -> ControlDatagram? {
    var bytes: (UInt32, UInt32, UInt64) = (0, 0, 0)
    let size = MemoryLayout.size(ofValue: bytes)
    let count = withUnsafeMutableBytes(of: &bytes) {
      symbolon_control_receive(socket, $0.baseAddress, $0.count, &descriptor)
    }
    guard count == size, let kind = Kind(rawValue: bytes.0) else {
      if descriptor >= 0 { close(descriptor) }
      descriptor = -1
      return nil
    }
    return ControlDatagram(kind: kind, value: bytes.1, number: bytes.2)
  }
}

/// What the running kernel holds a worker to.
package struct Confinement: Equatable, Sendable {
  package var noNewPrivileges = false
  /// The revision of Landlock; 0 when the kernel has none.
  package var landlock: UInt32 = 0
  package var files = false
  package var network = false
  package var scopes = false
  package var systemCalls = false
  package var capabilities = false
  package var limits = false

  package var json: JSONValue {
    .object([
      "no_new_privileges": .bool(noNewPrivileges), "landlock_abi": .unsigned(UInt64(landlock)),
      "files": .bool(files), "network": .bool(network), "signals_and_abstract_sockets": .bool(scopes),
      "system_calls": .bool(systemCalls), "capabilities_dropped": .bool(capabilities), "limits": .bool(limits),
    ])
  }

  /// What is out of reach, in words for people; empty when nothing holds.
  package var words: String {
    [(files, "files"), (network, "network"), (systemCalls, "system calls")].filter(\.0).map(\.1).joined(separator: ", ")
  }

  init(_ report: symbolon_confinement) {
    noNewPrivileges = report.no_new_privileges == 1
    landlock = report.landlock_abi
    files = report.files == 1
    network = report.network == 1
    scopes = report.scopes == 1
    systemCalls = report.system_calls == 1
    capabilities = report.capabilities == 1
    limits = report.limits == 1
  }

  package init(json: JSONValue) {
    func bool(_ key: String) -> Bool { json[key: key] == .bool(true) }
    noNewPrivileges = bool("no_new_privileges")
    landlock = UInt32(truncatingIfNeeded: json[key: "landlock_abi"]?.unsigned ?? 0)
    files = bool("files")
    network = bool("network")
    scopes = bool("signals_and_abstract_sockets")
    systemCalls = bool("system_calls")
    capabilities = bool("capabilities_dropped")
    limits = bool("limits")
  }
}
