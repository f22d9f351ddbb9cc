/// The ways to store a tensor that this engine runs, numbered as in GGUF.
package enum TensorType: UInt32, CaseIterable, Sendable {
  case f32 = 0
  case f16 = 1
  case q4_0 = 2
  case q4_1 = 3
  case q5_0 = 6
  case q5_1 = 7
  case q8_0 = 8
  case q4_k = 12
  case q5_k = 13
  case q6_k = 14
  case bf16 = 30

  /// Values in a block, and the bytes they take.
  private var block: (values: Int, bytes: Int) {
    switch self {
    case .f32: (1, 4)
    case .f16, .bf16: (1, 2)
    case .q4_0: (32, 18)
    case .q4_1: (32, 20)
    case .q5_0: (32, 22)
    case .q5_1: (32, 24)
    case .q8_0: (32, 34)
    case .q4_k: (256, 144)
    case .q5_k: (256, 176)
    case .q6_k: (256, 210)
    }
  }

  /// The bytes of a tensor of this shape; nil if its rows are not whole blocks or the product overflows.
  func bytes(_ shape: [Int]) -> Int? {
    guard let row = shape.first, row % block.values == 0 else { return nil }
    var total = row / block.values
    for size in shape.dropFirst() {
      let (product, overflow) = total.multipliedReportingOverflow(by: size)
      if overflow { return nil }
      total = product
    }
    let (product, overflow) = total.multipliedReportingOverflow(by: block.bytes)
    return overflow ? nil : product
  }

  /// The names of all types that this engine runs, for sentences.
  static var names: String { allCases.map { name($0.rawValue) }.sorted().joined(separator: ", ") }

  /// The usual name of a type, also of those that this engine does not run.
  package static func name(_ number: UInt32) -> String {
    let names: [UInt32: String] = [
      0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1", 10: "Q2_K", 11: "Q3_K",
      12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S",
      20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 28: "F64", 29: "IQ1_M", 30: "BF16", 34: "TQ1_0",
      35: "TQ2_0", 39: "MXFP4",
    ]
    return names[number] ?? "type \(number)"
  }
}
