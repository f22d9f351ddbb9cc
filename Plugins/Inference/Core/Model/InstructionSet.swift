import InferenceKernels

/// The instruction sets that the kernels are written for.
package enum InstructionSet {
  /// The number of one by its name: scalar, avx2, avx512 or neon; nil stays the best of this machine.
  package static func path(named name: String?) throws(InferenceError) -> Int32? {
    guard let name else { return nil }
    let path = symbolon_path_named(name)
    guard path >= 0 else {
      throw InferenceError(
        .invalidRequest, "invalid_isa", "`isa` must be one of scalar, avx2, avx512 and neon, not \"\(name)\".",
        parameter: "isa")
    }
    guard symbolon_path_available(path) != 0 else {
      throw InferenceError(
        .invalidRequest, "isa_missing",
        "This machine does not offer \(name): its best is \(String(cString: symbolon_path_name(symbolon_path_best()))).",
        parameter: "isa")
    }
    return path
  }

  /// The fastest that this machine offers.
  package static var best: Int32 { symbolon_path_best() }

  /// The processors that the engine takes when nobody says how many.
  package static var processors: Int { Int(symbolon_processors()) }

  /// The name of one by its number.
  package static func name(_ path: Int32) -> String { String(cString: symbolon_path_name(path)) }
}
