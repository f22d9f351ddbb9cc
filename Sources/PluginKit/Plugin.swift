import CFFI
import PluginAPI

/// A layer as the host sees it: who it is, what it offers, what it needs, how it lives.
///
/// Declare one as a global `let` and return `describe(abi)` from the exported entry:
/// ```swift
/// @c @implementation
/// public func symbolon_plugin_entry(_ abi: UInt32) -> UnsafePointer<symbolon_plugin>? { governance.describe(abi) }
/// ```
public final class Plugin<Layer: AnyObject & Sendable>: @unchecked Sendable {
  // Proof: everything is written in init and only read afterwards.
  private let native: UnsafeMutablePointer<symbolon_plugin>

  /// Describes a layer.
  /// - Parameters:
  ///   - id: the name of its methods' namespace, for example `governance`.
  ///   - exclusive: two generations may not be alive at once; the host stops the old one before it starts the new one.
  ///   - front: lets the outside in, so it is started after all others and stopped before them.
  ///   - permissions: what it asks for beyond its imports, as `symbolon/extensions/permissions.h` writes it.
  ///   - offline: methods that commands call in their own process, without a node.
  ///   - state: what it hands to its next version; layers that keep their state in the ledger need none.
  ///   - create: makes the layer; takes no thread, port or lock yet. What it throws reaches the operator.
  ///   - start: takes resources and begins to serve.
  ///   - stop: gives them back; no call is running.
  public init(
    id: String, version: String, summary: String, exclusive: Bool = false, front: Bool = false,
    permissions: [String] = [], imports: [ImportDeclaration] = [],
    methods: [Method<Layer>], routes: [Route] = [], offline: [OfflineMethod] = [],
    state: StateHandover<Layer>? = nil,
    create: @escaping @Sendable (Host) throws -> Layer,
    start: @escaping @Sendable (Layer) throws -> Void = { _ in }, stop: @escaping @Sendable (Layer) -> Void = { _ in }
  ) {
    native = .allocate(capacity: 1)
    native.initialize(to: symbolon_plugin())
    native.pointee.struct_size = UInt32(MemoryLayout<symbolon_plugin>.size)
    native.pointee.abi = UInt32(SYMBOLON_ABI)
    native.pointee.flags = UInt32((exclusive ? SYMBOLON_PLUGIN_EXCLUSIVE : 0) | (front ? SYMBOLON_PLUGIN_FRONT : 0))
    native.pointee.id = permanent(id)
    native.pointee.version = permanent(version)
    native.pointee.summary = permanent(summary)
    native.pointee.methods = permanentArray(methods.map { $0.describe() })
    native.pointee.method_count = UInt32(methods.count)
    native.pointee.imports = permanentArray(imports.map { $0.describe() })
    native.pointee.import_count = UInt32(imports.count)
    native.pointee.create = lifecycle(3) { arguments in
      guard let host = arguments[0]?.load(as: UnsafePointer<symbolon_host>?.self),
        let instance = arguments[2]?.load(as: UnsafeMutablePointer<UnsafeMutableRawPointer?>?.self)
      else { return Status.internal.rawValue }
      return guarded(arguments[1]) {
        instance.pointee = Unmanaged.passRetained(try create(try Host(host))).toOpaque()
      }
    }
    native.pointee.start = lifecycle(2) { arguments in
      guard let layer = Self.layer(arguments[0]) else { return Status.internal.rawValue }
      return guarded(arguments[1]) { try start(layer) }
    }
    native.pointee.stop = lifecycle(1, result: symbolon_ffi_void()) { arguments in
      if let layer = Self.layer(arguments[0]) { stop(layer) }
      return 0
    }
    native.pointee.destroy = lifecycle(1, result: symbolon_ffi_void()) { arguments in
      if let pointer = arguments[0]?.load(as: UnsafeMutableRawPointer?.self) {
        Unmanaged<Layer>.fromOpaque(pointer).release()
      }
      return 0
    }
    native.pointee.extension = Self.offer(routes, permissions, offline, state)
  }

  /// What the exported entry returns; nil when the host is older than this library.
  public func describe(_ hostABI: UInt32) -> UnsafePointer<symbolon_plugin>? { UnsafePointer(native) }

  private static func layer(_ cell: UnsafeMutableRawPointer?) -> Layer? {
    cell?.load(as: UnsafeMutableRawPointer?.self).map { Unmanaged<Layer>.fromOpaque($0).takeUnretainedValue() }
  }

  /// The function that answers for the extensions of this plugin.
  private static func offer(
    _ routes: [Route], _ permissions: [String], _ offline: [OfflineMethod], _ state: StateHandover<Layer>?
  ) -> @convention(c) (UnsafePointer<CChar>?) -> UnsafeRawPointer? {
    var addresses: [String: Int] = [:]
    if !routes.isEmpty {
      addresses[SYMBOLON_ROUTES] = permanentAddress(symbolon_routes()) { table in
        table.count = UInt32(routes.count)
        table.routes = permanentArray(routes.map { $0.describe() })
      }
    }
    if !permissions.isEmpty {
      addresses[SYMBOLON_PERMISSIONS] = permanentAddress(symbolon_permissions()) { table in
        table.count = UInt32(permissions.count)
        let texts = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: permissions.count)
        for (index, text) in permissions.enumerated() { (texts + index).initialize(to: permanent(text)) }
        table.permissions = UnsafePointer(texts)
      }
    }
    if !offline.isEmpty {
      addresses[SYMBOLON_OFFLINE] = permanentAddress(symbolon_offline()) { table in
        table.count = UInt32(offline.count)
        table.methods = permanentArray(offline.map { $0.describe() })
      }
    }
    if let state { addresses[SYMBOLON_STATE] = permanentAddress(symbolon_state()) { state.describe(into: &$0) } }
    let interface = Interface([symbolon_ffi_pointer()], result: symbolon_ffi_pointer())
    let function = makePointerFunction(interface) { [addresses] arguments in
      guard let id = arguments[0]?.load(as: UnsafePointer<CChar>?.self), let address = addresses[String(cString: id)]
      else { return nil }
      return UnsafeMutableRawPointer(bitPattern: address)
    }
    return unsafeBitCast(function, to: (@convention(c) (UnsafePointer<CChar>?) -> UnsafeRawPointer?).self)
  }
}

/// The address of a table that lives as long as the process, with its `struct_size` written.
private func permanentAddress<Table>(_ empty: Table, _ fill: (inout Table) -> Void) -> Int {
  let table = UnsafeMutablePointer<Table>.allocate(capacity: 1)
  table.initialize(to: empty)
  UnsafeMutableRawPointer(table).storeBytes(of: UInt32(MemoryLayout<Table>.size), as: UInt32.self)
  fill(&table.pointee)
  return Int(bitPattern: table)
}

/// An HTTP route of a layer: `method` gets (verb, path, headers, body) and streams a response.
public struct Route: Sendable {
  let verb: String
  let path: String
  let method: String

  /// `path` may hold `{name}` for one segment.
  public init(_ verb: String, _ path: String, method: String) {
    self.verb = verb
    self.path = path
    self.method = method
  }

  func describe() -> symbolon_route {
    var native = symbolon_route()
    native.struct_size = UInt32(MemoryLayout<symbolon_route>.size)
    native.verb = permanent(verb)
    native.path = permanent(path)
    native.method = permanent(method)
    return native
  }
}

/// A C function for one step of a plugin's life: `count` pointers in, a status or nothing out.
func lifecycle<Function>(
  _ count: Int, result: UnsafeMutablePointer<ffi_type> = symbolon_ffi_i32(),
  _ body: @escaping @Sendable (NativeArguments) -> Int32
) -> Function {
  let interface = Interface(Array(repeating: symbolon_ffi_pointer(), count: count), result: result)
  return unsafeBitCast(makeFunction(interface, body), to: Function.self)
}

/// Runs a step and turns what it throws into the call's error.
func guarded(_ cell: UnsafeMutableRawPointer?, _ body: () throws -> Void) -> Int32 {
  do {
    try body()
    return 0
  } catch {
    let call = cell?.load(as: UnsafeMutablePointer<symbolon_call>?.self)
    return Failure(any: error).write(to: call?.pointee.error)
  }
}
