import CFFI

/// A C function pointer that calls `code` with `user`; nobody may call it once this object is freed.
final class NativeClosure: Sendable {
  /// What libffi calls: interface, place of the result, addresses of the arguments, `user`.
  typealias Code =
    @convention(c) (
      UnsafeMutablePointer<ffi_cif>?, UnsafeMutableRawPointer?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
      UnsafeMutableRawPointer?
    ) -> Void

  // Proof of both: constant after init.
  nonisolated(unsafe) let function: @convention(c) () -> Void
  nonisolated(unsafe) private let memory: UnsafeMutableRawPointer

  /// Makes a function of an interface, which lives at least as long as this object.
  init(_ cif: UnsafeMutablePointer<ffi_cif>, _ user: UnsafeMutableRawPointer, _ code: Code) throws(HostError) {
    var address: UnsafeMutableRawPointer?
    guard let memory = ffi_closure_alloc(MemoryLayout<ffi_closure>.size, &address), let address else {
      throw .system("no_closure", "The system gives no executable memory for call closures.")
    }
    let status = ffi_prep_closure_loc(memory.assumingMemoryBound(to: ffi_closure.self), cif, code, user, address)
    guard status == FFI_OK else {
      ffi_closure_free(memory)
      throw .system("no_closure", "libffi refused a closure.")
    }
    self.memory = memory
    function = unsafeBitCast(address, to: (@convention(c) () -> Void).self)
  }

  deinit { ffi_closure_free(memory) }
}
