import CFFI

/// The types of the contract.
package enum ValueType: String, CaseIterable, Sendable {
  case bool, i32, u32, i64, u64, f64, text, bytes, json

  /// True for what crosses the border as a slice in and a sink out.
  var isSlice: Bool { self == .text || self == .bytes || self == .json }

  /// Bytes of a scalar, in memory and in the canonical form.
  var width: Int {
    switch self {
    case .bool: 1
    case .i32, .u32: 4
    case .i64, .u64, .f64: 8
    case .text, .bytes, .json: 0
    }
  }

  /// The C type of an argument.
  var native: UnsafeMutablePointer<ffi_type> {
    switch self {
    case .bool: symbolon_ffi_u8()
    case .i32: symbolon_ffi_i32()
    case .u32: symbolon_ffi_u32()
    case .i64: symbolon_ffi_i64()
    case .u64: symbolon_ffi_u64()
    case .f64: symbolon_ffi_f64()
    case .text, .bytes, .json: symbolon_ffi_slice()
    }
  }
}
