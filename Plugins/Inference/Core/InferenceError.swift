/// What went wrong in the inference layer: a kind, a stable code, and a sentence that says what to do.
package struct InferenceError: Error, Equatable, CustomStringConvertible {
  /// The classes of failure a caller can act on.
  package enum Kind: Sendable {
    /// The request is wrong; `parameter` names the member.
    case invalidRequest
    /// The thing asked for does not exist.
    case notFound
    /// Too much at once; try again later.
    case exhausted
    /// The engine stops or has not started.
    case unavailable
    /// The receiver went away.
    case cancelled
    /// The time that the caller gave is over.
    case late
    /// A file is missing, damaged or of a kind this engine does not run.
    case badModel
    /// A defect: of the machine, the model's numbers, or this program.
    case `internal`
  }

  package let kind: Kind
  package let code: String
  package let sentence: String
  /// The member of the request that is wrong, if one is.
  package let parameter: String?
  /// After how many seconds a retry makes sense, if it does.
  package let retryAfterSeconds: Int?

  package init(
    _ kind: Kind, _ code: String, _ sentence: String, parameter: String? = nil, retryAfterSeconds: Int? = nil
  ) {
    self.kind = kind
    self.code = code
    self.sentence = sentence
    self.parameter = parameter
    self.retryAfterSeconds = retryAfterSeconds
  }

  package var description: String { "\(code): \(sentence)" }

  /// A model file that cannot be used: names the file, the reason, and the remedy.
  static func model(_ path: String, _ reason: String, code: String = "bad_model") -> InferenceError {
    InferenceError(.badModel, code, "The model \(path) \(reason)")
  }
}
