import CFFI
import PluginAPI

/// A prepared libffi call interface: the C types of one function.
struct Interface: @unchecked Sendable {  // Proof: written once in init, read-only afterwards, never freed.
  let cif: UnsafeMutablePointer<ffi_cif>

  /// Prepares `int32_t f(arguments…)`, or `void f(arguments…)`.
  init(_ arguments: [UnsafeMutablePointer<ffi_type>], result: UnsafeMutablePointer<ffi_type> = symbolon_ffi_i32()) {
    let types = UnsafeMutablePointer<UnsafeMutablePointer<ffi_type>?>.allocate(capacity: max(1, arguments.count))
    for (index, type) in arguments.enumerated() { (types + index).initialize(to: type) }
    cif = .allocate(capacity: 1)
    let status = symbolon_ffi_prepare(cif, UInt32(arguments.count), result, types)
    precondition(status == FFI_OK, "libffi refused a call interface with \(arguments.count) arguments.")
  }
}

/// The arguments of a running native call: `arguments[i]` points to the i-th one.
typealias NativeArguments = UnsafeMutablePointer<UnsafeMutableRawPointer?>

/// Makes a natural C function with a status as its result out of a Swift closure.
///
/// It lives as long as the process: the library is never unmapped and the host may hold the pointer.
func makeFunction(
  _ interface: Interface, _ body: @escaping @Sendable (NativeArguments) -> Int32
) -> @convention(c) () -> Void {
  // A narrow integer result is widened to a register by libffi's contract.
  makeRegisterFunction(interface) { ffi_arg(bitPattern: Int(body($0))) }
}

/// The same for a function that returns a pointer.
func makePointerFunction(
  _ interface: Interface, _ body: @escaping @Sendable (NativeArguments) -> UnsafeMutableRawPointer?
) -> @convention(c) () -> Void {
  makeRegisterFunction(interface) { ffi_arg(UInt(bitPattern: body($0))) }
}

private func makeRegisterFunction(
  _ interface: Interface, _ body: @escaping @Sendable (NativeArguments) -> ffi_arg
) -> @convention(c) () -> Void {
  final class Box: Sendable {
    let body: @Sendable (NativeArguments) -> ffi_arg
    let returnsNothing: Bool
    init(_ body: @escaping @Sendable (NativeArguments) -> ffi_arg, returnsNothing: Bool) {
      self.body = body
      self.returnsNothing = returnsNothing
    }
  }
  var code: UnsafeMutableRawPointer?
  guard let memory = ffi_closure_alloc(MemoryLayout<ffi_closure>.size, &code), let code else {
    preconditionFailure("libffi has no memory for a closure: the system forbids executable memory.")
  }
  let box = Box(body, returnsNothing: interface.cif.pointee.rtype == symbolon_ffi_void())
  let status = ffi_prep_closure_loc(
    memory.assumingMemoryBound(to: ffi_closure.self), interface.cif,
    { _, result, arguments, user in
      guard let arguments, let user else { return }
      let box = Unmanaged<Box>.fromOpaque(user).takeUnretainedValue()
      let value = box.body(arguments)
      if !box.returnsNothing { result?.storeBytes(of: value, as: ffi_arg.self) }
    }, Unmanaged.passRetained(box).toOpaque(), code)
  precondition(status == FFI_OK, "libffi refused a closure.")
  return unsafeBitCast(code, to: (@convention(c) () -> Void).self)
}

extension symbolon_slice {
  /// The bytes, borrowed for the running call.
  var buffer: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : Int(clamping: size))
  }
}

extension UnsafeRawBufferPointer {
  /// A slice that borrows these bytes.
  var slice: symbolon_slice {
    symbolon_slice(data: baseAddress?.assumingMemoryBound(to: UInt8.self), size: UInt64(count))
  }
}

extension Collection<UInt8> {
  /// Lends the bytes as a slice to `body`.
  func withSlice<R, E: Error>(_ body: (symbolon_slice) throws(E) -> R) throws(E) -> R {
    let outcome: Result<R, E>? = withContiguousStorageIfAvailable { storage in
      do throws(E) { return .success(try body(UnsafeRawBufferPointer(storage).slice)) } catch { return .failure(error) }
    }
    if let outcome { return try outcome.get() }
    return try Array(self).withSlice(body)
  }
}

/// Copies a text into memory that is never freed: descriptions live as long as the library.
func permanent(_ text: String) -> UnsafePointer<CChar> {
  let bytes = text.utf8CString
  let memory = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
  for (index, byte) in bytes.enumerated() { (memory + index).initialize(to: byte) }
  return UnsafePointer(memory)
}

/// Copies values into memory that is never freed and returns the array of their addresses.
func permanentArray<T>(_ values: [T]) -> UnsafePointer<UnsafePointer<T>?> {
  let array = UnsafeMutablePointer<UnsafePointer<T>?>.allocate(capacity: max(1, values.count))
  for (index, value) in values.enumerated() {
    let memory = UnsafeMutablePointer<T>.allocate(capacity: 1)
    memory.initialize(to: value)
    (array + index).initialize(to: UnsafePointer(memory))
  }
  return UnsafePointer(array)
}
