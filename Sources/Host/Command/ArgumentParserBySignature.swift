/// Splits words into options and positional words.
struct OptionReader {
  private(set) var words: [String] = []
  private(set) var options: [(name: String, value: String?)] = []

  /// `--name value`, `--name=value`; a `--name` before another option or the end has no value.
  init(_ arguments: [String]) {
    var rest = arguments[...]
    while let word = rest.popFirst() {
      if word == "--" {
        words += rest
        return
      }
      guard word.hasPrefix("--") || word == "-h" else {
        words.append(word)
        continue
      }
      let name = word.drop { $0 == "-" }
      if let equals = name.firstIndex(of: "=") {
        options.append((String(name[..<equals]), String(name[name.index(after: equals)...])))
      } else if Self.flags.contains(String(name)) {
        options.append((String(name), nil))
      } else if let next = rest.first, !next.hasPrefix("--") {
        options.append((String(name), next))
        rest = rest.dropFirst()
      } else {
        options.append((String(name), nil))
      }
    }
  }

  private static let flags: Set<String> = ["json", "help", "h"]

  mutating func take(_ name: String) -> String? {
    guard let index = options.firstIndex(where: { $0.name == name && $0.value != nil }) else { return nil }
    return options.remove(at: index).value
  }

  mutating func takeFlag(_ name: String) -> Bool {
    guard let index = options.firstIndex(where: { $0.name == name && $0.value == nil }) else { return false }
    options.remove(at: index)
    return true
  }
}

/// Turns words into the JSON arguments of a method.
struct ArgumentParserBySignature {
  private let method: CatalogMethod
  private let wallets: WalletStore

  init(_ method: CatalogMethod, wallets: WalletStore) {
    self.method = method
    self.wallets = wallets
  }

  func parse(_ words: [String], _ options: [(name: String, value: String?)]) throws(HostError) -> [String: JSONValue] {
    var arguments: [String: JSONValue] = [:]
    let fields = method.signature.parameters
    for option in options {
      let name = option.name.replacing("-", with: "_")
      guard let field = fields.first(where: { $0.name == name }) else {
        let hint = Spelling.nearest(to: name, in: fields.map(\.name)).map { " Did you mean --\($0)?" } ?? ""
        throw .invalid(
          "unknown_option",
          "`symbolon \(method.commandLine)` has no --\(option.name).\(hint) --help shows what it takes.")
      }
      guard arguments[name] == nil else { throw .invalid("option_twice", "--\(option.name) is given twice.") }
      arguments[name] = try value(option.value, field)
    }
    var open = fields.filter { arguments[$0.name] == nil }[...]
    for word in words {
      guard let field = open.popFirst() else {
        throw .invalid("surplus_word", "`\(word)` is one argument too many: --help shows what the method takes.")
      }
      arguments[field.name] = try value(word, field)
    }
    if let missing = open.first(where: { method.defaults[$0.name] == nil }) {
      throw .invalid(
        "missing_option",
        "`symbolon \(method.commandLine)` needs --\(missing.name.replacing("_", with: "-")) <\(missing.type)>: --help shows all."
      )
    }
    return arguments
  }

  private func value(_ word: String?, _ field: Signature.Field) throws(HostError) -> JSONValue {
    guard let word else {
      if field.type == .bool { return .bool(true) }
      throw .invalid("no_value", "--\(field.name) needs a value (\(field.type)).")
    }
    func wrong(_ expected: String) -> HostError {
      .invalid("wrong_type", "--\(field.name) must be \(expected), not `\(word)`.")
    }
    switch field.type {
    case .bool:
      guard let flag = Bool(word) else { throw wrong("true or false") }
      return .bool(flag)
    case .i32, .i64:
      guard let number = Int64(word) else { throw wrong("an integer") }
      return .integer(number)
    case .u32, .u64:
      guard let number = UInt64(word.filter { $0 != "_" }) else { throw wrong("an integer from 0") }
      return .unsigned(number)
    case .f64:
      guard let number = Double(word) else { throw wrong("a number") }
      return .number(number)
    case .bytes:
      if word.hasPrefix("wallet:") { return .string(try wallets.publicKey(String(word.dropFirst(7))).hexadecimal) }
      if word.hasPrefix("@") { return .string(try WordFile.read(word).hexadecimal) }
      guard [UInt8](hexadecimal: word) != nil else { throw wrong("hexadecimal, wallet:NAME or @FILE") }
      return .string(word)
    case .text: return .string(try WordFile.isNamed(word) ? String(decoding: WordFile.read(word), as: UTF8.self) : word)
    case .json: return try JSONValue(parsing: try WordFile.isNamed(word) ? WordFile.read(word) : Array(word.utf8))
    }
  }
}
