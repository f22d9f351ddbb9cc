/// Reads the members of a request object one by one, and refuses what is wrong in OpenAI's words.
///
/// Every member has to be taken; `finish` refuses those that nobody asked for.
struct Fields {
  private let members: [JSONValue.Member]
  private var taken: Set<String> = []
  /// What precedes a member's name in `param`, such as `messages[2].`.
  private let path: String

  init(_ value: JSONValue, path: String = "") throws(Refusal) {
    guard case .object(let members) = value else {
      throw Self.invalidType(path.isEmpty ? "request body" : String(path.dropLast()), "an object", value)
    }
    self.members = members
    self.path = path
  }

  /// Reads a request's body.
  init(body: [UInt8]) throws(Refusal) {
    guard body.count <= Limits.bodyBytes else {
      throw Refusal(
        .tooLarge, "request_too_large",
        "The request body has \(body.count) bytes; the most is \(Limits.bodyBytes). Shorten the conversation.")
    }
    let document: JSONValue
    do throws(JSONParser.Fault) { document = try JSONParser.parse(body) } catch {
      throw Refusal(
        .invalid, "invalid_json", "The request body is not valid JSON: \(error.reason), at byte \(error.offset).")
    }
    try self.init(document)
  }

  func name(_ member: String) -> String { path + member }

  /// The required name of the model.
  mutating func model() throws(Refusal) -> String {
    guard let model = try string("model", maximumBytes: Limits.labelBytes), !model.isEmpty else {
      throw missing("model")
    }
    return model
  }

  /// Takes labels that change nothing about an answer: they are checked and not kept.
  mutating func ignoreLabels() throws(Refusal) {
    for label in ["user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"] {
      _ = try string(label, maximumBytes: Limits.labelBytes)
    }
    _ = take("prompt_cache_options")
    guard let metadata = take("metadata") else { return }
    guard case .object(let members) = metadata else { throw Self.invalidType("metadata", "an object", metadata) }
    guard members.count <= Limits.metadata else {
      throw Refusal(
        .invalid, "object_above_max_properties",
        "Invalid 'metadata': expected at most \(Limits.metadata) properties, but got \(members.count).",
        parameter: "metadata")
    }
    var labels = try Fields(metadata, path: "metadata.")
    for member in members { _ = try labels.string(member.name, maximumBytes: Limits.labelBytes) }
  }

  /// The member's value; nil when it is absent or null.
  mutating func take(_ name: String) -> JSONValue? {
    taken.insert(name)
    guard let value = members.first(where: { $0.name == name })?.value, value != .null else { return nil }
    return value
  }

  mutating func string(_ name: String, maximumBytes: Int = .max) throws(Refusal) -> String? {
    guard let value = take(name) else { return nil }
    guard let string = value.stringValue else { throw Self.invalidType(self.name(name), "a string", value) }
    guard string.utf8.count <= maximumBytes else {
      throw Refusal(
        .invalid, "string_above_max_length",
        "Invalid '\(self.name(name))': expected at most \(maximumBytes) bytes, but got \(string.utf8.count).",
        parameter: self.name(name))
    }
    return string
  }

  mutating func bool(_ name: String) throws(Refusal) -> Bool? {
    guard let value = take(name) else { return nil }
    guard case .bool(let flag) = value else { throw Self.invalidType(self.name(name), "a boolean", value) }
    return flag
  }

  mutating func unsigned(_ name: String, _ range: ClosedRange<UInt64>) throws(Refusal) -> UInt64? {
    guard let value = take(name) else { return nil }
    guard case .number(let text) = value, value.typeName == "an integer" else {
      throw Self.invalidType(self.name(name), "an integer", value)
    }
    if text.hasPrefix("-") || (UInt64(text).map { $0 < range.lowerBound } ?? false) {
      throw outOfRange(name, "integer_below_min_value", ">= \(range.lowerBound)", text)
    }
    guard let number = UInt64(text), number <= range.upperBound else {
      throw outOfRange(name, "integer_above_max_value", "<= \(range.upperBound)", text)
    }
    return number
  }

  mutating func signed(_ name: String) throws(Refusal) -> Int64? {
    guard let value = take(name) else { return nil }
    guard case .number(let text) = value, value.typeName == "an integer" else {
      throw Self.invalidType(self.name(name), "an integer", value)
    }
    guard let number = Int64(text) else {
      throw text.hasPrefix("-")
        ? outOfRange(name, "integer_below_min_value", ">= \(Int64.min)", text)
        : outOfRange(name, "integer_above_max_value", "<= \(Int64.max)", text)
    }
    return number
  }

  mutating func decimal(_ name: String, _ range: ClosedRange<Double>) throws(Refusal) -> Double? {
    guard let value = take(name) else { return nil }
    guard case .number(let text) = value else { throw Self.invalidType(self.name(name), "a decimal", value) }
    guard let number = value.doubleValue, number <= range.upperBound else {
      throw text.hasPrefix("-")
        ? outOfRange(name, "decimal_below_min_value", ">= \(range.lowerBound)", text)
        : outOfRange(name, "decimal_above_max_value", "<= \(range.upperBound)", text)
    }
    guard number >= range.lowerBound else {
      throw outOfRange(name, "decimal_below_min_value", ">= \(range.lowerBound)", text)
    }
    return number
  }

  /// Takes a parameter that this node does not offer: it passes only with a value that asks for nothing.
  mutating func refuse(
    _ name: String, _ remedy: String = "leave it out", unless isHarmless: (JSONValue) -> Bool = { _ in false }
  ) throws(Refusal) {
    guard let value = take(name), !isHarmless(value) else { return }
    throw Refusal(
      .invalid, "unsupported_parameter",
      "Unsupported parameter: '\(self.name(name))' is not supported by this node: \(remedy).",
      parameter: self.name(name))
  }

  /// Refuses members that were not taken.
  func finish() throws(Refusal) {
    guard let unknown = members.first(where: { !taken.contains($0.name) }) else { return }
    let name = self.name(String(unknown.name.prefix(64)))
    throw Refusal(.invalid, "unknown_parameter", "Unknown parameter: '\(name)'.", parameter: name)
  }

  func missing(_ name: String) -> Refusal {
    Refusal(
      .invalid, "missing_required_parameter", "Missing required parameter: '\(self.name(name))'.",
      parameter: self.name(name))
  }

  func unsupportedValue(_ name: String, _ value: String, _ supported: String) -> Refusal {
    Refusal(
      .invalid, "unsupported_value",
      "Unsupported value: '\(self.name(name))' does not support '\(value.prefix(64))'. Supported: \(supported).",
      parameter: self.name(name))
  }

  private func outOfRange(_ name: String, _ code: String, _ expected: String, _ got: String) -> Refusal {
    Refusal(
      .invalid, code, "Invalid value for '\(self.name(name))': expected a value \(expected), but got \(got) instead.",
      parameter: self.name(name))
  }

  static func invalidType(_ parameter: String, _ expected: String, _ value: JSONValue) -> Refusal {
    Refusal(
      .invalid, "invalid_type",
      "Invalid type for '\(parameter)': expected \(expected), but got \(value.typeName) instead.",
      parameter: parameter == "request body" ? nil : parameter)
  }
}
