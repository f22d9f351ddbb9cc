/// Reads the members of an object one by one and refuses what is wrong, naming it by its path in the request.
///
/// Every member has to be taken; `finish` refuses those that nobody asked for. Null is as good as absent.
struct RequestFields {
  private let members: [JSONValue.Member]
  private var taken: Set<String> = []
  /// What precedes a member's name, such as `messages[2].`.
  private let path: String

  init(_ value: JSONValue, path: String = "") throws(InferenceError) {
    guard case .object(let members) = value else {
      guard !path.isEmpty else {
        throw InferenceError(.invalidRequest, "invalid_request", "The request is not a JSON object.")
      }
      throw Self.wrongKind(String(path.dropLast()), "an object", value)
    }
    self.members = members
    self.path = path
  }

  func name(_ member: String) -> String { path + member }

  /// The member's value; nil when it is absent or null.
  mutating func take(_ name: String) -> JSONValue? {
    taken.insert(name)
    guard let value = members.first(where: { $0.name == name })?.value, value != .null else { return nil }
    return value
  }

  mutating func text(_ name: String) throws(InferenceError) -> String? {
    guard let value = take(name) else { return nil }
    guard let text = value.string else { throw Self.wrongKind(self.name(name), "a text", value) }
    return text
  }

  mutating func bool(_ name: String) throws(InferenceError) -> Bool? {
    guard let value = take(name) else { return nil }
    guard case .bool(let flag) = value else { throw Self.wrongKind(self.name(name), "true or false", value) }
    return flag
  }

  mutating func number(_ name: String) throws(InferenceError) -> Double? {
    guard let value = take(name) else { return nil }
    guard let number = value.double else { throw Self.wrongKind(self.name(name), "a number", value) }
    return number
  }

  mutating func whole<Whole: FixedWidthInteger>(
    _ name: String, _ type: Whole.Type, _ form: String
  ) throws(InferenceError) -> Whole? {
    guard let value = take(name) else { return nil }
    guard let number = value.integer(type) else { throw GenerationRequest.wrong(self.name(name), "must be \(form)") }
    return number
  }

  mutating func list(_ name: String) throws(InferenceError) -> [JSONValue]? {
    guard let value = take(name) else { return nil }
    guard let list = value.array else { throw Self.wrongKind(self.name(name), "a list", value) }
    return list
  }

  mutating func required(_ name: String) throws(InferenceError) -> JSONValue {
    guard let value = take(name) else { throw GenerationRequest.wrong(self.name(name), "is missing") }
    return value
  }

  /// A required text.
  mutating func requiredText(_ name: String) throws(InferenceError) -> String {
    let value = try required(name)
    guard let text = value.string else { throw Self.wrongKind(self.name(name), "a text", value) }
    return text
  }

  /// Refuses members that were not taken.
  func finish() throws(InferenceError) {
    guard let unknown = members.first(where: { !taken.contains($0.name) }) else { return }
    let name = self.name(String(unknown.name.prefix(64)))
    throw InferenceError(
      .invalidRequest, "unknown_parameter", "`\(name)` is not known to this engine: leave it out.", parameter: name)
  }

  static func wrongKind(_ name: String, _ expected: String, _ value: JSONValue) -> InferenceError {
    GenerationRequest.wrong(name, "must be \(expected), not \(value.kind)")
  }
}
