/// What schemas say of objects.
extension SchemaCompiler {
  private struct Property {
    let key: Form
    let value: Form
    let isRequired: Bool
  }

  mutating func object(_ schema: JSONValue, _ path: String) throws(GrammarFault) -> Form {
    let members = try members(schema["properties"], path + ".properties")
    let required = try names(schema["required"], path + ".required")
    if let missing = required.first(where: { name in !members.contains { $0.name == name } }) {
      try unheld(path + ".required", "names \"\(missing.prefix(64))\", which is not among `properties`")
    }
    var properties: [Property] = []
    for member in members {
      let value = forms.add(try form(member.value, path: "\(path).properties.\(member.name)"))
      properties.append(
        Property(
          key: .bytes(JSONForms.literal(.string(member.name))), value: value,
          isRequired: required.contains(member.name)))
    }
    let more = try additional(schema["additionalProperties"], beside: members.map(\.name), path)
    return forms.add(forms.braces(content(properties, more)))
  }

  /// The members in their order; the last of those with the same name counts.
  private func members(_ value: JSONValue?, _ path: String) throws(GrammarFault) -> [JSONValue.Member] {
    guard let value else { return [] }
    guard let members = value.object else { throw GrammarFault("is \(value.kind), not an object", path: path) }
    return members.enumerated().filter { index, member in
      !members[(index + 1)...].contains { $0.name == member.name }
    }.map(\.element)
  }

  private func names(_ value: JSONValue?, _ path: String) throws(GrammarFault) -> [String] {
    guard let value else { return [] }
    guard let list = value.array else { throw GrammarFault("is \(value.kind), not a list", path: path) }
    let names = list.compactMap(\.string)
    guard names.count == list.count else { throw GrammarFault("must be a list of texts", path: path) }
    return names
  }

  /// A member that `properties` do not name; nil when there may be none.
  private mutating func additional(
    _ value: JSONValue?, beside names: [String], _ path: String
  ) throws(GrammarFault) -> Form? {
    switch value {
    case .bool(false)?: return nil
    case nil where !names.isEmpty: return nil
    case nil, .bool(true)?: return forms.add(forms.member(key: try key(besides: names), forms.value))
    case let schema?:
      let value = try form(schema, path: path + ".additionalProperties")
      return forms.add(forms.member(key: try key(besides: names), value))
    }
  }

  /// One rule for each property and whether one came before it, so that a comma stands where it must and alternatives
  /// do not multiply.
  private mutating func content(_ properties: [Property], _ more: Form?) -> Form {
    var rest: (first: Form, later: Form) = (.nothing, .nothing)
    if let more {
      let later = Form.repeated(.sequence([forms.comma, more]), least: 0, most: nil)
      rest = (.optional(.sequence([more, later])), later)
    }
    for property in properties.reversed() {
      let member = forms.member(key: property.key, property.value)
      var first = Form.sequence([member, rest.later])
      var later = Form.sequence([forms.comma, member, rest.later])
      if !property.isRequired { (first, later) = (.choice([first, rest.first]), .choice([later, rest.later])) }
      rest = (forms.add(first), forms.add(later))
    }
    return rest.first
  }

  /// Any key but some: it leaves their common tree with a character that none of them has there, or ends where none
  /// does.
  private func key(besides names: [String]) throws(GrammarFault) -> Form {
    guard !names.isEmpty else { return forms.string }
    let texts = names.map { JSONForms.literal(.string($0)).dropFirst().dropLast() }
    return .sequence([.text("\""), Self.unlike(texts.map { Array($0) }[...], forms), .text("\"")])
  }

  /// What may follow, between the quotes, where all of `texts` are still possible.
  private static func unlike(_ texts: ArraySlice<[UInt8]>, _ forms: JSONForms) -> Form {
    let anything = Form.repeated(forms.character, least: 0, most: nil)
    var other = JSONForms.plain
    var ways: [Form] = []
    var heads: [UInt8] = []
    for text in texts { if let head = text.first, !heads.contains(head) { heads.append(head) } }
    for head in heads {
      other.remove(head)
      let tails = texts.filter { $0.first == head }.map { Array($0.dropFirst()) }
      // An escape, or a character of several bytes, is not taken apart: no other key begins like it.
      if JSONForms.plain.contains(head) { ways.append(.sequence([.bytes([head]), unlike(tails[...], forms)])) }
    }
    if !other.isEmpty { ways.append(.sequence([.set(other), anything])) }
    if heads.allSatisfy({ $0 < 0x80 }) { ways.append(.sequence([JSONForms.beyondASCII, anything])) }
    if !texts.contains([]) { ways.append(.nothing) }
    return .choice(ways)
  }
}
