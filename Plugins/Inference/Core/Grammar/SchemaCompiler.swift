/// A JSON schema (draft 2020-12, the part that OpenAI's structured outputs name and some more) as a form.
///
/// Every string of the form is valid under the schema, as far as its keywords are held; the form may be narrower:
/// members stand in the order of `properties`, and where `properties` are named, others come only if
/// `additionalProperties` asks for them. A strict schema with a keyword that is not held is refused; otherwise the
/// keyword is left out.
package struct SchemaCompiler {
  /// The most values of an `enum`, and of repetitions that are written out.
  static let (mostValues, mostItems, mostCharacters) = (1000, 1000, 4096)
  private static let mostSchemas = 4096
  private static let annotations: Set<String> = [
    "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$schema", "$id", "$comment",
    "$defs", "definitions", "$anchor",
  ]

  var forms = JSONForms()
  private let root: JSONValue
  let isStrict: Bool
  /// The rules of schemas that others name, by where they stand.
  private var named: [String: Int] = [:]
  private var pending: [(rule: Int, schema: JSONValue, path: String)] = []
  private var count = 0

  private init(_ root: JSONValue, isStrict: Bool) { (self.root, self.isStrict) = (root, isStrict) }

  /// The grammar of JSON texts that fit a schema.
  ///
  /// `around` makes of it what is written, for example a text before it.
  package static func grammar(
    _ schema: JSONValue, isStrict: Bool, around: (Form) -> Form = { $0 }
  ) throws(GrammarFault) -> Grammar {
    var compiler = SchemaCompiler(schema, isStrict: isStrict)
    let start = compiler.forms.reserve()
    let form = try compiler.form(schema, path: "")
    compiler.forms.set(start, to: around(compiler.forms.add(form)))
    while let next = compiler.pending.popLast() {
      compiler.forms.set(next.rule, to: try compiler.form(next.schema, path: next.path))
    }
    return try Grammar(rules: compiler.forms.rules, start: start)
  }

  /// The grammar of any JSON object.
  package static func anyObject() throws(GrammarFault) -> Grammar {
    var forms = JSONForms()
    let start = forms.reserve()
    forms.set(start, to: forms.object)
    return try Grammar(rules: forms.rules, start: start)
  }

  /// A keyword that is not held: an end for a strict schema.
  func unheld(_ path: String, _ why: String = "is a keyword that this engine does not hold") throws(GrammarFault) {
    if isStrict { throw GrammarFault("\(why): leave it out, or ask without `strict`", path: path) }
  }

  mutating func form(_ schema: JSONValue, path: String) throws(GrammarFault) -> Form {
    count += 1
    guard count <= Self.mostSchemas else { throw GrammarFault("has more than \(Self.mostSchemas) schemas", path: path) }
    switch schema {
    case .bool(true): return forms.value
    case .bool(false): return .choice([])
    case .object(let members):
      if let reference = schema["$ref"] { return try named(reference, path: path, beside: members) }
      if let value = schema["const"] { return .bytes(JSONForms.literal(value)) }
      if let values = schema["enum"] { return try literals(values, path: path + ".enum") }
      for keyword in ["anyOf", "oneOf"] {
        guard let list = schema[keyword] else { continue }
        try refuse(members, but: [keyword], path)
        return try alternatives(list, path: "\(path).\(keyword)")
      }
      if let list = schema["allOf"] { return try form(merged(list, members, path: path), path: path + ".allOf") }
      return try typed(schema, members, path: path)
    default: throw GrammarFault("is \(schema.kind), not a schema", path: path)
    }
  }

  /// Refuses members of a strict schema that are neither held here nor annotations.
  func refuse(_ members: [JSONValue.Member], but held: Set<String>, _ path: String) throws(GrammarFault) {
    for member in members where !held.contains(member.name) && !Self.annotations.contains(member.name) {
      try unheld("\(path).\(member.name)")
    }
  }

  private mutating func named(
    _ reference: JSONValue, path: String, beside members: [JSONValue.Member]
  ) throws(GrammarFault) -> Form {
    try refuse(members, but: ["$ref"], path)
    guard let pointer = reference.string, pointer == "#" || pointer.hasPrefix("#/") else {
      throw GrammarFault("must begin with \"#\": other documents are not read", path: path + ".$ref")
    }
    if let rule = named[pointer] { return .rule(rule) }
    guard let schema = resolve(pointer) else {
      throw GrammarFault("names \"\(pointer.prefix(128))\", where no schema is", path: path + ".$ref")
    }
    let rule = forms.reserve()
    named[pointer] = rule
    pending.append((rule, schema, path + ".$ref"))
    return .rule(rule)
  }

  /// What stands under a JSON pointer (RFC 6901).
  private func resolve(_ pointer: String) -> JSONValue? {
    var value = root
    for part in pointer.dropFirst(2).split(separator: "/", omittingEmptySubsequences: false) where pointer != "#" {
      let name = String(part.replacing("~1", with: "/").replacing("~0", with: "~"))
      if let member = value[name] {
        value = member
      } else if let list = value.array, let index = Int(name), list.indices.contains(index) {
        value = list[index]
      } else {
        return nil
      }
    }
    return value
  }

  private func literals(_ values: JSONValue, path: String) throws(GrammarFault) -> Form {
    guard let values = values.array, !values.isEmpty, values.count <= Self.mostValues else {
      throw GrammarFault("must be a list of 1 to \(Self.mostValues) values", path: path)
    }
    return .literals(values.map(JSONForms.literal))
  }

  private mutating func alternatives(_ list: JSONValue, path: String) throws(GrammarFault) -> Form {
    guard let schemas = list.array, !schemas.isEmpty else {
      throw GrammarFault("must be a list of schemas", path: path)
    }
    var choices: [Form] = []
    for (index, schema) in schemas.enumerated() { choices.append(try form(schema, path: "\(path)[\(index)]")) }
    return .choice(choices)
  }

  /// One schema that says what several say together: of objects, the only ones that are often put together.
  private func merged(
    _ list: JSONValue, _ members: [JSONValue.Member], path: String
  ) throws(GrammarFault) -> JSONValue {
    guard let parts = list.array, !parts.isEmpty else {
      throw GrammarFault("must be a list of schemas", path: path + ".allOf")
    }
    var all: [JSONValue.Member] = members.filter { $0.name != "allOf" }
    for part in parts {
      var part = part
      var steps = 0
      while let pointer = part["$ref"]?.string, let target = resolve(pointer), steps < 16 {
        (part, steps) = (target, steps + 1)
      }
      for member in part.object ?? [] {
        guard let index = all.firstIndex(where: { $0.name == member.name }) else {
          all.append(member)
          continue
        }
        switch (member.name, all[index].value, member.value) {
        case ("properties", .object(let first), .object(let second)): all[index].value = .object(first + second)
        case ("required", .array(let first), .array(let second)): all[index].value = .array(first + second)
        case (_, let first, let second) where first == second || Self.annotations.contains(member.name): break
        default:
          try unheld("\(path).allOf", "says of `\(member.name)` two things, which this engine does not put together")
        }
      }
    }
    return .object(all)
  }

  /// A schema by its type, or by what its keywords are of.
  private mutating func typed(
    _ schema: JSONValue, _ members: [JSONValue.Member], path: String
  ) throws(GrammarFault) -> Form {
    var types: [String]
    switch schema["type"] {
    case nil: types = Self.impliedType(members).map { [$0] } ?? []
    case .string(let type)?: types = [type]
    case .array(let list)?: types = list.compactMap(\.string)
    case let other?: throw GrammarFault("is \(other.kind), not the name of a type", path: path + ".type")
    }
    if schema["nullable"] == .bool(true), !types.isEmpty { types.append("null") }
    guard !types.isEmpty else {
      try refuse(members, but: ["type"], path)
      return forms.value
    }
    var choices: [Form] = []
    for type in types { choices.append(try form(ofType: type, schema, members, path, isOne: types.count == 1)) }
    return choices.count == 1 ? choices[0] : .choice(choices)
  }

  private static func impliedType(_ members: [JSONValue.Member]) -> String? {
    let keywords = [
      "object": ["properties", "required", "additionalProperties"],
      "array": ["items", "prefixItems", "minItems", "maxItems"],
      "string": ["pattern", "format", "minLength", "maxLength"],
      "number": ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
    ]
    return ["object", "array", "string", "number"].first { type in
      members.contains { keywords[type]?.contains($0.name) == true }
    }
  }

  private mutating func form(
    ofType type: String, _ schema: JSONValue, _ members: [JSONValue.Member], _ path: String, isOne: Bool
  ) throws(GrammarFault) -> Form {
    /// A strict schema of one type may hold no keywords of others.
    func hold(_ keywords: Set<String>) throws(GrammarFault) {
      if isOne { try refuse(members, but: keywords.union(["type", "nullable"]), path) }
    }
    switch type {
    case "null":
      try hold([])
      return .text("null")
    case "boolean":
      try hold([])
      return .literals([Array("true".utf8), Array("false".utf8)])
    case "string":
      try hold(["pattern", "format", "minLength", "maxLength"])
      return try string(schema, path)
    case "integer", "number":
      try hold(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"])
      return try number(schema, path, isWhole: type == "integer")
    case "array":
      try hold(["items", "prefixItems", "minItems", "maxItems"])
      return try list(schema, path)
    case "object":
      try hold(["properties", "required", "additionalProperties"])
      return try object(schema, path)
    default: throw GrammarFault("names the type \"\(type.prefix(64))\", which JSON does not have", path: path + ".type")
    }
  }
}
