/// Why bytes are not the canonical encoding of what was asked for; offsets count from the start of the input.
public enum CanonicalError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The input ends before the value does.
  case truncated(offset: Int, wanted: Int, remaining: Int)
  /// A slice or list is longer than its format allows.
  case tooLong(offset: Int, count: Int, limit: Int)
  /// The value has another encoding, or none.
  case notCanonical(offset: Int, expected: String)
  /// Bytes follow the last value.
  case trailing(offset: Int, count: Int)

  /// One sentence with the place of the fault.
  public var description: String {
    switch self {
    case .truncated(let offset, let wanted, let remaining):
      "At byte \(offset) the encoding asks for \(wanted) bytes or elements, but only \(remaining) bytes follow."
    case .tooLong(let offset, let count, let limit):
      "At byte \(offset) the encoding announces \(count) bytes or elements; at most \(limit) are allowed."
    case .notCanonical(let offset, let expected):
      "At byte \(offset) the encoding does not hold \(expected)."
    case .trailing(let offset, let count):
      "The value ends at byte \(offset), but \(count) more bytes follow."
    }
  }
}
