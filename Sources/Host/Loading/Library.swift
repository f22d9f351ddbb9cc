import Glibc
import PluginAPI

/// An opened plugin library and what it says of itself.
///
/// It is never closed: a Swift image cannot be unmapped safely.
final class Library: @unchecked Sendable {  // Proof: the description is constant data of the library.
  let entry: LibraryStore.Entry
  let native: UnsafePointer<symbolon_plugin>
  let id: String
  let version: String
  let summary: String
  let isExclusive: Bool
  /// Lets the outside in: started last, stopped first.
  let isFront: Bool
  let methods: [MethodDescription]
  let imports: [ImportDescription]
  let routes: [RouteDescription]

  /// A row of the method table, checked.
  struct MethodDescription: @unchecked Sendable {  // Proof: a code address.
    var signature: Signature
    var summary: String
    var flags: UInt32
    var function: @convention(c) () -> Void
    var defaults: [String: JSONValue]
    var command: String?
  }

  /// A row of the import table, checked.
  struct ImportDescription: @unchecked Sendable {  // Proof: the slot is written once, before create().
    var plugin: String
    var signature: Signature
    var isOptional: Bool
    var slot: UnsafeMutablePointer<(@convention(c) () -> Void)?>
  }

  struct RouteDescription: Equatable, Sendable {
    var verb: String
    var path: String
    var method: String
  }

  /// Limits on what a description may hold.
  enum Limit {
    static let methods: UInt32 = 512
    static let imports: UInt32 = 512
    static let routes: UInt32 = 256
  }

  /// Opens a stored library and reads its description; nothing of it runs besides its entry.
  init(opening entry: LibraryStore.Entry, expecting id: String, liveEntries: Set<UnsafeRawPointer>) throws(HostError) {
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
    guard let native = describe(UInt32(SYMBOLON_ABI)) else {
      throw .invalid(
        "refuses_host", "The library of `\(id)` cannot run on ABI \(SYMBOLON_ABI), which this host speaks.")
    }
    self.entry = entry
    self.native = native
    self.entryAddress = UnsafeRawPointer(symbol)
    guard native.pointee.struct_size >= UInt32(MemoryLayout<symbolon_plugin>.size) else {
      throw .invalid("old_description", "The description of `\(id)` is shorter than ABI \(SYMBOLON_ABI) needs.")
    }
    guard native.pointee.abi <= UInt32(SYMBOLON_ABI) else {
      throw .invalid(
        "newer_abi",
        "The library of `\(id)` was built for ABI \(native.pointee.abi); this host speaks \(SYMBOLON_ABI): update the host."
      )
    }
    guard native.pointee.flags & ~UInt32(SYMBOLON_PLUGIN_EXCLUSIVE | SYMBOLON_PLUGIN_FRONT) == 0 else {
      throw .invalid("unknown_flags", "The library of `\(id)` sets plugin flags that this host does not know.")
    }
    self.id = try Self.text(native.pointee.id, "id", id)
    guard self.id == id else {
      throw .invalid(
        "other_plugin",
        "[plugin.\(id)] names a library that calls itself `\(self.id)`: rename the table or the library.")
    }
    version = try Self.text(native.pointee.version, "version", id)
    summary = try Self.text(native.pointee.summary, "summary", id)
    isFront = native.pointee.flags & UInt32(SYMBOLON_PLUGIN_FRONT) != 0
    isExclusive = native.pointee.flags & UInt32(SYMBOLON_PLUGIN_EXCLUSIVE) != 0
    methods = try Self.readMethods(native, id)
    imports = try Self.readImports(native, id)
    routes = try Self.readRoutes(native, id, methods)
  }

  let entryAddress: UnsafeRawPointer

  private static func text(
    _ pointer: UnsafePointer<CChar>?, _ field: String, _ id: String
  ) throws(HostError) -> String {
    guard let pointer, let text = String(validatingCString: pointer), !text.isEmpty, text.utf8.count <= 1024 else {
      throw .invalid("bad_description", "The library of `\(id)` gives no valid \(field).")
    }
    return text
  }

  private static func readMethods(
    _ native: UnsafePointer<symbolon_plugin>, _ id: String
  ) throws(HostError) -> [MethodDescription] {
    guard native.pointee.method_count <= Limit.methods, let table = native.pointee.methods else {
      if native.pointee.method_count == 0 { return [] }
      throw .invalid(
        "bad_description", "The method table of `\(id)` is missing or has more than \(Limit.methods) rows.")
    }
    let known = UInt32(SYMBOLON_READS | SYMBOLON_TRANSITION | SYMBOLON_PUBLIC | SYMBOLON_STREAMS)
    var methods: [MethodDescription] = []
    for index in 0..<Int(native.pointee.method_count) {
      guard let row = table[index], row.pointee.struct_size >= UInt32(MemoryLayout<symbolon_method>.size),
        let function = row.pointee.function
      else { throw .invalid("bad_description", "Method \(index + 1) of `\(id)` is incomplete.") }
      let signature = try Signature(parsing: try text(row.pointee.signature, "signature", id))
      let flags = row.pointee.flags
      guard flags & ~known == 0, signature.streams == (flags & UInt32(SYMBOLON_STREAMS) != 0) else {
        throw .invalid("bad_flags", "`\(id).\(signature.name)` has flags that do not fit its signature.")
      }
      guard !methods.contains(where: { $0.signature.name == signature.name }) else {
        throw .invalid("method_twice", "The library of `\(id)` offers `\(signature.name)` twice.")
      }
      methods.append(
        MethodDescription(
          signature: signature, summary: try text(row.pointee.summary, "summary of \(signature.name)", id),
          flags: flags, function: function, defaults: try defaults(row.pointee.defaults, signature, id),
          command: row.pointee.command.map { String(cString: $0) }))
    }
    return methods
  }

  private static func defaults(
    _ pointer: UnsafePointer<CChar>?, _ signature: Signature, _ id: String
  ) throws(HostError) -> [String: JSONValue] {
    guard let pointer else { return [:] }
    guard let members = try JSONValue(parsing: String(cString: pointer).utf8).object,
      members.keys.allSatisfy({ name in signature.parameters.contains { $0.name == name } })
    else { throw .invalid("bad_defaults", "The defaults of `\(id).\(signature.name)` do not fit its signature.") }
    return members
  }

  private static func readImports(
    _ native: UnsafePointer<symbolon_plugin>, _ id: String
  ) throws(HostError) -> [ImportDescription] {
    guard native.pointee.import_count <= Limit.imports, let table = native.pointee.imports else {
      if native.pointee.import_count == 0 { return [] }
      throw .invalid(
        "bad_description", "The import table of `\(id)` is missing or has more than \(Limit.imports) rows.")
    }
    var imports: [ImportDescription] = []
    for index in 0..<Int(native.pointee.import_count) {
      guard let row = table[index], row.pointee.struct_size >= UInt32(MemoryLayout<symbolon_import>.size),
        let slot = row.pointee.slot
      else { throw .invalid("bad_description", "Import \(index + 1) of `\(id)` is incomplete.") }
      imports.append(
        ImportDescription(
          plugin: try text(row.pointee.plugin, "import", id),
          signature: try Signature(parsing: try text(row.pointee.signature, "signature", id)),
          isOptional: row.pointee.flags & UInt32(SYMBOLON_IMPORT_OPTIONAL) != 0, slot: slot))
    }
    return imports
  }

  private static func readRoutes(
    _ native: UnsafePointer<symbolon_plugin>, _ id: String, _ methods: [MethodDescription]
  ) throws(HostError) -> [RouteDescription] {
    guard let found = native.pointee.extension?(SYMBOLON_ROUTES) else { return [] }
    let table = found.assumingMemoryBound(to: symbolon_routes.self)
    guard table.pointee.count <= Limit.routes, let rows = table.pointee.routes else { return [] }
    var routes: [RouteDescription] = []
    for index in 0..<Int(table.pointee.count) {
      guard let row = rows[index] else { continue }
      let route = RouteDescription(
        verb: try text(row.pointee.verb, "verb", id), path: try text(row.pointee.path, "path", id),
        method: try text(row.pointee.method, "method", id))
      guard let method = methods.first(where: { $0.signature.name == route.method }),
        method.signature.parameters.map(\.type) == [.text, .text, .json, .bytes], method.signature.streams
      else {
        throw .invalid(
          "bad_route", "The route \(route.verb) \(route.path) of `\(id)` names no method of the right form.")
      }
      routes.append(route)
    }
    return routes
  }
}
