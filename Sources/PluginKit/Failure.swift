import PluginAPI

/// What a call ended with; the numbers are gRPC's (`symbolon/status.h`).
public enum Status: Int32, Sendable {
  case ok = 0
  case cancelled = 1
  case unknown = 2
  case invalidArgument = 3
  case deadlineExceeded = 4
  case notFound = 5
  case alreadyExists = 6
  case permissionDenied = 7
  case resourceExhausted = 8
  case failedPrecondition = 9
  case aborted = 10
  case outOfRange = 11
  case unimplemented = 12
  case `internal` = 13
  case unavailable = 14
  case dataLoss = 15
  case unauthenticated = 16
}

/// Why a call failed: a status for control flow, a code for programs, a sentence for people.
public struct Failure: Error, Equatable, CustomStringConvertible {
  /// Decides what callers do.
  public var status: Status
  /// A stable word, for example `insufficient_funds`; at most 63 bytes.
  public var code: String
  /// A sentence that says what to do; at most 1,023 bytes.
  public var message: String

  /// Creates a failure.
  public init(_ status: Status, _ code: String, _ message: String) {
    self.status = status
    self.code = code
    self.message = message
  }

  /// The sentence, with the code behind it.
  public var description: String { "\(message) (\(code))" }

  /// Reads what a callee left in the error slot.
  init(status: Int32, slot: UnsafeMutablePointer<symbolon_error>?) {
    self.status = Status(rawValue: status) ?? .unknown
    guard let slot, slot.pointee.status == status else {
      (code, message) = ("\(self.status)", "The call failed: \(self.status).")
      return
    }
    code = withUnsafePointer(to: &slot.pointee.code) { String(fixed: $0, count: Int(SYMBOLON_ERROR_CODE_MAX)) }
    message = withUnsafePointer(to: &slot.pointee.message) {
      String(fixed: $0, count: Int(SYMBOLON_ERROR_MESSAGE_MAX))
    }
  }

  /// Writes this failure into the error slot and returns the status to hand back.
  func write(to slot: UnsafeMutablePointer<symbolon_error>?) -> Int32 {
    guard let slot else { return status.rawValue }
    slot.pointee.status = status.rawValue
    withUnsafeMutableBytes(of: &slot.pointee.code) { code.copy(into: $0) }
    withUnsafeMutableBytes(of: &slot.pointee.message) { message.copy(into: $0) }
    return status.rawValue
  }
}

extension String {
  /// Reads a zero-terminated text out of a fixed C array.
  fileprivate init<T>(fixed array: UnsafePointer<T>, count: Int) {
    let bytes = UnsafeRawBufferPointer(start: array, count: count)
    self = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }

  /// Copies as many whole characters as fit, and a terminating zero.
  fileprivate func copy(into target: UnsafeMutableRawBufferPointer) {
    var used = 0
    for scalar in unicodeScalars {
      let bytes = Array(String(scalar).utf8)
      guard used + bytes.count < target.count else { break }
      for byte in bytes {
        target[used] = byte
        used += 1
      }
    }
    target[used] = 0
  }
}
