import FoundationEssentials
import Glibc

/// Turns words into the one JSON argument of a method that lists its members.
struct MemberArguments {
  private let method: CatalogMethod
  private let members: [OfflineMethod.Member]

  /// Nil for a method whose signature says all.
  init?(_ method: CatalogMethod) {
    guard let members = method.members, !members.isEmpty else { return nil }
    (self.method, self.members) = (method, members)
  }

  func parse(_ words: [String], _ options: [(name: String, value: String?)]) throws(HostError) -> [String: JSONValue] {
    var object: [String: JSONValue] = [:]
    var words = words
    for option in options {
      let name = option.name.replacing("-", with: "_")
      guard let member = members.first(where: { $0.name == name }) else {
        let hint = Spelling.nearest(to: name, in: members.map(\.name)).map {
          " Did you mean --\($0.replacing("_", with: "-"))?"
        }
        throw .invalid(
          "unknown_option",
          "`symbolon \(method.commandLine)` has no --\(option.name).\(hint ?? "") --help shows what it takes.")
      }
      var value = option.value
      if member.type == .flag, let word = value, Bool(word) == nil {
        // A flag takes no value: the word behind it stands for itself.
        words.append(word)
        value = nil
      }
      try add(member, value, to: &object)
    }
    var open = members.filter { $0.isPositional && object[$0.name] == nil }[...]
    for word in words {
      guard let member = open.first else {
        throw .invalid("surplus_word", "`\(word)` is one argument too many: --help shows what the command takes.")
      }
      try add(member, word, to: &object)
      if member.type != .texts { open.removeFirst() }
    }
    if let missing = members.first(where: { $0.isRequired && object[$0.name] == nil }) {
      throw .invalid(
        "missing_option", "`symbolon \(method.commandLine)` needs \(missing.option): --help shows all.")
    }
    guard let argument = method.signature.parameters.first else { return [:] }
    return [argument.name: .object(object)]
  }

  private func add(
    _ member: OfflineMethod.Member, _ word: String?, to object: inout [String: JSONValue]
  ) throws(HostError) {
    let value = try value(word, member)
    if member.type == .texts {
      object[member.name] = .array((object[member.name]?.array ?? []) + [value])
    } else {
      guard object.updateValue(value, forKey: member.name) == nil else {
        throw .invalid("option_twice", "\(member.option) is given twice.")
      }
    }
  }

  private func value(_ word: String?, _ member: OfflineMethod.Member) throws(HostError) -> JSONValue {
    guard let word else {
      if member.type == .flag { return .bool(true) }
      throw .invalid("no_value", "\(member.option) needs a value (\(member.type.rawValue)).")
    }
    func wrong(_ expected: String) -> HostError {
      .invalid("wrong_type", "\(member.option) must be \(expected), not `\(word)`.")
    }
    switch member.type {
    case .flag: return .bool(word != "false")
    case .text, .texts:
      return .string(try WordFile.isNamed(word) ? String(decoding: WordFile.read(word), as: UTF8.self) : word)
    case .integer:
      if let number = UInt64(word) { return .unsigned(number) }
      guard let number = Int64(word) else { throw wrong("an integer") }
      return .integer(number)
    case .number:
      guard let number = Double(word), number.isFinite else { throw wrong("a number") }
      return .number(number)
    case .path: return .string(try AbsolutePath.of(word))
    case .json: return try JSONValue(parsing: try WordFile.isNamed(word) ? WordFile.read(word) : Array(word.utf8))
    case .document:
      let bytes = try WordFile.read(word == "-" || word.hasPrefix("@") ? word : "@" + word)
      do throws(HostError) { return try JSONValue(parsing: bytes) } catch {
        throw .invalid("not_json", "The file \(word) is not JSON: \(error.message)")
      }
    }
  }
}

/// Words that stand for the content of a file: `@FILE`, or `-` for standard input.
enum WordFile {
  static func isNamed(_ word: String) -> Bool { word == "-" || (word.hasPrefix("@") && word.count > 1) }

  static func read(_ word: String) throws(HostError) -> [UInt8] {
    if word == "-" { return StandardInput.readAll() }
    let path = String(word.dropFirst())
    guard let bytes = try? Data(contentsOf: URL(filePath: ConfigurationReader.expand(path))) else {
      throw .notFound("no_file", "The file \(path) cannot be read.")
    }
    return Array(bytes)
  }
}
