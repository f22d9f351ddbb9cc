import CCalls
import CFFI

/// Calls a native method: directly where its arguments are words, through libffi otherwise; chosen once, at loading.
package struct NativeCall: @unchecked Sendable {  // Proof: both are written once and only read afterwards.
  private let cif: UnsafeMutablePointer<ffi_cif>
  private let plan: UnsafeMutablePointer<symbolon_direct>?
  /// Arguments and results, without `self` and `call`.
  private let count: Int

  /// Prepares calls of a signature; `free` gives back what it takes.
  package init(_ signature: Signature, allowDirect: Bool = true) throws(HostError) {
    cif = try prepareInterface([symbolon_ffi_pointer(), symbolon_ffi_pointer()] + signature.nativeParameters)
    let kinds =
      signature.parameters.map(\.type.word) + signature.results.map { _ in UInt8(SYMBOLON_WORD_64) }
    count = kinds.count
    let plan = UnsafeMutablePointer<symbolon_direct>.allocate(capacity: 1)
    plan.initialize(to: symbolon_direct())
    guard allowDirect, symbolon_direct_prepare(plan, kinds, UInt32(kinds.count)) != 0 else {
      plan.deallocate()
      self.plan = nil
      return
    }
    self.plan = plan
  }

  /// Gives everything back; no call runs and none will come.
  func free() {
    freeInterface(cif)
    plan?.deallocate()
  }

  /// False when calls go through libffi.
  package var isDirect: Bool { plan != nil }

  /// Calls `function(instance, call, arguments…)`; `arguments[i]` is the address of argument i.
  @inline(__always)
  package func callAsFunction(
    _ function: @convention(c) () -> Void, _ instance: UnsafeMutableRawPointer?, _ call: UnsafeMutableRawPointer?,
    _ arguments: UnsafePointer<UnsafeMutableRawPointer?>
  ) -> Int32 {
    guard let plan else { return throughLibrary(function, instance, call, arguments) }
    return symbolon_direct_call(plan, function, instance, call, arguments)
  }

  private func throughLibrary(
    _ function: @convention(c) () -> Void, _ instance: UnsafeMutableRawPointer?, _ call: UnsafeMutableRawPointer?,
    _ arguments: UnsafePointer<UnsafeMutableRawPointer?>
  ) -> Int32 {
    var (instance, call) = (instance, call)
    var status: ffi_arg = 0
    withUnsafeMutablePointer(to: &instance) { instance in
      withUnsafeMutablePointer(to: &call) { call in
        withUnsafeTemporaryAllocation(of: UnsafeMutableRawPointer?.self, capacity: count + 2) { cells in
          cells[0] = UnsafeMutableRawPointer(instance)
          cells[1] = UnsafeMutableRawPointer(call)
          for index in 0..<count { cells[index + 2] = arguments[index] }
          ffi_call(cif, function, &status, cells.baseAddress)
        }
      }
    }
    return Int32(truncatingIfNeeded: status)
  }
}

extension ValueType {
  /// How `CCalls` reads an argument of this type; a number that it does not know for what is no word.
  var word: UInt8 {
    switch self {
    case .bool: UInt8(SYMBOLON_WORD_U8)
    case .i32: UInt8(SYMBOLON_WORD_I32)
    case .u32: UInt8(SYMBOLON_WORD_U32)
    case .i64, .u64: UInt8(SYMBOLON_WORD_64)
    case .text, .bytes, .json: UInt8(SYMBOLON_WORD_SLICE)
    case .f64: .max
    }
  }
}
