import CFFI
import PluginAPI

/// The state that a layer holds itself and hands to its next version at a reload (`symbolon/extensions/state.h`).
public struct StateHandover<Layer: AnyObject & Sendable>: Sendable {
  private let id: String
  private let version: UInt32
  private let imports: [UInt32]
  private let exports: [UInt32]
  private let write: @Sendable (Layer, UInt32) throws -> [UInt8]
  private let read: @Sendable (Layer, UInt32, [UInt8]) throws -> Void

  /// Declares a state.
  /// - Parameters:
  ///   - id: what the state is, the same in all builds, for example `org.example.counter`.
  ///   - version: the form that this build works with, from 1.
  ///   - imports: versions that `read` understands; `version` is one of them.
  ///   - exports: versions that `write` can give; `version` is one of them.
  ///   - write: the whole state in the form of a version; the same state is always the same bytes.
  ///   - read: takes the place of whatever state the layer has; it is created and not started.
  public init(
    _ id: String, version: UInt32, imports: [UInt32], exports: [UInt32],
    write: @escaping @Sendable (Layer, UInt32) throws -> [UInt8],
    read: @escaping @Sendable (Layer, UInt32, [UInt8]) throws -> Void
  ) {
    self.id = id
    self.version = version
    self.imports = imports
    self.exports = exports
    self.write = write
    self.read = read
  }

  func describe(into table: inout symbolon_state) {
    let (write, read) = (write, read)
    table.schema_id = permanent(id)
    table.schema_version = version
    table.imports = Self.permanentList(imports)
    table.import_count = UInt32(imports.count)
    table.exports = Self.permanentList(exports)
    table.export_count = UInt32(exports.count)
    let pointer: UnsafeMutablePointer<ffi_type> = symbolon_ffi_pointer()
    let exporting = Interface([pointer, pointer, symbolon_ffi_u32(), pointer])
    table.export_state = unsafeBitCast(
      makeFunction(exporting) { arguments in
        guard let layer = Self.layer(arguments[0]), let version = arguments[2]?.load(as: UInt32.self) else {
          return Status.internal.rawValue
        }
        return guarded(arguments[1]) {
          try Output(arguments[3]?.load(as: UnsafeMutablePointer<symbolon_sink>?.self)).write(try write(layer, version))
        }
      }, to: type(of: table.export_state))
    let importing = Interface([pointer, pointer, symbolon_ffi_u32(), symbolon_ffi_slice()])
    table.import_state = unsafeBitCast(
      makeFunction(importing) { arguments in
        guard let layer = Self.layer(arguments[0]), let version = arguments[2]?.load(as: UInt32.self),
          let state = arguments[3]?.load(as: symbolon_slice.self)
        else { return Status.internal.rawValue }
        return guarded(arguments[1]) { try read(layer, version, Array(state.buffer)) }
      }, to: type(of: table.import_state))
  }

  private static func layer(_ cell: UnsafeMutableRawPointer?) -> Layer? {
    cell?.load(as: UnsafeMutableRawPointer?.self).map { Unmanaged<Layer>.fromOpaque($0).takeUnretainedValue() }
  }

  private static func permanentList(_ versions: [UInt32]) -> UnsafePointer<UInt32> {
    let list = UnsafeMutablePointer<UInt32>.allocate(capacity: max(1, versions.count))
    list.initialize(repeating: 0, count: max(1, versions.count))
    for (index, version) in versions.enumerated() { list[index] = version }
    return UnsafePointer(list)
  }
}
