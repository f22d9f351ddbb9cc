import CCalls
import CFFI
import PluginAPI
import Synchronization

/// A method of a running generation: its function and how it is called, prepared once.
final class LoadedMethod: @unchecked Sendable {  // Proof: written in init; the rest is atomic.
  let signature: Signature
  let summary: String
  let flags: UInt32
  let defaults: [String: JSONValue]
  let command: String?
  let function: @convention(c) () -> Void
  private let native: NativeCall
  /// Parameters that can hold what their type forbids, by index: they are checked at the border.
  let checkedParameters: [(index: Int, type: ValueType)]
  let counters: MethodCounters

  init(
    _ description: PluginDescription.Method, function: @escaping @convention(c) () -> Void, counters: MethodCounters
  ) throws(HostError) {
    signature = description.signature
    summary = description.summary
    flags = description.flags
    defaults = description.defaults
    command = description.command
    self.function = function
    self.counters = counters
    native = try NativeCall(signature)
    checkedParameters = description.signature.parameters.enumerated()
      .filter { $0.element.type.isSlice || $0.element.type == .bool }.map { ($0.offset, $0.element.type) }
  }

  deinit { native.free() }

  /// The index of the first argument that its type forbids; `arguments[0]` is the first parameter's cell.
  func firstForbidden(_ arguments: UnsafePointer<UnsafeMutableRawPointer?>) -> Int? {
    for (index, type) in checkedParameters {
      guard let cell = arguments[index] else { return index }
      switch type {
      case .bool: if cell.load(as: UInt8.self) > 1 { return index }
      case .bytes: if !cell.load(as: symbolon_slice.self).isWhole { return index }
      default: if !cell.load(as: symbolon_slice.self).isUTF8 { return index }
      }
    }
    return nil
  }

  /// Makes the native call: counted, timed, listed, and with its trace id in what is logged meanwhile.
  @inline(__always)
  func perform(
    _ instance: UnsafeMutableRawPointer?, _ call: UnsafeMutablePointer<symbolon_call>,
    _ arguments: UnsafePointer<UnsafeMutableRawPointer?>
  ) -> Int32 {
    TraceContext.inside(call) {
      counters.measure { start in
        symbolon_running_enter(Unmanaged.passUnretained(self).toOpaque(), call.pointee.caller, start)
        defer { symbolon_running_leave() }
        return native(function, instance, UnsafeMutableRawPointer(call), arguments)
      }
    }
  }

  func has(_ flag: Int) -> Bool { flags & UInt32(flag) != 0 }
}

extension Signature {
  /// The C types of arguments and results, without `self` and `call`.
  var nativeParameters: [UnsafeMutablePointer<ffi_type>] {
    parameters.map(\.type.native) + results.map { _ in symbolon_ffi_pointer() }
  }
}

/// Prepares `int32_t f(types…)`; `freeInterface` gives the memory back.
func prepareInterface(
  _ types: [UnsafeMutablePointer<ffi_type>]
) throws(HostError) -> UnsafeMutablePointer<ffi_cif> {
  let memory = UnsafeMutablePointer<UnsafeMutablePointer<ffi_type>?>.allocate(capacity: types.count)
  for (index, type) in types.enumerated() { (memory + index).initialize(to: type) }
  let cif = UnsafeMutablePointer<ffi_cif>.allocate(capacity: 1)
  cif.initialize(to: ffi_cif())
  guard symbolon_ffi_prepare(cif, UInt32(types.count), symbolon_ffi_i32(), memory) == FFI_OK else {
    memory.deallocate()
    cif.deallocate()
    throw .system("interface_refused", "libffi refused a call interface with \(types.count) arguments.")
  }
  return cif
}

/// Frees what `prepareInterface` made; no call runs through it.
func freeInterface(_ cif: UnsafeMutablePointer<ffi_cif>) {
  cif.pointee.arg_types.deallocate()
  cif.deallocate()
}
