import Glibc
import PluginAPI

/// An opened plugin library: its description, its functions and the slots that it wants filled.
///
/// It is never closed: a Swift image cannot be unmapped safely.
final class Library: @unchecked Sendable {  // Proof: the description is constant data of the library.
  let entry: LibraryStore.Entry
  /// A copy of the library's description in the host's own form: fields that the library did not know are zero.
  let native: UnsafePointer<symbolon_plugin>
  let description: PluginDescription
  /// The functions of `description.methods`, in their order.
  let functions: [@convention(c) () -> Void]
  /// The slots of `description.imports`, in their order; each is written once, before create().
  let slots: [UnsafeMutablePointer<(@convention(c) () -> Void)?>]
  let entryAddress: UnsafeRawPointer
  /// The table behind `description.state`.
  let state: UnsafePointer<symbolon_state>?

  /// Opens a stored library and reads its description; nothing of it runs besides its entry.
  ///
  /// `expected` is nil when any plugin will do.
  init(
    opening entry: LibraryStore.Entry, expecting expected: String?, liveEntries: Set<UnsafeRawPointer>
  ) throws(HostError) {
    let id = expected ?? entry.path.split(separator: "/").last.map(String.init) ?? entry.path
    guard let handle = dlopen(entry.path, RTLD_NOW | RTLD_LOCAL | Int32(bitPattern: UInt32(RTLD_NODELETE))) else {
      throw .invalid("not_loadable", "The library of `\(id)` cannot be loaded: \(String(cString: dlerror())).")
    }
    guard let symbol = dlsym(handle, "symbolon_plugin_entry") else {
      throw .invalid(
        "no_entry", "\(entry.path) exports no symbolon_plugin_entry: it is not a Symbolon plugin, or hides the symbol.")
    }
    if liveEntries.contains(UnsafeRawPointer(symbol)) {
      throw .refused(
        "same_image", "The loader gave back code that is already running for `\(id)`: the libraries share an soname.")
    }
    typealias Entry = @convention(c) (UInt32) -> UnsafePointer<symbolon_plugin>?
    let describe = unsafeBitCast(symbol, to: Entry.self)
    guard let found = describe(UInt32(SYMBOLON_ABI)) else {
      throw .invalid(
        "refuses_host", "The library of `\(id)` cannot run on ABI \(SYMBOLON_ABI), which this host speaks.")
    }
    let native = try BorderStruct.keep(
      found, released: BorderStruct.Released.plugin, empty: symbolon_plugin(), "The description of `\(id)`")
    self.entry = entry
    self.native = native
    entryAddress = UnsafeRawPointer(symbol)
    let tables = NativeTables(native, expecting: id)
    var description = try tables.header()
    (description.methods, functions) = try tables.methods()
    (description.imports, slots) = try tables.imports()
    description.routes = try tables.routes()
    description.permissions = try tables.permissions()
    state = try tables.stateTable()
    description.state = try tables.state(state?.pointee)
    description.offline = try tables.offline()
    try description.check(expecting: expected ?? description.id)
    self.description = description
  }
}

/// Reads the C tables of a library; rows are complete and texts are UTF-8 afterwards.
private struct NativeTables {
  typealias Function = @convention(c) () -> Void
  private let native: UnsafePointer<symbolon_plugin>
  /// What plugins.conf calls the plugin, for messages.
  private let id: String

  init(_ native: UnsafePointer<symbolon_plugin>, expecting id: String) {
    self.native = native
    self.id = id
  }

  func header() throws(HostError) -> PluginDescription {
    PluginDescription(
      id: try text(native.pointee.id, "id"), version: try text(native.pointee.version, "version"),
      summary: try text(native.pointee.summary, "summary"), abi: native.pointee.abi, flags: native.pointee.flags)
  }

  func methods() throws(HostError) -> ([PluginDescription.Method], [Function]) {
    var methods: [PluginDescription.Method] = []
    var functions: [Function] = []
    let limit = PluginDescription.Limit.methods
    let found = try rows(
      native.pointee.methods, native.pointee.method_count, limit, "method", released: BorderStruct.Released.method,
      empty: symbolon_method())
    for (index, row) in found.enumerated() {
      guard let function = row.function else {
        throw .invalid("bad_description", "Method \(index + 1) of `\(id)` has no function.")
      }
      let signature = try Signature(parsing: try text(row.signature, "signature"))
      methods.append(
        PluginDescription.Method(
          signature: signature, summary: try text(row.summary, "summary of \(signature.name)"),
          flags: row.flags, defaults: try defaults(row.defaults, signature),
          command: try row.command.map { pointer throws(HostError) in try text(pointer, "command") },
          deadlineMs: row.deadline_ms))
      functions.append(function)
    }
    return (methods, functions)
  }

  func imports() throws(HostError) -> ([PluginDescription.Import], [UnsafeMutablePointer<Function?>]) {
    var imports: [PluginDescription.Import] = []
    var slots: [UnsafeMutablePointer<Function?>] = []
    let limit = PluginDescription.Limit.imports
    let found = try rows(
      native.pointee.imports, native.pointee.import_count, limit, "import", released: BorderStruct.Released.import,
      empty: symbolon_import())
    for (index, row) in found.enumerated() {
      guard let slot = row.slot else {
        throw .invalid("bad_description", "Import \(index + 1) of `\(id)` has no slot.")
      }
      imports.append(
        PluginDescription.Import(
          plugin: try text(row.plugin, "import"),
          signature: try Signature(parsing: try text(row.signature, "signature")),
          isOptional: row.flags & UInt32(SYMBOLON_IMPORT_OPTIONAL) != 0))
      slots.append(slot)
    }
    return (imports, slots)
  }

  func routes() throws(HostError) -> [PluginDescription.Route] {
    guard let address = native.pointee.extension?(SYMBOLON_ROUTES) else { return [] }
    let table = try BorderStruct.read(
      address.assumingMemoryBound(to: symbolon_routes.self), released: BorderStruct.Released.routes,
      empty: symbolon_routes(), "The route table of `\(id)`")
    var routes: [PluginDescription.Route] = []
    let found = try rows(
      table.routes, table.count, PluginDescription.Limit.routes, "route", released: BorderStruct.Released.route,
      empty: symbolon_route())
    for row in found {
      routes.append(
        PluginDescription.Route(
          verb: try text(row.verb, "verb"), path: try text(row.path, "path"),
          method: try text(row.method, "method")))
    }
    return routes
  }

  func permissions() throws(HostError) -> [Permission] {
    guard let found = native.pointee.extension?(SYMBOLON_PERMISSIONS) else { return [] }
    let table = try BorderStruct.read(
      found.assumingMemoryBound(to: symbolon_permissions.self), released: BorderStruct.Released.permissions,
      empty: symbolon_permissions(), "The permission table of `\(id)`")
    guard table.count <= PluginDescription.Limit.permissions, table.count == 0 || table.permissions != nil else {
      throw .invalid("bad_description", "The permissions of `\(id)` are missing or too many.")
    }
    var permissions: Set<Permission> = []
    for index in 0..<Int(table.count) {
      permissions.insert(try Permission(parsing: try text(table.permissions[index], "permission")))
    }
    return permissions.sorted()
  }

  func offline() throws(HostError) -> [OfflineMethod] {
    guard let found = native.pointee.extension?(SYMBOLON_OFFLINE) else { return [] }
    let table = try BorderStruct.read(
      found.assumingMemoryBound(to: symbolon_offline.self), released: BorderStruct.Released.offline,
      empty: symbolon_offline(), "The offline table of `\(id)`")
    let methods = try rows(
      table.methods, table.count, PluginDescription.Limit.offlineMethods, "offline",
      released: BorderStruct.Released.offlineMethod, empty: symbolon_offline_method())
    return try methods.map { row throws(HostError) in
      let members = try rows(
        row.members, row.member_count, PluginDescription.Limit.offlineMembers, "member",
        released: BorderStruct.Released.offlineMember, empty: symbolon_offline_member())
      return OfflineMethod(
        method: try text(row.method, "offline method"),
        members: try members.map { member throws(HostError) in try self.member(member) })
    }
  }

  private func member(_ row: symbolon_offline_member) throws(HostError) -> OfflineMethod.Member {
    let known = UInt32(SYMBOLON_MEMBER_REQUIRED | SYMBOLON_MEMBER_POSITIONAL)
    let type = try text(row.type, "type of a member")
    guard let kind = OfflineMethod.Kind(rawValue: type), row.flags & ~known == 0 else {
      throw .invalid(
        "bad_offline", "The library of `\(id)` gives a member a type or a flag that this host does not know.")
    }
    return OfflineMethod.Member(
      name: try text(row.name, "name of a member"), type: kind, summary: try text(row.summary, "summary of a member"),
      isRequired: row.flags & UInt32(SYMBOLON_MEMBER_REQUIRED) != 0,
      isPositional: row.flags & UInt32(SYMBOLON_MEMBER_POSITIONAL) != 0)
  }

  func stateTable() throws(HostError) -> UnsafePointer<symbolon_state>? {
    guard let found = native.pointee.extension?(SYMBOLON_STATE) else { return nil }
    return try BorderStruct.keep(
      found.assumingMemoryBound(to: symbolon_state.self), released: BorderStruct.Released.state,
      empty: symbolon_state(), "The state table of `\(id)`")
  }

  func state(_ table: symbolon_state?) throws(HostError) -> PluginDescription.StateSchema? {
    guard let table else { return nil }
    let limit = PluginDescription.Limit.stateVersions
    func versions(_ list: UnsafePointer<UInt32>?, _ count: UInt32) throws(HostError) -> [UInt32] {
      guard let list, count <= limit else {
        throw .invalid("bad_state", "The state of `\(id)` lists no versions, or more than \(limit).")
      }
      return UnsafeBufferPointer(start: list, count: Int(count)).sorted()
    }
    guard table.export_state != nil, table.import_state != nil else {
      throw .invalid("bad_state", "The state of `\(id)` lacks export_state or import_state.")
    }
    return PluginDescription.StateSchema(
      id: try text(table.schema_id, "schema_id"), version: table.schema_version,
      imports: try versions(table.imports, table.import_count), exports: try versions(table.exports, table.export_count)
    )
  }

  private func rows<Row: BitwiseCopyable>(
    _ table: UnsafePointer<UnsafePointer<Row>?>?, _ count: UInt32, _ limit: Int, _ kind: String, released: Int,
    empty: Row
  ) throws(HostError) -> [Row] {
    guard count > 0 else { return [] }
    guard count <= limit, let table else {
      throw .invalid("bad_description", "The \(kind) table of `\(id)` is missing or has more than \(limit) rows.")
    }
    var rows: [Row] = []
    for index in 0..<Int(count) {
      guard let row = table[index] else {
        throw .invalid("bad_description", "Row \(index + 1) of the \(kind) table of `\(id)` is missing.")
      }
      rows.append(
        try BorderStruct.read(row, released: released, empty: empty, "Row \(index + 1) of the \(kind) table of `\(id)`")
      )
    }
    return rows
  }

  private func text(_ pointer: UnsafePointer<CChar>?, _ field: String) throws(HostError) -> String {
    guard let pointer, let text = String(validatingCString: pointer), !text.isEmpty,
      text.utf8.count <= PluginDescription.Limit.textBytes
    else { throw .invalid("bad_description", "The library of `\(id)` gives no valid \(field).") }
    return text
  }

  private func defaults(
    _ pointer: UnsafePointer<CChar>?, _ signature: Signature
  ) throws(HostError) -> [String: JSONValue] {
    guard let pointer else { return [:] }
    guard let members = try JSONValue(parsing: String(cString: pointer).utf8).object else {
      throw .invalid("bad_defaults", "The defaults of `\(id).\(signature.name)` do not fit its signature.")
    }
    return members
  }
}
